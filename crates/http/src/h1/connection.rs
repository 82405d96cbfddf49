//! A client's connection, and the body of the request that is under way on it.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::task::coop::has_budget_remaining;

use super::reader::BodyReader;
use super::send::{Patience, Wire};
use super::write;
use crate::body::Body;
use crate::buffer::ReadBuffer;
use crate::error::{BodyError, BodyErrorKind, Fault};
use crate::h2;
use crate::headers::Headers;
use crate::message::Response;
use crate::server::ServerSettings;
use crate::stream::Stream;
use crate::timer::Timer;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// How much of an unread request body is read for the sake of the connection, after the answer is out.
pub(super) const DRAINED: u64 = 256 * 1024;
/// How long a client may take nothing, before the settings are known.
const LINGER: Duration = Duration::from_secs(2);

/// A client's connection; shared with the body of the request that is under way.
pub(crate) struct Connection {
    pub(super) stream: Stream,
    pub(super) buffer: ReadBuffer,
    pub(super) reader: BodyReader,
    pub(super) read_timer: Timer,
    pub(super) patience: Patience,
    /// Interim answers that are still to be written.
    pub(super) outbox: Vec<u8>,
    /// Whether the client waits for `100 Continue` before it sends its body, and who says so.
    pub(super) awaited: Option<Continue>,
    /// How many bytes of later requests are read while one is answered.
    pub(super) pipelined: usize,
    /// How many requests there may still be, the one under way included.
    pub(super) requests_left: u64,
    /// Whether a request's body has the read buffer.
    pub(super) is_lent: bool,
    /// How long that body was said to be.
    pub(super) declared: Option<u64>,
    /// Whether a body broke: nobody can tell any more where the next request begins.
    pub(super) is_lost: bool,
    /// Whether the connection's task has asked to be woken when something comes.
    is_watched: bool,
}

pub(super) type Shared = Rc<RefCell<Connection>>;

/// Who answers `Expect: 100-continue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Continue {
    /// This side, when the body is about to be read.
    Ours,
    /// The upstream, to which the expectation was passed on.
    Upstream,
}

/// How much of interim answers may wait for a client; those beyond are left out, as any may be.
const OUTBOX: usize = 64 * 1024;

/// Takes the interim answers (1xx) of an upstream on to the client (RFC 9110 §15.2).
#[derive(Clone)]
pub(crate) enum Interims {
    /// To a connection of HTTP/1.1.
    Http1(Shared),
    /// To a stream of HTTP/2.
    Http2(Rc<h2::Interims>),
}

impl Interims {
    pub(super) fn new(shared: &Shared) -> Self {
        Self::Http1(shared.clone())
    }

    /// Passes one on. Nobody waits for it: it goes out when the client's connection is looked at next.
    pub(crate) fn pass_on(&self, response: &Response) {
        let mut this = match self {
            Self::Http1(shared) => shared.borrow_mut(),
            Self::Http2(interims) => return interims.pass_on(response),
        };
        // Nothing goes over to another protocol here: that is a final answer of an upgrade that was asked for.
        if response.status == 101
            || (response.status == 100 && this.awaited.take() != Some(Continue::Upstream))
        {
            return;
        }
        if this.outbox.len() < OUTBOX {
            write::interim(&mut this.outbox, response);
        }
    }
}

impl std::fmt::Debug for Interims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Interims")
    }
}

impl Connection {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            buffer: ReadBuffer::default(),
            reader: BodyReader::default(),
            read_timer: Timer::new(),
            patience: Patience::new(LINGER),
            outbox: Vec::new(),
            awaited: None,
            pipelined: 0,
            requests_left: u64::MAX,
            is_lent: false,
            declared: None,
            is_lost: false,
            is_watched: false,
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
        while !self.is_lent && self.buffer.len() < self.pipelined {
            ready!(self.poll_readable(cx));
            match ready!(self.buffer.poll_fill(&mut self.stream, cx)) {
                Ok(count) if count > 0 => {}
                _ => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// Ready when there is something to read, or the client has gone.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_silent() {
            return Poll::Pending;
        }
        // A task whose turn is over (tokio's budget) only waits for the next one: nobody is asked to wake it.
        let is_its_turn = has_budget_remaining();
        let polled = self.stream.poll_readable(cx);
        self.is_watched = is_its_turn && polled.is_pending();
        self.buffer.was_looked_for();
        polled
    }

    /// Whether nothing has come since the task asked to be woken: then it still is, and need not ask again.
    fn is_silent(&self) -> bool {
        self.is_watched && self.buffer.is_empty() && self.stream.is_silent()
    }

    /// While an answer is made: writes the interim ones there are. Ready when the client has gone.
    pub(super) fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.poll_outbox(cx) {
            Poll::Ready(Err(_)) => Poll::Ready(()),
            _ => self.poll_gone(cx),
        }
    }

    /// Whether there may be another request behind this answer: one is left, and what is left of this one's body is
    /// known to be worth reading for its sake. Counts the one that is answered.
    pub(super) fn may_go_on(&mut self, answer: &Body) -> bool {
        self.requests_left = self.requests_left.saturating_sub(1);
        let is_read = !self.is_lent && self.reader.is_done();
        self.requests_left > 0 && !self.is_lost && (is_read || self.ends_soon(answer))
    }

    /// Whether no more than is drained should come of a body that is answered before its end. How much there is of
    /// chunks nobody can tell, and a client is to know before the connection ends (RFC 9112 §9.6).
    fn ends_soon(&mut self, answer: &Body) -> bool {
        if self.is_lent {
            // An answer whose length nobody knows yet may be made of the upload, and go on as long.
            return self.declared.is_some_and(|length| length <= DRAINED) || answer.length().is_none();
        }
        while let Ok(Some(true)) = self.reader.look(&mut self.buffer) {
            let count = self.reader.available();
            self.reader.consume(&mut self.buffer, count);
        }
        self.reader.length().is_some_and(|left| left <= DRAINED)
    }

    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.stream.poll_write_parts(cx, parts);
        self.patience.bound(written, cx)
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.patience.bound(flushed, cx)
    }

    /// Writes the interim answers that wait.
    pub(super) fn poll_outbox(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.outbox.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while !self.outbox.is_empty() {
            let written = self.stream.poll_write_parts(cx, &[IoSlice::new(&self.outbox)]);
            let count = ready!(self.patience.bound(written, cx))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outbox.drain(..count);
        }
        self.poll_flush(cx)
    }

    /// Says `100 Continue`, where that is waited for and ours to say.
    fn poll_continue(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.awaited == Some(Continue::Ours) {
            self.awaited = None;
            self.outbox.extend_from_slice(CONTINUE);
        }
        self.poll_outbox(cx)
    }

    /// Says that nothing more will come, where that can be said and at once; nobody waits for it.
    pub(super) fn poll_farewell(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !matches!(self.stream, Stream::Tcp(_)) {
            let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
        }
        Poll::Ready(())
    }

    /// Reads once; `false` when there is nothing more to come, or nothing came in time.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.is_silent() {
            return self.read_timer.poll(cx).map(|()| false);
        }
        self.is_watched = false;
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
        // Others than the connection's task may read it.
        this.is_watched = false;
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
            ready!(this.poll_continue(cx))?;
            let Poll::Ready(read) = self.reader.poll_read(&mut self.buffer, &mut this.stream, cx) else {
                if !std::mem::replace(&mut self.is_armed, true) {
                    this.read_timer.arm(self.timeout);
                }
                ready!(this.read_timer.poll(cx));
                return Poll::Ready(Err(BodyErrorKind::Timeout));
            };
            self.is_armed = false;
            // A client need not wait for ever (RFC 9110 §10.1.1).
            this.awaited = None;
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

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::coop::poll_proceed;

    use super::*;

    #[test]
    fn a_task_whose_turn_was_over_is_still_told_that_its_client_has_gone() {
        let local = tokio::runtime::LocalOptions::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build_local(local).unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let mut connection = Connection::new(Stream::Tcp(listener.accept().await.unwrap().0));
            connection.pipelined = 1024;
            client.writable().await.unwrap();
            assert_eq!(client.try_write(b"x").unwrap(), 1);
            let (waits, is_waiting) = tokio::sync::oneshot::channel();
            let gone = tokio::task::spawn_local(async move {
                assert!(std::future::poll_fn(|cx| connection.poll_read(cx)).await);
                connection.buffer.consume(1);
                let mut waits = Some(waits);
                let mut is_first = true;
                std::future::poll_fn(|cx| {
                    let is_to_be_over = std::mem::take(&mut is_first);
                    while is_to_be_over && has_budget_remaining() {
                        let _ = poll_proceed(cx).map(|turn| turn.made_progress());
                    }
                    let gone = connection.poll_gone(cx);
                    if !is_to_be_over {
                        let _ = waits.take().map(|waits| waits.send(()));
                    }
                    gone
                })
                .await;
            });
            is_waiting.await.unwrap();
            drop(client);
            tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap().unwrap();
        });
    }
}
