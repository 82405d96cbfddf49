//! The client's side of an HTTP/1.1 connection: a request goes up while its response comes down.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::parse;
use super::reader::BodyReader;
use super::send::{SendError, Sender, Wire};
use crate::body::Body;
use crate::buffer::ReadBuffer;
use crate::client::Timeouts;
use crate::error::{BodyError, BodyErrorKind, ClientError, Fault};
use crate::headers::Headers;
use crate::message::Response;
use crate::peer::Peer;
use crate::pool;
use crate::stream::Stream;
use crate::timer::Timer;

/// The longest response head, in bytes.
const MAX_HEAD: usize = 128 * 1024;
/// How many interim responses a request may get.
const MAX_INTERIM: usize = 16;

/// A connection to a peer.
pub(crate) struct Link {
    stream: Stream,
    buffer: ReadBuffer,
    read_timer: Timer,
    write_timer: Timer,
    is_write_armed: bool,
    send_timeout: Duration,
    pub(crate) peer: Arc<Peer>,
    pub(crate) remote: SocketAddr,
    pub(crate) idle_since: Instant,
    pub(crate) requests: u32,
}

impl Link {
    pub(crate) fn new(stream: Stream, peer: Arc<Peer>, remote: SocketAddr) -> Box<Self> {
        Box::new(Self {
            stream,
            buffer: ReadBuffer::default(),
            read_timer: Timer::new(),
            write_timer: Timer::new(),
            is_write_armed: false,
            send_timeout: Duration::from_secs(60),
            peer,
            remote,
            idle_since: Instant::now(),
            requests: 0,
        })
    }

    /// Whether nothing was said since its last response.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.buffer.is_empty() && self.stream.is_quiet()
    }
}

impl Wire for Link {
    fn poll_write(&mut self, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        let written = match parts {
            [one] => stream.poll_write(cx, one),
            several => stream.poll_write_vectored(cx, several),
        };
        if written.is_pending() {
            if !std::mem::replace(&mut self.is_write_armed, true) {
                self.write_timer.arm(self.send_timeout);
            }
            ready!(self.write_timer.poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.is_write_armed = false;
        written
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
}

/// One request on a connection, and the response to it.
pub(crate) struct Exchange {
    link: Box<Link>,
    upload: Upload,
    reader: BodyReader,
    keep_alive: bool,
    is_head: bool,
    is_read_armed: bool,
    read_timeout: Duration,
    interims: usize,
}

/// How far the request is.
enum Upload {
    Under(Sender),
    /// All of it is out. Kept until the response begins, in case the connection turns out to be stale.
    Sent(Sender),
    /// The peer takes no more of it; a response may still come.
    Broken,
    /// It is all out, and a response has begun.
    Over,
}

/// An exchange that failed, and the request when it can be sent again.
pub(crate) struct Failure {
    pub(crate) error: ClientError,
    pub(crate) replay: Option<Sender>,
}

impl Exchange {
    pub(crate) fn new(mut link: Box<Link>, sender: Sender, is_head: bool, timeouts: &Timeouts) -> Self {
        link.requests = link.requests.saturating_add(1);
        link.send_timeout = timeouts.send;
        Self {
            link,
            upload: Upload::Under(sender),
            reader: BodyReader::default(),
            keep_alive: false,
            is_head,
            is_read_armed: false,
            read_timeout: timeouts.read,
            interims: 0,
        }
    }

    pub(crate) fn remote(&self) -> SocketAddr {
        self.link.remote
    }

    /// Sends the request and reads the head of its response.
    pub(crate) async fn response(mut self: Box<Self>) -> Result<Response, Failure> {
        let head = std::future::poll_fn(|cx| self.poll_head(cx)).await;
        match head {
            Ok(mut response) => {
                response.body = self.into_body();
                Ok(response)
            }
            Err(error) => {
                let replay = match (&error, self.upload) {
                    (
                        ClientError::Closed { untouched: true, .. },
                        Upload::Under(sender) | Upload::Sent(sender),
                    ) => Some(sender).filter(Sender::is_replayable),
                    _ => None,
                };
                Err(Failure { error, replay })
            }
        }
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response, ClientError>> {
        self.poll_upload(cx).map_err(ClientError::RequestBody)?;
        loop {
            if let Some(response) = self.take_head()? {
                return Poll::Ready(Ok(response));
            }
            let Poll::Ready(read) = self.link.buffer.poll_fill_more(&mut self.link.stream, cx) else {
                // The wait for an answer begins when the request is out.
                if matches!(self.upload, Upload::Under(_)) {
                    return Poll::Pending;
                }
                ready!(self.poll_silence(cx));
                return Poll::Ready(Err(ClientError::Timeout { peer: self.label() }));
            };
            if !read.is_ok_and(|count| count > 0) {
                let untouched = self.link.buffer.is_empty() && self.interims == 0;
                return Poll::Ready(Err(ClientError::Closed {
                    peer: self.label(),
                    untouched,
                }));
            }
        }
    }

    /// The final head, when the buffer has it; interim ones are passed over.
    fn take_head(&mut self) -> Result<Option<Response>, ClientError> {
        loop {
            if self.link.buffer.is_empty() {
                return Ok(None);
            }
            let malformed = |reason| ClientError::Malformed {
                peer: self.label(),
                reason,
            };
            let Some(head) = parse::response(self.link.buffer.data(), self.is_head).map_err(malformed)?
            else {
                return match self.link.buffer.len() >= MAX_HEAD {
                    true => Err(malformed("head is too large")),
                    false => Ok(None),
                };
            };
            if head.response.status == 101 {
                return Err(malformed("101 was not asked for"));
            }
            let is_interim = head.response.status.is_informational();
            if is_interim && self.interims >= MAX_INTERIM {
                return Err(malformed("too many interim responses"));
            }
            self.link.buffer.consume(head.len);
            if is_interim {
                self.interims += 1;
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
        let Upload::Under(sender) = &mut self.upload else {
            return Ok(());
        };
        match sender.poll_send(&mut *self.link, cx) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => {
                if let Upload::Under(sender) = std::mem::replace(&mut self.upload, Upload::Over) {
                    self.upload = Upload::Sent(sender);
                }
            }
            Poll::Ready(Err(SendError::Body(error))) => return Err(error),
            Poll::Ready(Err(SendError::Io)) if sender.is_replayable() => {
                // Kept: the read that follows will say whether anything of a response came.
                if let Upload::Under(sender) = std::mem::replace(&mut self.upload, Upload::Over) {
                    self.upload = Upload::Sent(sender);
                }
                self.keep_alive = false;
            }
            Poll::Ready(Err(SendError::Io)) => self.upload = Upload::Broken,
        }
        Ok(())
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !std::mem::replace(&mut self.is_read_armed, true) {
            self.link.read_timer.arm(self.read_timeout);
        }
        self.link.read_timer.poll(cx)
    }

    fn label(&self) -> String {
        self.link.peer.label().to_owned()
    }

    fn into_body(mut self: Box<Self>) -> Body {
        if matches!(self.upload, Upload::Sent(_)) {
            self.upload = Upload::Over;
        }
        if self.reader.is_done() {
            self.release();
            return Body::empty();
        }
        Body::response(ResponseBody {
            exchange: Some(self),
            trailers: None,
        })
    }

    /// Gives the connection back, if both messages ended where they should.
    fn release(self: Box<Self>) {
        let Self {
            mut link,
            upload,
            keep_alive,
            ..
        } = *self;
        if keep_alive && matches!(upload, Upload::Over) && link.buffer.is_empty() {
            link.read_timer.disarm();
            link.buffer.reset();
            pool::give(link);
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
            if matches!(exchange.upload, Upload::Sent(_)) {
                exchange.upload = Upload::Over;
            }
            exchange.release();
        }
        Poll::Ready(Ok(has_data))
    }

    pub(crate) fn data(&self) -> &[u8] {
        self.exchange.as_ref().map_or(&[], |exchange| {
            &exchange.link.buffer.data()[..exchange.reader.available()]
        })
    }

    pub(crate) fn consume(&mut self, count: usize) {
        if let Some(exchange) = &mut self.exchange {
            exchange.reader.consume(&mut exchange.link.buffer, count);
        }
    }

    pub(crate) fn length(&self) -> Option<u64> {
        self.exchange
            .as_ref()
            .map_or(Some(0), |exchange| exchange.reader.length())
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
            let link = &mut *self.link;
            let Poll::Ready(read) = self.reader.poll_read(&mut link.buffer, &mut link.stream, cx) else {
                ready!(self.poll_silence(cx));
                return Poll::Ready(Err(BodyErrorKind::Timeout));
            };
            self.is_read_armed = false;
            read?;
        }
    }
}
