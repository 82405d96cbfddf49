//! A head and its body on their way out: as few writes as there can be, and no copy of a large piece.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lockgate_telemetry::clock;

use super::write::{BodyFraming, chunk_head, last_chunk};
use crate::body::Body;
use crate::buffer::WriteBuffer;
use crate::error::{BodyError, BodyErrorKind, Fault};
use crate::timer::Timer;

/// What is written to. It bounds its own waits.
pub(crate) trait Wire {
    fn poll_write(&mut self, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// Bounds each wait for the other side to take bytes.
pub(crate) struct Patience {
    timer: Timer,
    is_armed: bool,
    within: Duration,
}

impl Patience {
    pub(crate) fn new(within: Duration) -> Self {
        Self { timer: Timer::new(), is_armed: false, within }
    }

    pub(crate) fn set(&mut self, within: Duration) {
        self.within = within;
    }

    /// Passes on what came of a write; one that has waited for too long has failed.
    pub(crate) fn bound<T>(
        &mut self,
        result: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if result.is_pending() {
            if !std::mem::replace(&mut self.is_armed, true) {
                self.timer.arm(self.within);
            }
            ready!(self.timer.poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if self.is_armed {
            self.is_armed = false;
            // What follows must not reckon from before the wait.
            clock::now();
        }
        result
    }
}

/// Why a message could not be sent.
#[derive(Debug)]
pub(crate) enum SendError {
    /// Its body could not be read.
    Body(BodyError),
    /// It could not be written.
    Io,
}

impl SendError {
    /// Says in the log that an answer broke off, where that is not the client's own doing.
    pub(crate) fn report(self) {
        if let Self::Body(error) = self {
            error.report();
        }
    }
}

impl From<io::Error> for SendError {
    fn from(_: io::Error) -> Self {
        Self::Io
    }
}

/// Pieces up to this size are copied behind the head, so that both leave in one write.
const COPIED: usize = 16 * 1024;
/// How much is gathered before it is written.
const GATHERED: usize = 32 * 1024;

/// A message on its way out.
pub(crate) struct Sender {
    out: WriteBuffer,
    body: Body,
    /// As its head says; of a length, what is still to be taken of the body.
    framing: BodyFraming,
    /// Bytes at the front of the body's data that follow `out`, uncopied.
    direct: usize,
    has_ended: bool,
    has_written: bool,
    is_whole_in_out: bool,
    body_bytes: u64,
    /// Why the body broke off; what was taken of it goes out first.
    failure: Option<BodyError>,
}

impl Sender {
    /// Begins to send; `out` holds the head.
    pub(crate) fn new(out: WriteBuffer, body: Body, framing: BodyFraming) -> Self {
        let has_ended = framing == BodyFraming::None;
        Self {
            out,
            body,
            framing,
            direct: 0,
            has_ended,
            has_written: false,
            is_whole_in_out: has_ended,
            body_bytes: 0,
            failure: None,
        }
    }

    /// Bytes of body that were taken to be written.
    pub(crate) fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Whether all of the message is still in hand, so that it can be sent once more.
    pub(crate) fn is_replayable(&self) -> bool {
        self.is_whole_in_out
    }

    /// Whether nothing of the body was taken yet.
    pub(crate) fn is_untouched(&self) -> bool {
        !self.has_written && self.body_bytes == 0
    }

    /// Begins from the start again.
    pub(crate) fn rewind(&mut self) {
        self.out.rewind();
    }

    /// The body, to be dropped or drained.
    pub(crate) fn into_body(self) -> Body {
        self.body
    }

    /// Sends on; ready when the last byte is out.
    pub(crate) fn poll_send(
        &mut self,
        wire: &mut impl Wire,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        loop {
            if !self.has_ended {
                self.gather(cx);
            }
            if self.out.is_empty() && self.direct == 0 {
                ready!(wire.poll_flush(cx))?;
                return match self.failure.take() {
                    Some(error) => Poll::Ready(Err(SendError::Body(error))),
                    None if self.has_ended => Poll::Ready(Ok(())),
                    None => Poll::Pending,
                };
            }
            let parts = [IoSlice::new(self.out.data()), IoSlice::new(&self.body.data()[..self.direct])];
            let parts = if self.direct == 0 { &parts[..1] } else { &parts[..] };
            self.has_written = true;
            let Poll::Ready(written) = wire.poll_write(cx, parts) else {
                // A client may send all of its request before it reads an answer: the one must not wait for the other.
                let _ = self.body.poll_upload(cx);
                return Poll::Pending;
            };
            match written? {
                0 => return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into())),
                count => self.advance(count),
            }
        }
    }

    fn gather(&mut self, cx: &mut Context<'_>) {
        while !self.has_ended && self.direct == 0 && self.out.len() < GATHERED && self.failure.is_none() {
            match self.body.poll_ready(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(true)) if self.fits() => self.take(),
                Poll::Ready(Ok(false)) if !matches!(self.framing, BodyFraming::Length(1..)) => self.end(),
                Poll::Ready(Ok(_)) => {
                    self.failure = Some(BodyError::new(Fault::Gateway, BodyErrorKind::Length));
                }
                Poll::Ready(Err(error)) => self.failure = Some(error),
            }
        }
    }

    /// Whether the data in reach is no more than was promised. An empty piece would end a chunked body.
    fn fits(&mut self) -> bool {
        let len = self.body.data().len();
        match &mut self.framing {
            BodyFraming::Length(left) => match left.checked_sub(len as u64) {
                Some(rest) => *left = rest,
                None => return false,
            },
            BodyFraming::None | BodyFraming::Chunked | BodyFraming::UntilClose => {}
        }
        len > 0
    }

    fn take(&mut self) {
        let data = self.body.data();
        let len = data.len();
        self.body_bytes += len as u64;
        let out = self.out.bytes();
        let is_chunked = self.framing == BodyFraming::Chunked;
        if is_chunked {
            chunk_head(out, len);
        }
        if len > COPIED {
            self.direct = len;
            return;
        }
        out.extend_from_slice(data);
        if is_chunked {
            out.extend_from_slice(b"\r\n");
        }
        self.body.consume(len);
    }

    fn end(&mut self) {
        self.has_ended = true;
        self.is_whole_in_out = !self.has_written;
        if self.framing == BodyFraming::Chunked {
            let trailers = self.body.trailers();
            last_chunk(self.out.bytes(), trailers.as_ref());
        }
        // What the body held goes back: the connection it came on may be watched again.
        self.body = Body::empty();
    }

    fn advance(&mut self, count: usize) {
        let of_out = count.min(self.out.len());
        self.out.advance(of_out);
        let of_data = count - of_out;
        if of_data > 0 {
            self.body.consume(of_data);
            self.direct -= of_data;
            if self.direct == 0 && self.framing == BodyFraming::Chunked {
                self.out.bytes().extend_from_slice(b"\r\n");
            }
        }
    }
}
