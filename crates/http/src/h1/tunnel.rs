//! Two connections that have become one: after `101 Switching Protocols` bytes pass both ways, unread, until both
//! sides have ended (RFC 9110 §7.8).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::AsyncWrite;

use crate::buffer::ReadBuffer;
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
