//! Messages on the wire: bodies that can be told apart, written in pieces and read by the letter.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::plan::Body;

/// The only trailer there is.
pub(crate) const TRAILER: &str = "X-Sum: 1";

/// The bytes of a body: those of another turn, or of the other side, differ.
pub(crate) fn data(turn: usize, is_answer: bool, len: usize) -> Vec<u8> {
    let start = turn * 37 + usize::from(is_answer) * 101;
    (start..start + len).map(|at| (at % 251).to_le_bytes()[0]).collect()
}

/// The header lines that frame a body.
pub(crate) fn framing(body: &Body) -> String {
    match body {
        Body::None | Body::UntilClose(_) => String::new(),
        Body::Length(len) => format!("Content-Length: {len}\r\n"),
        Body::Chunks { .. } => "Transfer-Encoding: chunked\r\n".to_owned(),
    }
}

/// The body as it is on the wire.
pub(crate) fn framed(body: &Body, data: &[u8]) -> Vec<u8> {
    let Body::Chunks { sizes, has_trailer } = body else { return data.to_vec() };
    let (mut out, mut at) = (Vec::new(), 0);
    for size in sizes {
        out.extend_from_slice(format!("{size:x}\r\n").as_bytes());
        out.extend_from_slice(&data[at..at + size]);
        out.extend_from_slice(b"\r\n");
        at += size;
    }
    let trailer = if *has_trailer { format!("{TRAILER}\r\n") } else { String::new() };
    out.extend_from_slice(format!("0\r\n{trailer}\r\n").as_bytes());
    out
}

/// Writes in pieces.
pub(crate) async fn write_in(
    to: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    piece: usize,
) -> io::Result<()> {
    for piece in bytes.chunks(piece.max(1)) {
        to.write_all(piece).await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Has a connection end by a reset.
pub(crate) fn resets_when_dropped(socket: &TcpStream) {
    socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO)).expect("it is a socket");
}

/// A message as it was read.
#[derive(Debug, Default)]
pub(crate) struct Message {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) has_trailer: bool,
    /// Whether its end came.
    pub(crate) is_whole: bool,
}

/// Reads messages one after the other.
pub(crate) struct Reader<R> {
    from: R,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(crate) fn new(from: R) -> Self {
        Self { from, buffer: Vec::new() }
    }

    /// Reads on; `false` at the end.
    async fn fill(&mut self) -> bool {
        self.from.read_buf(&mut self.buffer).await.is_ok_and(|count| count > 0)
    }

    async fn until(&mut self, mark: &[u8]) -> Option<String> {
        let mut from = 0;
        loop {
            if let Some(at) = self.buffer[from..].windows(mark.len()).position(|window| window == mark) {
                let found = self.buffer.drain(..from + at + mark.len()).collect();
                return Some(String::from_utf8(found).expect("heads and sizes are text"));
            }
            from = (self.buffer.len() + 1).saturating_sub(mark.len());
            if !self.fill().await {
                return None;
            }
        }
    }

    /// A head; `None` where the connection ends.
    pub(crate) async fn head(&mut self) -> Option<String> {
        let head = self.until(b"\r\n\r\n").await;
        assert!(
            head.is_some() || self.buffer.len() < 5 || self.buffer.starts_with(b"HTTP/1.1 "),
            "{:?}",
            self.buffer.escape_ascii().to_string()
        );
        head
    }

    /// Up to `count` bytes more of a body; `false` when the connection ended before.
    async fn take(&mut self, count: usize, body: &mut Vec<u8>) -> bool {
        let mut left = count;
        loop {
            let now = left.min(self.buffer.len());
            body.extend(self.buffer.drain(..now));
            left -= now;
            if left == 0 {
                return true;
            }
            if !self.fill().await {
                return false;
            }
        }
    }

    /// The body behind a head; one without framing is empty.
    pub(crate) async fn body(&mut self, head: String) -> Message {
        let mut message = Message { is_whole: true, ..Message::default() };
        if let Some(length) = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")) {
            let length = length.parse().expect("a length is a number");
            message.is_whole = self.take(length, &mut message.body).await;
        } else if head.contains("\r\nTransfer-Encoding: chunked\r\n") {
            message.is_whole = self.chunks(&mut message).await.is_some();
        }
        message.head = head;
        message
    }

    async fn chunks(&mut self, message: &mut Message) -> Option<()> {
        loop {
            let line = self.until(b"\r\n").await?;
            let size = usize::from_str_radix(line.trim_end(), 16).expect("a size is hexadecimal");
            if size == 0 {
                break;
            }
            if !self.take(size, &mut message.body).await {
                return None;
            }
            assert_eq!(self.until(b"\r\n").await?, "\r\n", "a chunk ends where its size says");
        }
        loop {
            match &*self.until(b"\r\n").await? {
                "\r\n" => return Some(()),
                line => {
                    assert_eq!(line.trim_end(), TRAILER);
                    message.has_trailer = true;
                }
            }
        }
    }

    /// What is left when nothing more should come.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.buffer)
    }
}
