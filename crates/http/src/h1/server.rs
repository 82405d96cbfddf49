//! The server's side of an HTTP/1.1 connection: one request after the other, each answered before the next.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;

use http::{Method, StatusCode};
use lockgate_telemetry::clock;
use tokio::io::AsyncWrite;

use super::client::Exchange as Upgraded;
use super::connection::{Connection, Continue, DRAINED, Interims, RequestBody, Shared};
use super::parse::{self, Refusal, RequestHead};
use super::reader::BodyReader;
use super::send::{SendError, Sender};
use super::tunnel::{Flow, Tunnel};
use super::write::{self, BodyFraming, Signature};
use crate::ConnectionInfo;
use crate::body::Body;
use crate::buffer::WriteBuffer;
use crate::message::{Response, Version};
use crate::name;
use crate::server::{Finish, ServerSettings, Service};
use crate::timer;

/// How long a connection that has just been answered keeps what it works with, before it waits as a small one.
const WARM: Duration = Duration::from_secs(1);
/// How many connections of a worker do so at a time: memory that many had at once is hardly ever given back.
const MOST_WARM: usize = 256;
/// How much is read of a client that goes on sending after its last answer.
const LINGERED: u64 = 64 * 1024 * 1024;

/// Waits for the first request of a connection; `false` when none comes.
pub(crate) async fn wait_for_first(shared: &RefCell<Connection>, within: Duration) -> bool {
    shared.borrow().read_timer.arm_idle(within);
    first_byte(shared).await
}

/// Waits for a byte, holding no buffer.
async fn first_byte(shared: &RefCell<Connection>) -> bool {
    std::future::poll_fn(|cx| {
        let mut this = shared.borrow_mut();
        if !this.buffer.is_empty() {
            return Poll::Ready(true);
        }
        this.poll_read(cx)
    })
    .await
}

/// Bounds what is read until the timer is armed again.
pub(crate) fn allow(shared: &RefCell<Connection>, within: Duration) {
    shared.borrow().read_timer.arm(within);
}

/// Reads on; `false` when there is nothing more, or the time is over.
pub(crate) async fn read_more(shared: &RefCell<Connection>) -> bool {
    std::future::poll_fn(|cx| shared.borrow_mut().poll_read(cx)).await
}

/// Serves requests until the connection ends.
pub(crate) async fn serve<S: Service>(
    shared: Shared,
    connection: Rc<ConnectionInfo>,
    service: Rc<S>,
    settings: Rc<ServerSettings>,
) {
    {
        let mut this = shared.borrow_mut();
        this.patience.set(settings.send_timeout);
        this.pipelined = settings.max_pipelined;
        this.requests_left = settings.max_requests;
    }
    loop {
        // The exchange is boxed so that an idle connection is a small future.
        let exchange =
            Exchange { shared: &shared, connection: &connection, service: &service, settings: &settings };
        if !Box::pin(exchange.run()).await {
            return;
        }
        shared.borrow().read_timer.arm_idle_now(settings.idle_timeout);
        if !first_byte(&shared).await {
            // Whoever has TLS is to know that nothing was cut off (RFC 9112 §9.8).
            std::future::poll_fn(|cx| shared.borrow_mut().poll_farewell(cx)).await;
            return;
        }
    }
}

thread_local! {
    static WARM_NOW: Cell<usize> = const { Cell::new(0) };
}

/// A place among the connections that stay warm, given back when it is dropped.
struct Warm;

impl Warm {
    fn take() -> Option<Self> {
        let count = WARM_NOW.get();
        (count < MOST_WARM).then(|| {
            WARM_NOW.set(count + 1);
            Self
        })
    }
}

impl Drop for Warm {
    fn drop(&mut self) {
        WARM_NOW.set(WARM_NOW.get() - 1);
    }
}

/// A request that was taken in, and what its answer has to go by.
struct Taken<S: Service> {
    finish: Finish<S>,
    is_head: bool,
    version: Version,
    /// Whether the client would keep the connection.
    keep_alive: bool,
}

/// One burst of requests: as long as there are bytes in the buffer.
struct Exchange<'a, S: Service> {
    shared: &'a Shared,
    connection: &'a Rc<ConnectionInfo>,
    service: &'a Rc<S>,
    settings: &'a ServerSettings,
}

impl<S: Service> Exchange<'_, S> {
    /// Answers what there is; `false` when the connection is over.
    async fn run(&self) -> bool {
        // A request has its place here: it is too large to be handed on from one to the other.
        let mut taken = None;
        loop {
            let keep = match self.take(&mut taken).await {
                Ok(true) => self.answer(&mut taken).await,
                Ok(false) => false,
                Err(refusal) => {
                    self.refuse(refusal).await;
                    false
                }
            };
            if !keep {
                return false;
            }
            if !self.is_followed().await {
                return true;
            }
        }
    }

    /// Whether another request begins soon. Where none does, the connection waits outside, or ends there.
    async fn is_followed(&self) -> bool {
        {
            let mut this = self.shared.borrow_mut();
            if !this.buffer.is_empty() {
                return true;
            }
            this.buffer.reset();
            this.read_timer.arm_idle_now(WARM.min(self.settings.idle_timeout));
        }
        let Some(_warm) = Warm::take() else { return false };
        first_byte(self.shared).await
    }

    /// Takes the next request in; `false` when the client went away or took too long.
    async fn take(&self, taken: &mut Option<Taken<S>>) -> Result<bool, Refusal> {
        let (mut is_armed, mut parsed) = (false, 0);
        let max = self.settings.max_head;
        let too_large =
            Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "request head is too large");
        std::future::poll_fn(|cx| {
            let mut this = self.shared.borrow_mut();
            loop {
                if parse::may_be_whole(this.buffer.data(), parsed) {
                    if let Some(head) = parse::request(this.buffer.data(), &self.settings.limits)? {
                        this.buffer.consume(head.len);
                        if head.len > max {
                            return Poll::Ready(Err(too_large));
                        }
                        drop(this);
                        *taken = Some(self.begin(head)?);
                        return Poll::Ready(Ok(true));
                    }
                    parsed = this.buffer.len();
                }
                if this.buffer.len() >= max || this.buffer.is_full() {
                    return Poll::Ready(Err(too_large));
                }
                if !std::mem::replace(&mut is_armed, true) {
                    this.read_timer.arm(self.settings.head_timeout);
                }
                if !ready!(this.poll_read(cx)) {
                    return Poll::Ready(Ok(false));
                }
            }
        })
        .await
    }

    async fn refuse(&self, refusal: Refusal) {
        let (response, under_way) = self.service.refuse(self.connection, refusal.status, refusal.reason);
        let mut finish = Finish::new(self.service, under_way);
        self.respond(response, false, Version::Http11, false, &mut finish).await;
        drop(finish);
        self.linger().await;
    }

    /// Begins what its head asks for, with its body behind it.
    fn begin(&self, head: RequestHead) -> Result<Taken<S>, Refusal> {
        let RequestHead { mut request, framing, keep_alive, expects_continue, len, .. } = head;
        if framing.length().is_some_and(|length| length > self.settings.max_body) {
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "request body is too large"));
        }
        request.head_bytes = u32::try_from(len).unwrap_or(u32::MAX);
        if request.version == Version::Http11 {
            request.interims = Some(Interims::new(self.shared));
        }
        if !framing.is_done() {
            if expects_continue && self.settings.passes_expect {
                // The name and the value are ours.
                let _ = request.headers.append(name::EXPECT, b"100-continue");
            }
            let mut this = self.shared.borrow_mut();
            this.declared = framing.length();
            this.reader = BodyReader::new(framing);
            let by = if self.settings.passes_expect { Continue::Upstream } else { Continue::Ours };
            this.awaited = expects_continue.then_some(by);
            request.body = Body::request(RequestBody::lend(&mut this, self.shared, self.settings));
        }
        let (is_head, version) = (request.method == Method::HEAD, request.version);
        let finish = Finish::new(self.service, self.service.begin(self.connection, request));
        Ok(Taken { finish, is_head, version, keep_alive })
    }

    /// Has a request answered; `false` when the connection is over.
    async fn answer(&self, place: &mut Option<Taken<S>>) -> bool {
        let Some(Taken { finish, is_head, version, keep_alive }) = place else { return false };
        // All requests that are there are read before any of them is passed on: that wakes the peer, which then wants
        // the processor, and several in a row wake it once.
        to_the_back().await;
        let response = {
            let mut answer = std::pin::pin!(self.service.answer(&mut finish.under_way));
            let answered = std::future::poll_fn(|cx| match answer.as_mut().poll(cx) {
                Poll::Ready(response) => Poll::Ready(Some(response)),
                Poll::Pending => self.shared.borrow_mut().poll_idle(cx).map(|()| None),
            });
            answered.await
        };
        // A client that went away frees the upstream too.
        let Some(mut response) = response else { return false };
        if let Some(upgraded) = response.upgraded.take() {
            Box::pin(self.switch(response, *upgraded, finish)).await;
            return false;
        }
        let is_lent = self.shared.borrow().is_lent;
        if is_lent {
            drop(self.service.unread(&mut finish.under_way));
        }
        let keep_alive = *keep_alive
            && !self.settings.idle_timeout.is_zero()
            && !timer::is_draining()
            && self.shared.borrow_mut().may_go_on(&response.body);
        let is_kept = self.respond(response, *is_head, *version, keep_alive, finish).await;
        let is_complete = finish.outcome.is_complete;
        *place = None;
        if !is_complete {
            return false;
        }
        // A body that somebody still holds would read what belongs to the next request.
        let is_free = !self.shared.borrow().is_lent;
        let goes_on = is_kept && is_free && self.drain_body().await;
        if !goes_on {
            self.linger().await;
        }
        goes_on
    }

    /// Writes an answer; `true` when the connection can go on as far as the answer is concerned.
    async fn respond(
        &self,
        mut response: Response,
        is_head: bool,
        version: Version,
        keep_alive: bool,
        finish: &mut Finish<S>,
    ) -> bool {
        finish.outcome.status = response.status;
        let body = std::mem::take(&mut response.body);
        let (framing, has_body) = response_framing(&response, &body, is_head, version);
        // A client that still waits for "100 Continue" may not send its body at all any more, or may.
        let is_clear = {
            let this = &mut *self.shared.borrow_mut();
            let has_all = !this.is_lent && this.reader.is_done();
            this.awaited.take().is_none() || has_all
        };
        let keep_alive = keep_alive && framing != BodyFraming::UntilClose && is_clear;
        let mut out = self.begin_answer();
        let connection = match version {
            Version::Http10 if keep_alive => Some("keep-alive"),
            _ if keep_alive => None,
            _ => Some("close"),
        };
        let ServerSettings { server, alt_svc, .. } = self.settings;
        let signature =
            Signature { server: server.as_deref(), alt_svc: alt_svc.as_deref(), connection, upgrade: None };
        write::response(out.bytes(), &response, framing, &signature);
        finish.outcome.head_bytes = u32::try_from(out.len()).unwrap_or(u32::MAX);
        drop(response);
        let framing = if has_body { framing } else { BodyFraming::None };
        let body = if has_body { body } else { Body::empty() };
        let mut sender = Sender::new(out, body, framing);
        let mut wire = &**self.shared;
        let mut has_waited = false;
        let sent = std::future::poll_fn(|cx| match sender.poll_send(&mut wire, cx) {
            Poll::Ready(sent) => {
                if matches!(sent, Err(SendError::Body(_))) && framing == BodyFraming::UntilClose {
                    self.shared.borrow().stream.reset_when_closed();
                }
                Poll::Ready(sent.map_err(SendError::report).is_ok())
            }
            Poll::Pending => {
                has_waited = true;
                self.shared.borrow_mut().poll_gone(cx).map(|()| false)
            }
        });
        let is_sent = sent.await;
        if has_waited {
            // What follows must not reckon from before the wait.
            clock::now();
        }
        finish.outcome.body_bytes = sender.body_bytes();
        finish.outcome.is_complete = is_sent;
        drop(sender.into_body());
        keep_alive && is_sent
    }

    /// What is written of an answer first: the interim ones before it, as far as they are not out.
    fn begin_answer(&self) -> WriteBuffer {
        let mut out = WriteBuffer::new();
        let this = &mut *self.shared.borrow_mut();
        if !this.outbox.is_empty() {
            out.bytes().append(&mut this.outbox);
        }
        out
    }

    /// Tells the client that the upstream goes over to what it asked for, and then stands aside.
    async fn switch(&self, response: Response, upgraded: Upgraded, finish: &mut Finish<S>) {
        finish.outcome.status = response.status;
        let (mut link, upgrade, patience) = upgraded.into_tunnel();
        let mut out = self.begin_answer();
        let signature = Signature {
            server: self.settings.server.as_deref(),
            alt_svc: None,
            connection: Some("upgrade"),
            upgrade: upgrade.as_deref(),
        };
        write::response(out.bytes(), &response, BodyFraming::None, &signature);
        let mut sender = Sender::new(out, Body::empty(), BodyFraming::None);
        let mut wire = &**self.shared;
        if std::future::poll_fn(|cx| sender.poll_send(&mut wire, cx)).await.is_err() {
            return;
        }
        let buffer = std::mem::take(&mut self.shared.borrow_mut().buffer);
        let (up, down) = (Flow::new(buffer), Flow::new(std::mem::take(&mut link.buffer)));
        let mut tunnel = Tunnel { up, down, patience };
        link.read_timer.arm(patience);
        let both_ended = std::future::poll_fn(|cx| {
            let client = &mut *self.shared.borrow_mut();
            tunnel.poll(&mut client.stream, &mut link.stream, &link.read_timer, cx)
        });
        finish.outcome.is_complete = both_ended.await;
        clock::now();
        finish.outcome.body_bytes = tunnel.down.passed();
    }

    /// Reads what is left of the request's body, within bounds; `false` when it is not worth it.
    async fn drain_body(&self) -> bool {
        let left = {
            let this = self.shared.borrow();
            if this.is_lost || this.reader.is_done() {
                return !this.is_lost;
            }
            this.read_timer.arm(self.settings.linger_timeout);
            this.reader.length()
        };
        if left.is_some_and(|left| left > DRAINED) {
            return false;
        }
        let mut budget = DRAINED;
        std::future::poll_fn(|cx| {
            let this = &mut *self.shared.borrow_mut();
            loop {
                match this.reader.look(&mut this.buffer) {
                    Ok(Some(false)) => return Poll::Ready(true),
                    Ok(Some(true)) => {
                        let count = this.reader.available();
                        this.reader.consume(&mut this.buffer, count);
                        budget = budget.saturating_sub(count as u64);
                    }
                    Ok(None) if budget > 0 => {
                        if !ready!(this.poll_read(cx)) {
                            return Poll::Ready(false);
                        }
                    }
                    Ok(None) | Err(_) => return Poll::Ready(false),
                }
            }
        })
        .await
    }

    /// Closes so that the client sees the answer: a socket closed over unread bytes is reset, and a reset takes
    /// what was sent away again (RFC 9112 §9.6).
    async fn linger(&self) {
        self.shared.borrow().read_timer.arm(self.settings.linger_timeout);
        let shut = std::future::poll_fn(|cx| {
            let this = &mut *self.shared.borrow_mut();
            match Pin::new(&mut this.stream).poll_shutdown(cx) {
                Poll::Ready(result) => Poll::Ready(result.is_ok()),
                Poll::Pending => this.read_timer.poll(cx).map(|()| false),
            }
        });
        if !shut.await {
            return;
        }
        let mut budget = LINGERED;
        std::future::poll_fn(|cx| {
            let mut this = self.shared.borrow_mut();
            while budget > 0 {
                let count = this.buffer.len();
                this.buffer.consume(count);
                if !ready!(this.poll_read(cx)) {
                    break;
                }
                budget = budget.saturating_sub(this.buffer.len() as u64);
            }
            Poll::Ready(())
        })
        .await;
    }
}

/// Lets the tasks that are ready run before this one goes on. Unlike `yield_now` it does not have the poller asked in
/// between: that would be a system call for a request that is alone.
async fn to_the_back() {
    let mut is_there = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut is_there, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// How an answer's body is framed, and whether it goes out at all (RFC 9110 §6.4.1).
fn response_framing(
    response: &Response,
    body: &Body,
    is_head: bool,
    version: Version,
) -> (BodyFraming, bool) {
    let status = response.status;
    if status.is_informational() || status == StatusCode::NO_CONTENT {
        return (BodyFraming::None, false);
    }
    if is_head || status == StatusCode::NOT_MODIFIED {
        let length = response.declared_length.or_else(|| body.length().filter(|_| !body.is_empty()));
        return (length.map_or(BodyFraming::None, BodyFraming::Length), false);
    }
    if status == StatusCode::RESET_CONTENT {
        // It has no content, whatever an upstream thinks (RFC 9110 §15.3.6).
        return (BodyFraming::Length(0), false);
    }
    match body.length() {
        Some(length) => (BodyFraming::Length(length), true),
        None if version == Version::Http10 => (BodyFraming::UntilClose, true),
        None => (BodyFraming::Chunked, true),
    }
}
