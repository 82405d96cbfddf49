//! Frames of RFC 9113 as bytes, and one end of a connection that sends them as they are.

#![expect(missing_docs, reason = "kinds, flags and codes have the names that RFC 9113 gives them")]

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::{Connection, DEADLINE, Gateway};

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;
pub const WITH_PRIORITY: u8 = 0x20;
/// A whole head and a whole request.
pub const WHOLE: u8 = END_HEADERS | END_STREAM;

/// Error codes of RFC 9113 §7.
pub mod code {
    /// The names of all codes, by number.
    pub const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    pub const NO_ERROR: u32 = 0;
    pub const PROTOCOL: u32 = 1;
    pub const FLOW_CONTROL: u32 = 3;
    pub const STREAM_CLOSED: u32 = 5;
    pub const FRAME_SIZE: u32 = 6;
    pub const REFUSED: u32 = 7;
    pub const CANCEL: u32 = 8;
    pub const COMPRESSION: u32 = 9;
    pub const CALM: u32 = 11;
}

/// A frame, well formed or not.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let length = u32::try_from(payload.len()).expect("a test's frame is short").to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A field as a literal that no table keeps (RFC 7541 §6.2.2), its text in plain bytes.
pub fn field(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name.as_ref(), value.as_ref()] {
        integer(&mut bytes, text.len());
        bytes.extend_from_slice(text);
    }
    bytes
}

/// A length with a prefix of seven bits (RFC 7541 §5.1).
fn integer(bytes: &mut Vec<u8>, mut value: usize) {
    if value < 127 {
        return bytes.push(value.to_le_bytes()[0]);
    }
    bytes.push(127);
    value -= 127;
    while value >= 128 {
        bytes.push(value.to_le_bytes()[0] | 128);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

/// A field block.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| field(name, value)).collect()
}

/// What every request begins with.
pub const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":path", "/p"), (":authority", "h")];
pub const POST: [(&str, &str); 4] =
    [(":method", "POST"), (":scheme", "http"), (":path", "/p"), (":authority", "h")];

/// The block of a request with more fields than it needs.
pub fn with(request: &[(&str, &str)], fields: &[(&str, &str)]) -> Vec<u8> {
    [block(request), block(fields)].concat()
}

pub fn headers(stream: u32, flags: u8, block: impl AsRef<[u8]>) -> Vec<u8> {
    frame(HEADERS, flags, stream, block)
}

/// A GET that ends with its head.
pub fn get(stream: u32) -> Vec<u8> {
    headers(stream, WHOLE, block(&GET))
}

/// The head of a POST whose body follows.
pub fn post(stream: u32) -> Vec<u8> {
    headers(stream, END_HEADERS, block(&POST))
}

pub fn data(stream: u32, flags: u8, data: impl AsRef<[u8]>) -> Vec<u8> {
    frame(DATA, flags, stream, data)
}

pub fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, code.to_be_bytes())
}

pub fn window(stream: u32, increment: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, increment.to_be_bytes())
}

pub fn ping(flags: u8) -> Vec<u8> {
    frame(PING, flags, 0, b"lockgate")
}

pub fn setting(id: u16, value: u32) -> Vec<u8> {
    [id.to_be_bytes().as_slice(), &value.to_be_bytes()].concat()
}

pub fn settings(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(SETTINGS, 0, 0, payload)
}

/// A frame that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// Four bytes: what `RST_STREAM` and `WINDOW_UPDATE` are made of.
    pub fn number(&self, at: usize) -> u32 {
        let bytes = self.payload.get(at..at + 4).unwrap_or_else(|| panic!("{self:?} is too short"));
        u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    /// The status of a response's head, which is its first field.
    pub fn status(&self) -> u16 {
        const INDEXED: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
        // The table of fields may be resized before the first of them (RFC 7541 §6.3).
        let start = self.payload.iter().take_while(|byte| *byte & 0xe0 == 0x20).count();
        match self.payload[start..] {
            [first @ 0x88..=0x8e, ..] => INDEXED[usize::from(first - 0x88)],
            [0x48 | 0x08, 3, a, b, c, ..] => digits([a, b, c]),
            [0x48 | 0x08, length, ref rest @ ..] if length & 0x80 != 0 => {
                huffman(&rest[..usize::from(length & 0x7f)])
            }
            _ => panic!("no status: {self:?}"),
        }
    }
}

fn digits(text: [u8; 3]) -> u16 {
    text.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'))
}

/// Digits in the code of RFC 7541, appendix B: 0 to 2 have five bits, 3 to 9 have six.
fn huffman(bytes: &[u8]) -> u16 {
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let read = |bits: &[u8]| bits.iter().fold(0_u16, |number, bit| number << 1 | u16::from(*bit));
    let (mut at, mut number) = (0, 0);
    for _ in 0..3 {
        let five = read(&bits[at..at + 5]);
        let digit = if five <= 2 { five } else { read(&bits[at..at + 6]) - 0b01_1001 + 3 };
        at += if five <= 2 { 5 } else { 6 };
        number = number * 10 + digit;
    }
    number
}

/// One end of an HTTP/2 connection: a client's, or a node's.
pub struct Frames {
    connection: Connection,
}

impl Frames {
    /// A client's connection on which nothing was said yet.
    pub fn bare(gateway: &Gateway) -> Self {
        Self::over(gateway.connect())
    }

    /// A connection as it is.
    pub fn over(connection: Connection) -> Self {
        Self { connection }
    }

    /// A client that opens with a preface and no settings of its own, and takes the gateway's.
    pub fn open(gateway: &Gateway) -> Self {
        Self::open_at(gateway.proxy)
    }

    /// The same to any server.
    pub fn open_at(address: SocketAddr) -> Self {
        let mut client = Self::over(Connection::open(address));
        client.send(PREFACE);
        client.send(settings([]));
        client.until("the server's settings", |frame| frame.kind == SETTINGS && frame.flags == 0);
        client.send(frame(SETTINGS, ACK, 0, []));
        client
    }

    /// Sends bytes; a peer that has closed the connection shows when it is read.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.connection.send(bytes);
    }

    pub fn send_byte_by_byte(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.connection.send_byte_by_byte(bytes);
    }

    /// The next frame; `None` at the end.
    pub fn next_frame(&mut self) -> Option<Frame> {
        match self.try_next() {
            Ok(frame) => Some(frame),
            Err(error) if is_end(&error) => None,
            Err(error) => panic!("the next frame: {error}"),
        }
    }

    /// The same; an error at the end, and where it comes too late.
    pub fn try_next(&mut self) -> io::Result<Frame> {
        let head = self.connection.read_exact(9)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let payload = self.connection.read_exact(length);
        let payload = payload.map_err(|error| io::Error::other(format!("a frame comes whole: {error}")))?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Ok(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// The frames that come until the other side closes, or says no more for so long; whether it has closed.
    pub fn said(&mut self, patience: Duration, silence: Duration) -> (Vec<Frame>, bool) {
        let (socket, mut frames) = (self.connection.socket(), Vec::new());
        let _ = socket.set_read_timeout(Some(patience));
        let is_closed = loop {
            match self.try_next() {
                Ok(frame) => frames.push(frame),
                Err(error) => {
                    break !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
                }
            }
            let _ = socket.set_read_timeout(Some(silence));
        };
        let _ = socket.set_read_timeout(Some(DEADLINE));
        (frames, is_closed)
    }

    /// The first frame that is the one; fails at the end.
    pub fn until(&mut self, what: &str, is_it: impl Fn(&Frame) -> bool) -> Frame {
        let mut seen = Vec::new();
        loop {
            match self.next_frame() {
                Some(frame) if is_it(&frame) => return frame,
                Some(frame) => seen.push((frame.kind, frame.stream, frame.payload.len())),
                None => panic!("{what} did not come; (kind, stream, length): {seen:?}"),
            }
        }
    }

    /// The status of the answer on a stream.
    pub fn status(&mut self, stream: u32) -> u16 {
        self.until("an answer", |frame| frame.kind == HEADERS && frame.stream == stream).status()
    }

    /// Everything that still comes.
    pub fn rest(&mut self) -> Vec<Frame> {
        std::iter::from_fn(|| self.next_frame()).collect()
    }

    /// Says that nothing more will be sent.
    pub fn finish(&self) {
        self.connection.finish();
    }

    /// Ends both directions.
    pub fn close(&self) {
        self.connection.close();
    }

    /// Every byte until the end.
    pub fn bytes(&mut self) -> Vec<u8> {
        self.connection.read_to_close()
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset)
}
