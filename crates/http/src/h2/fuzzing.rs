//! A connection of HTTP/2 without a socket, for the fuzz target: what requests a stream of frames makes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::guard::{Guard, Meter};
use super::{convert, server};
use crate::buffer::ReadBuffer;
use crate::h1::write::{self, BodyFraming};
use crate::outgoing::Outgoing;
use crate::server::ServerSettings;

/// More than any input makes of itself.
const STEPS: usize = 100_000;

/// Bytes that come a few at a time, and then their end; what is written is forgotten.
struct Bytes<'a> {
    left: &'a [u8],
    piece: usize,
}

impl AsyncRead for Bytes<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = self.left.len().min(self.piece).min(buf.remaining());
        let (now, later) = self.left.split_at(count);
        buf.put_slice(now);
        self.left = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bytes<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The heads of the requests that come by `input`, as they are sent on by HTTP/1.1.
pub(crate) fn sent_on(input: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let settings = ServerSettings::default();
    let meter = Meter::new(&settings.http2);
    let io = Guard::new(Bytes { left: input, piece: piece.max(1) }, ReadBuffer::default(), meter.clone());
    let mut cx = Context::from_waker(Waker::noop());
    let mut handshake = std::pin::pin!(server::builder(&settings).handshake::<_, bytes::Bytes>(io));
    let Poll::Ready(Ok(mut connection)) = handshake.as_mut().poll(&mut cx) else { return Vec::new() };
    let (mut heads, mut held) = (Vec::new(), Vec::new());
    for _ in 0..STEPS {
        match connection.poll_accept(&mut cx) {
            Poll::Ready(Some(Ok((request, respond)))) => {
                let (parts, stream) = request.into_parts();
                let framing = match convert::length(&parts.headers) {
                    Some(length) => BodyFraming::Length(length),
                    None if stream.is_end_stream() => BodyFraming::None,
                    None => BodyFraming::Chunked,
                };
                if let Ok(request) = convert::request(parts, &settings.limits) {
                    let mut out = Vec::new();
                    write::request(&mut out, &request, &Outgoing::default(), framing, true);
                    heads.push(out);
                }
                held.push((stream, respond));
            }
            Poll::Pending if meter.fault().is_none() && !held.is_empty() => held.clear(),
            _ => break,
        }
    }
    heads
}
