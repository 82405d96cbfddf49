//! A connection's bytes, whatever carries them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::net::{RecvFlags, SendFlags};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// The largest piece that is written without a look at whether there is room, and the most room to read into without
/// one. What is larger goes the way on which a task gives others a turn.
const TRIED: usize = 16 * 1024;

/// A TCP connection, or TLS over one.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS, where this side is the server.
    Server(Box<tokio_rustls::server::TlsStream<TcpStream>>),
    /// TLS, where this side is the client.
    Client(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

macro_rules! each {
    ($stream:expr, $io:ident => $body:expr) => {
        match $stream.get_mut() {
            Stream::Tcp($io) => $body,
            Stream::Server($io) => $body,
            Stream::Client($io) => $body,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_shutdown(cx))
    }
}

impl Stream {
    /// Writes once: a single part by the plain call, which is the cheaper one.
    pub(crate) fn poll_write_parts(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A small message nearly always finds room, and then nobody has to be told to wait for it.
        if let (Self::Tcp(io), [one]) = (&*self, parts)
            && one.len() <= TRIED
        {
            let send = || Ok(rustix::net::send(io, one, SendFlags::NOSIGNAL)?);
            match io.try_io(Interest::WRITABLE, send) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
        match parts {
            [one] => Pin::new(self).poll_write(cx, one),
            several => Pin::new(self).poll_write_vectored(cx, several),
        }
    }

    /// Reads once; 0 is the end.
    pub(crate) fn poll_read_some(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if let Self::Tcp(io) = self
            && room.len() <= TRIED
            && let Some(read) = take(io, room)
        {
            return Poll::Ready(read);
        }
        let mut room = ReadBuf::new(room);
        Pin::new(self).poll_read(cx, &mut room).map_ok(|()| room.filled().len())
    }

    /// Whether the two sides agreed to HTTP/2 in their TLS handshake (RFC 7301).
    pub(crate) fn speaks_http2(&self) -> bool {
        let protocol = match self {
            Self::Tcp(_) => None,
            Self::Server(io) => io.get_ref().1.alpn_protocol(),
            Self::Client(io) => io.get_ref().1.alpn_protocol(),
        };
        protocol == Some(b"h2")
    }

    /// Ready when there is something to read, or the other side has closed; nothing is read.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        let tcp = match self {
            Self::Tcp(io) => io,
            Self::Server(io) => io.get_ref().0,
            Self::Client(io) => io.get_ref().0,
        };
        tcp.poll_read_ready(cx).map(drop)
    }

    /// Whether the poller has seen nothing to read since that was last waited for. Unlike `is_quiet` it reads nothing;
    /// where TLS is between, nobody knows.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::Tcp(io) if io.try_io(Interest::READABLE, || Ok(())).is_err())
    }

    /// Ready when a read may give something: where TLS is between, more may be at hand than the socket knows of.
    #[inline]
    pub(crate) fn poll_worth_reading(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Tcp(io) => io.poll_read_ready(cx).map(drop),
            Self::Server(_) | Self::Client(_) => Poll::Ready(()),
        }
    }

    /// Has the other side told, when this is dropped, that something is missing: what ends with a connection is whole
    /// where that closes, and broken off where it is reset. Whoever has TLS can tell by its missing farewell.
    pub(crate) fn reset_when_closed(&self) {
        if let Self::Tcp(io) = self {
            // Where it fails, the other side cannot be told.
            let _ = rustix::net::sockopt::set_socket_linger(io, Some(std::time::Duration::ZERO));
        }
    }

    /// Whether the other side has neither closed nor said anything, as befits a connection between two
    /// requests. Costs no system call unless the poller has seen something.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut byte = [0; 1];
        if let Self::Tcp(io) = self {
            return take(io, &mut byte).is_none();
        }
        let mut cx = Context::from_waker(std::task::Waker::noop());
        Pin::new(self).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
    }
}

/// What has come, if the poller has seen anything: by the bare system call, as a small message costs little more.
fn take(io: &TcpStream, room: &mut [u8]) -> Option<io::Result<usize>> {
    let mut short = None;
    let read = io.try_io(Interest::READABLE, || {
        let (count, _) = rustix::net::recv(io, &mut *room, RecvFlags::empty())?;
        if (1..room.len()).contains(&count) {
            // That was all: it is as if the next read had been tried and had found nothing, and the poller says when
            // there is more.
            short = Some(count);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(count)
    });
    match read {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => short.map(Ok),
        read => Some(read),
    }
}
