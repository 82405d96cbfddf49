//! A client's connection, and the body of the request that is under way on it.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::AsyncWrite;

use super::reader::BodyReader;
use super::send::{Patience, Wire};
use crate::buffer::ReadBuffer;
use crate::error::{BodyError, BodyErrorKind, Fault};
use crate::headers::Headers;
use crate::server::ServerSettings;
use crate::stream::Stream;
use crate::timer::Timer;

pub(super) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// How much of an unread request body is read for the sake of the connection, after the answer is out.
pub(super) const DRAINED: u64 = 256 * 1024;
/// How long that, and a closing client, may take.
pub(super) const LINGER: Duration = Duration::from_secs(2);
/// How much of later requests is read while one is answered.
const PIPELINED: usize = 8 * 1024;

/// A client's connection; shared with the body of the request that is under way.
pub(crate) struct Connection {
    pub(super) stream: Stream,
    pub(super) buffer: ReadBuffer,
    pub(super) reader: BodyReader,
    pub(super) read_timer: Timer,
    pub(super) patience: Patience,
    /// What is left to be written of `100 Continue`, before the body is read.
    pub(super) interim: &'static [u8],
    /// Whether a request's body has the read buffer.
    pub(super) is_lent: bool,
    /// Whether a body broke: nobody can tell any more where the next request begins.
    pub(super) is_lost: bool,
}

pub(super) type Shared = Rc<RefCell<Connection>>;

impl Connection {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            buffer: ReadBuffer::default(),
            reader: BodyReader::default(),
            read_timer: Timer::new(),
            patience: Patience::new(LINGER),
            interim: b"",
            is_lent: false,
            is_lost: false,
        }
    }

    pub(crate) fn into_parts(self) -> (Stream, ReadBuffer) {
        (self.stream, self.buffer)
    }

    pub(crate) fn data(&self) -> &[u8] {
        self.buffer.data()
    }

    /// Ready when the client has gone: there is nobody left to answer. What a pipelining client sends meanwhile
    /// is kept, as much as a buffer holds. While a body is read, reading it finds out.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.is_lent && self.buffer.len() < PIPELINED {
            ready!(self.stream.poll_readable(cx));
            match ready!(self.buffer.poll_fill(&mut self.stream, cx)) {
                Ok(count) if count > 0 => {}
                _ => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// Whether what is left of the request's body is worth reading, for the sake of the next request.
    pub(super) fn may_go_on(&self) -> bool {
        !self.is_lost && self.reader.length().is_none_or(|left| left <= DRAINED)
    }

    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.stream.poll_write_parts(cx, parts);
        self.patience.bound(written, cx)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.patience.bound(flushed, cx)
    }

    /// Writes what is due of `100 Continue`.
    fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.interim.is_empty() {
            let count = ready!(self.poll_write(cx, &[IoSlice::new(self.interim)]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.interim = &self.interim[count..];
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once; `false` when there is nothing more to come, or nothing came in time.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        match self.buffer.poll_fill_more(&mut self.stream, cx) {
            Poll::Ready(result) => Poll::Ready(result.is_ok_and(|count| count > 0)),
            Poll::Pending => self.read_timer.poll(cx).map(|()| false),
        }
    }
}

impl Wire for &RefCell<Connection> {
    fn poll_write(&mut self, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.borrow_mut().poll_write(cx, parts)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.borrow_mut().poll_flush(cx)
    }
}

/// The body of a request. It holds the connection's read buffer while it lives.
pub(crate) struct RequestBody {
    shared: Shared,
    buffer: ReadBuffer,
    reader: BodyReader,
    timeout: Duration,
    is_armed: bool,
    /// Bytes it may still have.
    budget: u64,
}

impl RequestBody {
    pub(super) fn lend(this: &mut Connection, shared: &Shared, settings: &ServerSettings) -> Self {
        this.is_lent = true;
        Self {
            shared: shared.clone(),
            buffer: std::mem::take(&mut this.buffer),
            reader: std::mem::take(&mut this.reader),
            timeout: settings.body_timeout,
            is_armed: false,
            budget: settings.max_body,
        }
    }

    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BodyError>> {
        let polled = ready!(self.poll_data(cx));
        if polled.is_err() {
            self.shared.borrow_mut().is_lost = true;
        }
        Poll::Ready(polled.map_err(|kind| BodyError::new(Fault::Client, kind)))
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BodyErrorKind>> {
        loop {
            if let Some(has_data) = self.reader.look(&mut self.buffer)? {
                if self.reader.available() as u64 > self.budget {
                    return Poll::Ready(Err(BodyErrorKind::TooLarge));
                }
                return Poll::Ready(Ok(has_data));
            }
            let this = &mut *self.shared.borrow_mut();
            ready!(this.poll_interim(cx))?;
            let Poll::Ready(read) = self.reader.poll_read(&mut self.buffer, &mut this.stream, cx) else {
                if !std::mem::replace(&mut self.is_armed, true) {
                    this.read_timer.arm(self.timeout);
                }
                ready!(this.read_timer.poll(cx));
                return Poll::Ready(Err(BodyErrorKind::Timeout));
            };
            self.is_armed = false;
            read?;
        }
    }

    pub(crate) fn limit(&mut self, limit: u64) {
        self.budget = self.budget.min(limit);
    }

    pub(crate) fn data(&self) -> &[u8] {
        &self.buffer.data()[..self.reader.available()]
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.budget = self.budget.saturating_sub(count as u64);
        self.reader.consume(&mut self.buffer, count);
    }

    pub(crate) fn length(&self) -> Option<u64> {
        self.reader.length()
    }

    pub(crate) fn trailers(&mut self) -> Option<Headers> {
        self.reader.trailers()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let mut this = self.shared.borrow_mut();
        this.buffer = std::mem::take(&mut self.buffer);
        this.reader = std::mem::take(&mut self.reader);
        this.is_lent = false;
    }
}
