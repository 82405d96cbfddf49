//! One end of an HTTP/1.1 connection that sends exact bytes and reads messages as they are.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use crate::DEADLINE;
use crate::message::{Head, Reply};

pub(crate) trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// Header lines after a chunked body.
type Trailers = Vec<(String, String)>;

/// A chunked body, read to its end.
pub(crate) struct Chunked {
    /// The data of all chunks.
    pub(crate) body: Vec<u8>,
    /// Header lines after the last chunk.
    pub(crate) trailers: Trailers,
    /// Every byte as it was on the wire.
    pub(crate) wire: Vec<u8>,
}

/// A client's or an upstream's end of a connection. Every read is bounded by [`DEADLINE`].
pub struct Connection {
    stream: Box<dyn Stream>,
    socket: TcpStream,
    buffer: Vec<u8>,
    log: Arc<Mutex<Vec<u8>>>,
}

impl Connection {
    /// Opens a connection to `address`.
    pub fn open(address: SocketAddr) -> Self {
        let socket = TcpStream::connect_timeout(&address, DEADLINE)
            .unwrap_or_else(|error| panic!("connecting to {address}: {error}"));
        Self::plain(socket)
    }

    /// A connection that was accepted or opened already.
    pub fn plain(socket: TcpStream) -> Self {
        let stream = socket.try_clone().expect("a socket can be cloned");
        Self::over(Box::new(stream), socket)
    }

    pub(crate) fn over(stream: Box<dyn Stream>, socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(DEADLINE)).expect("a deadline of more than zero");
        socket.set_write_timeout(Some(DEADLINE)).expect("a deadline of more than zero");
        socket.set_nodelay(true).expect("a connected socket");
        Self { stream, socket, buffer: Vec::new(), log: Arc::default() }
    }

    pub(crate) fn log(&self) -> Arc<Mutex<Vec<u8>>> {
        Arc::clone(&self.log)
    }

    pub(crate) fn socket(&self) -> TcpStream {
        self.socket.try_clone().expect("a socket can be cloned")
    }

    /// Sends these bytes and nothing else.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())?;
        self.stream.flush()
    }

    /// Sends these bytes one by one, each in a write of its own.
    pub fn send_byte_by_byte(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        bytes.as_ref().iter().try_for_each(|byte| self.send([*byte]))
    }

    /// Says that nothing more will be sent.
    pub fn finish(&self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Ends both directions.
    pub fn close(&self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Reads once from the socket; `false` at its end.
    fn fill(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 16 * 1024];
        let count = self.stream.read(&mut bytes)?;
        self.buffer.extend_from_slice(&bytes[..count]);
        self.log.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&bytes[..count]);
        Ok(count > 0)
    }

    /// The next `count` bytes.
    pub fn read_exact(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.fill()? {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("closed {} bytes short", count - self.buffer.len()),
                ));
            }
        }
        Ok(self.buffer.drain(..count).collect())
    }

    /// Bytes up to and with `mark`; `None` when the connection closed before the first of them.
    fn read_until(&mut self, mark: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let mut from = 0;
        loop {
            if let Some(at) = self.buffer[from..].windows(mark.len()).position(|window| window == mark) {
                return Ok(Some(self.buffer.drain(..from + at + mark.len()).collect()));
            }
            from = self.buffer.len().saturating_sub(mark.len());
            if !self.fill()? {
                let rest = String::from_utf8_lossy(&self.buffer).into_owned();
                return if rest.is_empty() {
                    Ok(None)
                } else {
                    Err(io::Error::other(format!("closed after {rest:?}")))
                };
            }
        }
    }

    /// The next head; `None` when the connection closed instead.
    pub fn read_head(&mut self) -> io::Result<Option<Head>> {
        Ok(self.read_until(b"\r\n\r\n")?.map(|raw| Head::parse(&raw)))
    }

    /// The next chunk of a chunked body with its framing; an empty one is the last (trailers not read).
    pub fn read_chunk(&mut self) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let line = self.read_until(b"\r\n")?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let text = String::from_utf8_lossy(&line).into_owned();
        let digits = text.trim_end().split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(digits, 16)
            .map_err(|error| io::Error::other(format!("chunk size {text:?}: {error}")))?;
        let mut raw = line;
        if size == 0 {
            return Ok((Vec::new(), raw));
        }
        let data = self.read_exact(size)?;
        raw.extend_from_slice(&data);
        raw.extend(self.read_exact(2)?);
        Ok((data, raw))
    }

    /// Header lines after the last chunk, with their bytes.
    fn read_trailers(&mut self) -> io::Result<(Trailers, Vec<u8>)> {
        let (mut trailers, mut raw) = (Vec::new(), Vec::new());
        loop {
            let line = self.read_until(b"\r\n")?.ok_or(io::ErrorKind::UnexpectedEof)?;
            raw.extend_from_slice(&line);
            let text = String::from_utf8_lossy(&line);
            match text.trim_end().split_once(':') {
                Some((name, value)) => trailers.push((name.to_owned(), value.trim().to_owned())),
                None => return Ok((trailers, raw)),
            }
        }
    }

    /// A chunked body with its trailers.
    pub(crate) fn read_chunked(&mut self) -> io::Result<Chunked> {
        let (mut body, mut wire) = (Vec::new(), Vec::new());
        loop {
            let (data, raw) = self.read_chunk()?;
            wire.extend(raw);
            if data.is_empty() {
                let (trailers, raw) = self.read_trailers()?;
                wire.extend(raw);
                return Ok(Chunked { body, trailers, wire });
            }
            body.extend(data);
        }
    }

    /// Everything until the other side closes; a reset counts as a close.
    pub fn read_to_close(&mut self) -> Vec<u8> {
        self.try_read_to_close().unwrap_or_else(|_| panic!("still open after {DEADLINE:?}"))
    }

    /// The same; an error when the other side stays.
    pub fn try_read_to_close(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.fill() {
                Ok(true) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Err(error);
                }
                Ok(false) | Err(_) => break,
            }
        }
        Ok(std::mem::take(&mut self.buffer))
    }

    /// The response to a request of `method`; interim responses are skipped.
    pub fn try_reply_to(&mut self, method: &str) -> io::Result<Option<Reply>> {
        loop {
            let Some(head) = self.read_head()? else {
                return Ok(None);
            };
            let status = head.start.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
            if (100..200).contains(&status) && status != 101 {
                continue;
            }
            let mut reply = Reply { status, head, ..Reply::default() };
            if method == "HEAD" || status == 204 || status == 304 || status == 101 {
                return Ok(Some(reply));
            }
            if reply.head.is_chunked() {
                let chunked = self.read_chunked()?;
                (reply.body, reply.trailers) = (chunked.body, chunked.trailers);
            } else if let Some(length) = reply.head.length() {
                reply.body = self.read_exact(length)?;
            } else {
                reply.body = self.read_to_close();
            }
            return Ok(Some(reply));
        }
    }

    /// The response to a request of `method`.
    pub fn reply_to(&mut self, method: &str) -> Reply {
        match self.try_reply_to(method) {
            Ok(Some(reply)) => reply,
            Ok(None) => panic!("closed without a response"),
            Err(error) => panic!("no response: {error}"),
        }
    }

    /// The response to a request that is not HEAD.
    pub fn reply(&mut self) -> Reply {
        self.reply_to("GET")
    }

    /// Sends a request and reads its response.
    pub fn exchange(&mut self, request: impl AsRef<[u8]>) -> Reply {
        let bytes = request.as_ref();
        let method = String::from_utf8_lossy(bytes).split(' ').next().unwrap_or_default().to_owned();
        self.send(bytes).unwrap_or_else(|error| panic!("sending: {error}"));
        self.reply_to(&method)
    }

    /// Answers with a length; `headers` are whole lines.
    pub fn answer(&mut self, status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> io::Result<()> {
        let body = body.as_ref();
        let mut bytes = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len()).into_bytes();
        for line in headers {
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        self.send(bytes)
    }

    /// Sends one chunk.
    pub fn send_chunk(&mut self, data: impl AsRef<[u8]>) -> io::Result<()> {
        let data = data.as_ref();
        let mut bytes = format!("{:x}\r\n", data.len()).into_bytes();
        bytes.extend_from_slice(data);
        bytes.extend_from_slice(b"\r\n");
        self.send(bytes)
    }
}
