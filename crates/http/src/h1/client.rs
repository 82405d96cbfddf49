//! The client's side of an HTTP/1.1 connection: a request goes up while its response comes down.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Method, StatusCode};
use lockgate_telemetry::clock::{self, Moment};
use tokio::io::AsyncWrite;

use super::connection::Interims;
use super::parse;
use super::reader::BodyReader;
use super::send::{Patience, SendError, Sender, Wire};
use crate::body::Body;
use crate::buffer::ReadBuffer;
use crate::client::Timeouts;
use crate::error::{BodyError, BodyErrorKind, ClientError, Fault};
use crate::headers::Headers;
use crate::limits::of_answers;
use crate::message::{Request, Response};
use crate::peer::Peer;
use crate::pool;
use crate::stream::Stream;
use crate::timer::Timer;

/// Why a response is refused whose head is longer than its bound.
const TOO_LARGE: &str = "head is too large";
/// How many interim responses a request may get.
const MAX_INTERIM: usize = 16;
/// A round trip to a far peer.
const ROUND_TRIP: Duration = Duration::from_millis(500);

/// A connection to a peer.
pub(crate) struct Link {
    pub(super) stream: Stream,
    pub(super) buffer: ReadBuffer,
    pub(super) read_timer: Timer,
    patience: Patience,
    pub(crate) peer: Arc<Peer>,
    pub(crate) remote: SocketAddr,
    pub(crate) idle_since: Moment,
    pub(crate) requests: u32,
}

impl Link {
    fn new(stream: Stream, peer: Arc<Peer>, remote: SocketAddr) -> Self {
        Self {
            stream,
            buffer: ReadBuffer::default(),
            read_timer: Timer::new(),
            patience: Patience::new(Timeouts::default().send),
            peer,
            remote,
            idle_since: clock::now(),
            requests: 0,
        }
    }

    /// Whether nothing was said since its last response.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.buffer.is_empty() && self.stream.is_quiet()
    }
}

impl Wire for Link {
    fn poll_write(&mut self, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = self.stream.poll_write_parts(cx, parts);
        self.patience.bound(written, cx)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.patience.bound(flushed, cx)
    }
}

/// A connection with the request on it, and the response to that; between two requests it waits in the pool.
pub(crate) struct Exchange {
    pub(crate) link: Link,
    upload: Upload,
    /// The request, until a response has begun: it may have to be sent again.
    sender: Option<Sender>,
    reader: BodyReader,
    keep_alive: bool,
    method: Method,
    /// When the request was about to be sent.
    begun: Moment,
    is_read_armed: bool,
    read_timeout: Duration,
    /// How much of an unfinished head was looked at.
    parsed: usize,
    /// How many interim responses came.
    interims: usize,
    /// Where they go.
    passes_on: Option<Interims>,
    /// What the peer was asked to go over to.
    upgrade: Option<Box<str>>,
}

/// How far the request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upload {
    Under,
    /// All of it is out.
    Sent,
    /// The peer takes no more of it; a response may still come.
    Broken,
}

/// An exchange that failed.
pub(crate) struct Failure {
    pub(crate) error: ClientError,
    /// Whether the request may be sent again, on a fresh connection.
    pub(crate) may_repeat: bool,
    /// The request, where all of it is still in hand.
    pub(crate) whole: Option<Sender>,
}

impl Exchange {
    /// A fresh connection.
    pub(crate) fn new(stream: Stream, peer: Arc<Peer>, remote: SocketAddr) -> Box<Self> {
        Box::new(Self {
            link: Link::new(stream, peer, remote),
            upload: Upload::Sent,
            sender: None,
            reader: BodyReader::default(),
            keep_alive: false,
            method: Method::GET,
            begun: clock::recent(),
            is_read_armed: false,
            read_timeout: Duration::MAX,
            parsed: 0,
            interims: 0,
            passes_on: None,
            upgrade: None,
        })
    }

    /// Begins with a request, of which `sender` has all that goes out.
    pub(crate) fn begin(
        &mut self,
        sender: Sender,
        request: &Request,
        upgrade: Option<&str>,
        timeouts: &Timeouts,
    ) {
        self.link.requests = self.link.requests.saturating_add(1);
        self.link.patience.set(timeouts.send);
        self.upload = Upload::Under;
        self.sender = Some(sender);
        self.reader = BodyReader::default();
        self.keep_alive = false;
        self.method.clone_from(&request.method);
        self.begun = clock::recent();
        self.is_read_armed = false;
        self.read_timeout = timeouts.read;
        self.parsed = 0;
        self.interims = 0;
        self.passes_on.clone_from(&request.interims);
        self.upgrade = upgrade.map(Into::into);
    }

    /// The connection itself, once it has gone over to something else, and the longest silence on it.
    pub(super) fn into_tunnel(self) -> (Link, Option<Box<str>>, Duration) {
        (self.link, self.upgrade, self.read_timeout)
    }

    /// The address at the other end.
    pub(crate) fn remote(&self) -> SocketAddr {
        self.link.remote
    }

    /// Sends the request and reads the head of its response.
    pub(crate) async fn response(mut self: Box<Self>) -> Result<Response, Box<Failure>> {
        let head = std::future::poll_fn(|cx| self.poll_head(cx)).await;
        match head {
            Ok(mut response) => {
                self.passes_on = None;
                if response.status == StatusCode::SWITCHING_PROTOCOLS {
                    self.sender = None;
                    response.upgraded = Some(self);
                } else {
                    response.body = self.into_body();
                }
                Ok(response)
            }
            Err(error) => {
                let may_repeat = self.may_repeat(&error);
                let whole = self.sender.filter(Sender::is_replayable);
                Err(Box::new(Failure { error, may_repeat, whole }))
            }
        }
    }

    /// Whether the peer had closed the connection while the request was on its way to it (RFC 9112 §9.3.1). That
    /// shows within a round trip; one that closes later had taken the request, and only an idempotent one may
    /// be sent twice (RFC 9110 §9.2.2).
    fn may_repeat(&self, error: &ClientError) -> bool {
        matches!(error, ClientError::Closed { untouched: true, .. })
            && (self.method.is_idempotent() || clock::now().duration_since(self.begun) < ROUND_TRIP)
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response, ClientError>> {
        self.poll_upload(cx).map_err(ClientError::RequestBody)?;
        loop {
            if let Some(response) = self.take_head()? {
                return Poll::Ready(Ok(response));
            }
            let Poll::Ready(read) = self.link.buffer.poll_fill_more(&mut self.link.stream, cx) else {
                // The wait for an answer begins when the request is out.
                if self.upload == Upload::Under {
                    return Poll::Pending;
                }
                ready!(self.poll_silence(cx));
                return Poll::Ready(Err(ClientError::Timeout { peer: self.label() }));
            };
            if !read.is_ok_and(|count| count > 0) {
                let untouched = self.link.buffer.is_empty() && self.interims == 0;
                return Poll::Ready(Err(ClientError::Closed { peer: self.label(), untouched }));
            }
        }
    }

    /// The final head, when the buffer has it; interim ones are passed over.
    fn take_head(&mut self) -> Result<Option<Response>, ClientError> {
        let limits = of_answers();
        loop {
            let data = self.link.buffer.data();
            let is_unfinished = data.len() < limits.head && !parse::may_be_whole(data, self.parsed);
            if data.is_empty() || is_unfinished {
                return Ok(None);
            }
            let Some(head) = parse::response(data, self.method == Method::HEAD, &limits.message)
                .map_err(|reason| self.malformed(reason))?
            else {
                self.parsed = self.link.buffer.len();
                let is_too_large = self.link.buffer.len() >= limits.head;
                return if is_too_large { Err(self.malformed(TOO_LARGE)) } else { Ok(None) };
            };
            if head.len > limits.head {
                return Err(self.malformed(TOO_LARGE));
            }
            if head.response.status == 101 {
                let is_asked =
                    |to: &str| self.upgrade.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(to));
                if self.upload != Upload::Sent || !head.upgrade.as_deref().is_some_and(is_asked) {
                    return Err(self.malformed("101 was not asked for"));
                }
                self.link.buffer.consume(head.len);
                return Ok(Some(head.response));
            }
            self.parsed = 0;
            let is_interim = head.response.status.is_informational();
            if is_interim && self.interims >= MAX_INTERIM {
                return Err(self.malformed("too many interim responses"));
            }
            self.link.buffer.consume(head.len);
            if is_interim {
                self.interims += 1;
                if let Some(passes_on) = &self.passes_on {
                    passes_on.pass_on(&head.response);
                }
                continue;
            }
            self.reader = BodyReader::new(head.framing);
            self.keep_alive = head.keep_alive;
            self.is_read_armed = false;
            return Ok(Some(head.response));
        }
    }

    /// Sends on what there is to send. Only the request's own body can fail it: a peer that takes no more may
    /// still answer.
    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Result<(), BodyError> {
        let (Upload::Under, Some(sender)) = (self.upload, &mut self.sender) else { return Ok(()) };
        match sender.poll_send(&mut self.link, cx) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.upload = Upload::Sent,
            Poll::Ready(Err(SendError::Body(error))) => return Err(error),
            // The read that follows will say whether anything of a response came.
            Poll::Ready(Err(SendError::Io)) => self.upload = Upload::Broken,
        }
        Ok(())
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !std::mem::replace(&mut self.is_read_armed, true) {
            match &self.sender {
                // It went out in one write, right after the time was read.
                Some(sender) if self.upload == Upload::Sent && sender.is_replayable() => {
                    self.link.read_timer.arm_now(self.read_timeout);
                }
                _ => self.link.read_timer.arm(self.read_timeout),
            }
        }
        self.link.read_timer.poll(cx)
    }

    fn malformed(&self, reason: &'static str) -> ClientError {
        ClientError::Malformed { peer: self.label(), reason }
    }

    fn label(&self) -> String {
        self.link.peer.label().to_owned()
    }

    fn into_body(mut self: Box<Self>) -> Body {
        if self.upload != Upload::Under {
            self.sender = None;
        }
        if self.reader.is_done() {
            self.release();
            return Body::empty();
        }
        Body::response(ResponseBody { exchange: Some(self), trailers: None })
    }

    /// Gives the connection back, if both messages ended where they should.
    fn release(mut self: Box<Self>) {
        if self.keep_alive && self.upload == Upload::Sent && self.link.buffer.is_empty() {
            self.sender = None;
            self.link.read_timer.disarm();
            self.link.buffer.reset();
            pool::give(self);
        }
    }
}

/// The body of a response. It holds the connection, and what is still to be sent of the request.
pub(crate) struct ResponseBody {
    exchange: Option<Box<Exchange>>,
    trailers: Option<Headers>,
}

impl ResponseBody {
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BodyError>> {
        let Some(exchange) = &mut self.exchange else {
            return Poll::Ready(Ok(false));
        };
        exchange.poll_upload(cx)?;
        let has_data =
            ready!(exchange.poll_data(cx)).map_err(|kind| BodyError::new(Fault::Upstream, kind))?;
        if !has_data && let Some(mut exchange) = self.exchange.take() {
            self.trailers = exchange.reader.trailers();
            exchange.release();
        }
        Poll::Ready(Ok(has_data))
    }

    pub(crate) fn poll_upload(&mut self, cx: &mut Context<'_>) {
        if let Some(exchange) = &mut self.exchange {
            let _ = exchange.poll_upload(cx);
        }
    }

    pub(crate) fn data(&self) -> &[u8] {
        self.exchange
            .as_ref()
            .map_or(&[], |exchange| &exchange.link.buffer.data()[..exchange.reader.available()])
    }

    pub(crate) fn consume(&mut self, count: usize) {
        if let Some(exchange) = &mut self.exchange {
            exchange.reader.consume(&mut exchange.link.buffer, count);
        }
    }

    pub(crate) fn length(&self) -> Option<u64> {
        self.exchange.as_ref().map_or(Some(0), |exchange| exchange.reader.length())
    }

    pub(crate) fn trailers(&mut self) -> Option<Headers> {
        self.trailers.take()
    }
}

impl Exchange {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BodyErrorKind>> {
        loop {
            if let Some(has_data) = self.reader.look(&mut self.link.buffer)? {
                return Poll::Ready(Ok(has_data));
            }
            let link = &mut self.link;
            let Poll::Ready(read) = self.reader.poll_read(&mut link.buffer, &mut link.stream, cx) else {
                // A peer may read all of a request before it says more.
                if self.upload == Upload::Under {
                    return Poll::Pending;
                }
                ready!(self.poll_silence(cx));
                return Poll::Ready(Err(BodyErrorKind::Timeout));
            };
            self.is_read_armed = false;
            read?;
        }
    }
}
