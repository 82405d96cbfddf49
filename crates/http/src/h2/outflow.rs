//! A body on its way out by one stream: as much at a time as the other side grants.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, SendStream};

use super::convert;
use crate::body::Body;
use crate::error::{BodyError, BodyErrorKind, Fault};
use crate::timer::Timer;

/// Bytes of one stream that may wait in memory to be sent.
pub(super) const SEND_BUFFER: usize = 64 * 1024;

/// How much of a body is kept in case a peer has not looked at it, in bytes.
const KEPT: u64 = 64 * 1024;

/// Sends a body that is pulled.
pub(super) struct Outflow {
    stream: SendStream<Bytes>,
    stall: Option<Timer>,
    is_stalled: bool,
    patience: Duration,
    /// Bytes at the front of the body's data that were looked at and not sent.
    in_reach: usize,
    /// What is still to come of the length that was declared.
    left: Option<u64>,
    sent: u64,
    /// What was sent, as long as it is little and may have to be sent again.
    kept: Option<Vec<Bytes>>,
    has_ended: bool,
}

/// Why a body did not get out whole.
#[derive(Debug)]
pub(super) enum Stopped {
    /// It could not be read.
    Body(BodyError),
    /// The other side granted nothing for too long.
    Stalled,
    /// The other side wants no more of it, or is gone.
    Closed,
}

impl Stopped {
    /// What the other side is told of it.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Body(_) => Reason::INTERNAL_ERROR,
            Self::Stalled | Self::Closed => Reason::CANCEL,
        }
    }
}

impl Outflow {
    /// Begins to send a body of a declared length, or of any.
    pub(super) fn new(stream: SendStream<Bytes>, length: Option<u64>, patience: Duration) -> Self {
        Self {
            stream,
            stall: None,
            is_stalled: false,
            patience,
            in_reach: 0,
            left: length,
            sent: 0,
            kept: None,
            has_ended: false,
        }
    }

    /// Keeps what is sent, up to [`KEPT`] bytes.
    pub(super) fn keep(&mut self) {
        self.kept = Some(Vec::new());
    }

    /// All that was sent, if it was kept.
    pub(super) fn take_kept(&mut self) -> Option<Vec<Bytes>> {
        self.kept.take()
    }

    /// Bytes of body that were handed on.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Ends the stream early.
    pub(super) fn reset(&mut self, reason: Reason) {
        self.stream.send_reset(reason);
    }

    /// Sends on; ready when the last byte, or the trailers, are handed on.
    pub(super) fn poll(&mut self, body: &mut Body, cx: &mut Context<'_>) -> Poll<Result<(), Stopped>> {
        while !self.has_ended {
            if self.in_reach == 0 && !ready!(self.poll_read(body, cx))? {
                self.end(body)?;
                break;
            }
            let wanted = self.in_reach.min(SEND_BUFFER);
            self.stream.reserve_capacity(wanted);
            let Poll::Ready(granted) = self.poll_granted(cx) else {
                // A peer may want all of its request read before it takes an answer.
                let _ = body.poll_upload(cx);
                return Poll::Pending;
            };
            self.send(body, granted?.min(wanted))?;
            if self.has_ended {
                // Read to its very end, it gives its connection back.
                let _ = body.poll_ready(cx);
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, body: &mut Body, cx: &mut Context<'_>) -> Poll<Result<bool, Stopped>> {
        let Poll::Ready(has_data) = body.poll_ready(cx) else {
            ready!(self.stream.poll_reset(cx)).ok();
            return Poll::Ready(Err(Stopped::Closed));
        };
        let has_data = has_data.map_err(Stopped::Body)?;
        self.in_reach = if has_data { body.data().len() } else { 0 };
        let fits = match self.left {
            Some(left) if has_data => self.in_reach as u64 <= left,
            Some(left) => left == 0,
            None => true,
        };
        if !fits {
            return Poll::Ready(Err(Stopped::Body(BodyError::new(Fault::Gateway, BodyErrorKind::Length))));
        }
        Poll::Ready(Ok(has_data))
    }

    fn poll_granted(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Stopped>> {
        let capacity = self.stream.capacity();
        if capacity > 0 {
            return Poll::Ready(Ok(capacity));
        }
        loop {
            match self.stream.poll_capacity(cx) {
                // A change of window that leaves nothing to send; only what is pending is woken.
                Poll::Ready(Some(Ok(0))) => {}
                Poll::Ready(Some(Ok(granted))) => {
                    self.is_stalled = false;
                    return Poll::Ready(Ok(granted));
                }
                Poll::Ready(_) => return Poll::Ready(Err(Stopped::Closed)),
                Poll::Pending => break,
            }
        }
        let stall = self.stall.get_or_insert_with(Timer::new);
        if !std::mem::replace(&mut self.is_stalled, true) {
            stall.arm(self.patience);
        }
        stall.poll(cx).map(|()| Err(Stopped::Stalled))
    }

    fn send(&mut self, body: &mut Body, count: usize) -> Result<(), Stopped> {
        let data = Bytes::copy_from_slice(&body.data()[..count]);
        let ends_with_its_length = body.ends_with_its_length();
        body.consume(count);
        self.in_reach -= count;
        self.left = self.left.map(|left| left - count as u64);
        self.sent += count as u64;
        match &mut self.kept {
            Some(kept) if self.sent <= KEPT => kept.push(data.clone()),
            _ => self.kept = None,
        }
        self.has_ended = self.in_reach == 0 && ends_with_its_length && body.length() == Some(0);
        self.stream.send_data(data, self.has_ended).map_err(|_| Stopped::Closed)
    }

    fn end(&mut self, body: &mut Body) -> Result<(), Stopped> {
        self.has_ended = true;
        let sent = match body.trailers().map(|trailers| convert::trailer_map(&trailers)) {
            Some(trailers) if !trailers.is_empty() => {
                self.kept = None;
                self.stream.send_trailers(trailers)
            }
            _ => self.stream.send_data(Bytes::new(), true),
        };
        sent.map_err(|_| Stopped::Closed)
    }
}
