//! Two connections that have become one: after `101 Switching Protocols` bytes pass both ways, unread, until both
//! sides have ended (RFC 9110 §7.8).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::AsyncWrite;

use super::client::{Exchange, Link};
use crate::body::{Body, BodyStream};
use crate::buffer::ReadBuffer;
use crate::error::{BodyError, BodyErrorKind, Fault};
use crate::stream::Stream;
use crate::timer::Timer;

/// One direction.
pub(super) struct Flow {
    buffer: ReadBuffer,
    state: State,
    is_flushed: bool,
    passed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The one side has ended; the other is still to be told.
    Ended,
    Shut,
}

impl Flow {
    /// Begins with what was read already.
    pub(super) fn new(buffer: ReadBuffer) -> Self {
        Self { buffer, state: State::Open, is_flushed: true, passed: 0 }
    }

    /// How many bytes have passed.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    /// Passes on what there is; ready when this direction has ended.
    fn poll(&mut self, from: &mut Stream, to: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            while !self.buffer.is_empty() {
                let count = ready!(Pin::new(&mut *to).poll_write(cx, self.buffer.data()))?;
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.buffer.consume(count);
                self.passed += count as u64;
                self.is_flushed = false;
            }
            match self.state {
                State::Open => match self.buffer.poll_fill(from, cx) {
                    Poll::Ready(Ok(0)) => self.state = State::Ended,
                    Poll::Ready(count) => drop(count?),
                    Poll::Pending => {
                        if !self.is_flushed {
                            ready!(Pin::new(&mut *to).poll_flush(cx))?;
                            self.is_flushed = true;
                        }
                        return Poll::Pending;
                    }
                },
                State::Ended => {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.state = State::Shut;
                }
                State::Shut => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// Both directions between a client and an upstream.
pub(super) struct Tunnel {
    pub(super) up: Flow,
    pub(super) down: Flow,
    /// The longest silence of both together.
    pub(super) patience: Duration,
}

impl Tunnel {
    /// Ready when both sides have ended: with `true` where both did so of themselves. One that has ended may still
    /// be sent to; a silence ends both.
    pub(super) fn poll(
        &mut self,
        client: &mut Stream,
        upstream: &mut Stream,
        timer: &Timer,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        let before = self.up.passed + self.down.passed;
        let up = self.up.poll(client, upstream, cx);
        let down = self.down.poll(upstream, client, cx);
        if matches!(up, Poll::Ready(Err(_))) || matches!(down, Poll::Ready(Err(_))) {
            return Poll::Ready(false);
        }
        if up.is_ready() && down.is_ready() {
            return Poll::Ready(true);
        }
        if self.up.passed + self.down.passed != before {
            timer.arm(self.patience);
        }
        timer.poll(cx).map(|()| false)
    }
}

/// An upstream's side of a tunnel as a body, for clients whose connection carries more than the tunnel: reading it
/// sends on what the client sends.
pub(crate) struct TunnelBody {
    link: Link,
    client: Body,
    up: State,
    is_flushed: bool,
    has_ended: bool,
    patience: Duration,
}

impl TunnelBody {
    /// Begins behind the upstream's 101; `client` is what the client sends.
    pub(crate) fn new(upgraded: Exchange, client: Body) -> Self {
        let (link, _, patience) = upgraded.into_tunnel();
        link.read_timer.arm(patience);
        Self { link, client, up: State::Open, is_flushed: true, has_ended: false, patience }
    }

    /// The longest silence of both directions together.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// Sends on what there is of the client's; ready when that direction has ended.
    fn poll_up(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        let broken = |error: io::Error| BodyError::new(Fault::Upstream, error);
        loop {
            match self.up {
                State::Open => match self.client.poll_ready(cx) {
                    Poll::Ready(Ok(true)) => {
                        let stream = Pin::new(&mut self.link.stream);
                        let count = ready!(stream.poll_write(cx, self.client.data())).map_err(broken)?;
                        if count == 0 {
                            return Poll::Ready(Err(broken(io::ErrorKind::WriteZero.into())));
                        }
                        self.client.consume(count);
                        self.is_flushed = false;
                        self.link.read_timer.arm(self.patience);
                    }
                    Poll::Ready(has_data) => {
                        has_data?;
                        self.up = State::Ended;
                    }
                    Poll::Pending => {
                        if !self.is_flushed {
                            ready!(Pin::new(&mut self.link.stream).poll_flush(cx)).map_err(broken)?;
                            self.is_flushed = true;
                        }
                        return Poll::Pending;
                    }
                },
                State::Ended => {
                    ready!(Pin::new(&mut self.link.stream).poll_shutdown(cx)).map_err(broken)?;
                    self.up = State::Shut;
                }
                State::Shut => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl BodyStream for TunnelBody {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BodyError>> {
        if let Poll::Ready(Err(error)) = self.poll_up(cx) {
            return Poll::Ready(Err(error));
        }
        if !self.link.buffer.is_empty() || self.has_ended {
            return Poll::Ready(Ok(!self.link.buffer.is_empty()));
        }
        let Poll::Ready(read) = self.link.buffer.poll_fill(&mut self.link.stream, cx) else {
            ready!(self.link.read_timer.poll(cx));
            return Poll::Ready(Err(BodyError::new(Fault::Upstream, BodyErrorKind::Timeout)));
        };
        let count = read.map_err(|error| BodyError::new(Fault::Upstream, error))?;
        self.link.read_timer.arm(self.patience);
        self.has_ended = count == 0;
        Poll::Ready(Ok(count > 0))
    }

    fn data(&self) -> &[u8] {
        self.link.buffer.data()
    }

    fn consume(&mut self, count: usize) {
        self.link.buffer.consume(count);
    }

    fn length(&self) -> Option<u64> {
        None
    }

    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // What fails is said when the body is read, or, once that has ended, nobody waits for it.
        match self.poll_up(cx) {
            Poll::Pending => self.link.read_timer.poll(cx),
            Poll::Ready(_) => Poll::Ready(()),
        }
    }
}
