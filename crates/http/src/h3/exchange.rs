//! One request of an HTTP/3 connection, and its answer.

use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use h3::error::{Code, StreamError};
use h3::server::{RequestResolver, RequestStream};
use http::{Method, StatusCode};

use super::incoming::IncomingBody;
use super::quic::{Connection, SendStream, Stopped};
use super::server::Active;
use crate::ConnectionInfo;
use crate::body::{Body, BodyStream as _};
use crate::error::{BodyError, BodyErrorKind, Fault};
use crate::h1;
use crate::h1::parse::Refusal;
use crate::h2::{Interims, convert};
use crate::message::{Request, Response, Version};
use crate::name;
use crate::server::{Finish, ServerSettings, Service};
use crate::timer::{self, Timer};

/// How much of an answer is handed on at a time.
const PIECE: usize = 32 * 1024;

/// One request and its answer.
pub(super) struct Exchange<S: Service> {
    pub(super) info: Rc<ConnectionInfo>,
    pub(super) service: Rc<S>,
    pub(super) settings: Rc<ServerSettings>,
    pub(super) active: Active,
    pub(super) stopped: Stopped,
}

type Sender = RequestStream<SendStream<Bytes>, Bytes>;

/// What happens while an answer is made.
enum Step {
    Answer(Response),
    /// There is something to say before it.
    Interims(Vec<http::Response<()>>),
    /// The client has given up.
    Gone,
}

/// Why an answer broke off.
enum Stopping {
    Body(BodyError),
    /// The client took nothing for too long, wants no more, or is gone.
    Closed,
}

impl<S: Service> Exchange<S> {
    pub(super) async fn run(mut self, head: RequestResolver<Connection, Bytes>) {
        let resolved = timer::within(self.settings.head_timeout, pin!(head.resolve_request())).await;
        let Some(Ok((request, stream))) = resolved else { return };
        let (send, recv) = stream.split();
        let (parts, ()) = request.into_parts();
        let length = convert::length(&parts.headers);
        let expects_continue = convert::expects_continue(&parts.headers);
        let method = parts.method.clone();
        let mut request = match convert::request(parts, &self.settings.limits) {
            Ok(_) if length.is_some_and(|length| length > self.settings.max_body) => {
                let refusal = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "request body is too large");
                return self.refuse(send, refusal).await;
            }
            Ok(request) => request,
            Err(refusal) => return self.refuse(send, refusal).await,
        };
        request.version = Version::Http3;
        let interims = Rc::new(if expects_continue { Interims::awaiting() } else { Interims::default() });
        request.interims = Some(h1::Interims::Http2(interims.clone()));
        if expects_continue && self.settings.passes_expect {
            // The name and the value are ours.
            let _ = request.headers.append(name::EXPECT, b"100-continue");
        }
        let body = IncomingBody::new(recv, length, &self.settings, interims.clone());
        match first_of(body, &request).await {
            Some(body) => request.body = body,
            None => return,
        }
        let under_way = self.service.begin(&self.info, request);
        let mut finish = Finish::new(&self.service, under_way);
        let mut send = send;
        if let Some(response) = self.answer(&mut send, &interims, &mut finish).await {
            self.respond(send, response, &method, &mut finish).await;
        }
    }

    /// Has a request answered; `None` where the client gave up on it.
    async fn answer(
        &mut self,
        send: &mut Sender,
        interims: &Interims,
        finish: &mut Finish<S>,
    ) -> Option<Response> {
        let continues = !self.settings.passes_expect;
        let mut answer = pin!(self.service.answer(&mut finish.under_way));
        loop {
            let step = std::future::poll_fn(|cx| {
                if let Poll::Ready(response) = answer.as_mut().poll(cx) {
                    return Poll::Ready(Step::Answer(response));
                }
                let waiting = interims.take(continues);
                if !waiting.is_empty() {
                    return Poll::Ready(Step::Interims(waiting));
                }
                self.stopped.as_mut().poll(cx).map(|()| Step::Gone)
            });
            match step.await {
                Step::Answer(response) => return Some(response),
                Step::Gone => return None,
                Step::Interims(heads) => {
                    for head in heads {
                        // A client that is gone shows with the answer.
                        let _ = send.send_response(head).await;
                    }
                }
            }
        }
    }

    async fn refuse(&mut self, send: Sender, refusal: Refusal) {
        let (response, under_way) = self.service.refuse(&self.info, refusal.status, refusal.reason);
        let mut finish = Finish::new(&self.service, under_way);
        self.respond(send, response, &Method::GET, &mut finish).await;
    }

    async fn respond(
        &mut self,
        mut send: Sender,
        mut response: Response,
        method: &Method,
        finish: &mut Finish<S>,
    ) {
        finish.outcome.status = response.status;
        let mut body = std::mem::take(&mut response.body);
        let has_none = response.has_no_content(method);
        let declared =
            response.declared_length.or_else(|| body.length().filter(|_| !has_none || !body.is_empty()));
        let says_length = !matches!(response.status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
        let length = declared.filter(|_| says_length);
        let ends = has_none || (body.length() == Some(0) && !body.may_have_trailers());
        let head = convert::response(&response, length, self.settings.server.as_deref());
        drop(response);
        let mut result = self.within(&mut body, send.send_response(head)).await;
        if result.is_ok() && !ends {
            result = self.send(&mut send, &mut body, length, &mut finish.outcome.body_bytes).await;
        }
        if result.is_ok() {
            result = self.within(&mut body, send.finish()).await;
        }
        match result {
            Ok(()) => {
                finish.outcome.is_complete = true;
                self.active.has_answered();
            }
            Err(Stopping::Body(error)) => {
                send.stop_stream(Code::H3_INTERNAL_ERROR);
                error.report();
            }
            Err(Stopping::Closed) => send.stop_stream(Code::H3_REQUEST_CANCELLED),
        }
    }

    /// Sends a body, of a declared length or of any, and its trailers.
    async fn send(
        &mut self,
        send: &mut Sender,
        body: &mut Body,
        mut left: Option<u64>,
        count: &mut u64,
    ) -> Result<(), Stopping> {
        let wrong = || Stopping::Body(BodyError::new(Fault::Gateway, BodyErrorKind::Length));
        loop {
            let has_data = std::future::poll_fn(|cx| match body.poll_ready(cx) {
                Poll::Ready(polled) => Poll::Ready(polled.map_err(Stopping::Body)),
                Poll::Pending => self.stopped.as_mut().poll(cx).map(|()| Err(Stopping::Closed)),
            });
            if !has_data.await? {
                break;
            }
            let data = body.data();
            let piece = Bytes::copy_from_slice(&data[..data.len().min(PIECE)]);
            let taken = piece.len();
            if let Some(left) = &mut left {
                *left = left.checked_sub(taken as u64).ok_or_else(wrong)?;
            }
            body.consume(taken);
            self.within(body, send.send_data(piece)).await?;
            *count += taken as u64;
        }
        if left.is_some_and(|left| left > 0) {
            return Err(wrong());
        }
        match body.trailers().map(|trailers| convert::trailer_map(&trailers)) {
            Some(trailers) if !trailers.is_empty() => self.within(body, send.send_trailers(trailers)).await,
            _ => Ok(()),
        }
    }

    /// Waits for something to be sent; meanwhile the upload that the answer carries goes on.
    async fn within(
        &self,
        body: &mut Body,
        sending: impl Future<Output = Result<(), StreamError>>,
    ) -> Result<(), Stopping> {
        let mut sending = pin!(sending);
        let mut stall = None;
        std::future::poll_fn(|cx| {
            if let Poll::Ready(sent) = sending.as_mut().poll(cx) {
                return Poll::Ready(sent.map_err(|_| Stopping::Closed));
            }
            let _ = body.poll_upload(cx);
            let stall = stall.get_or_insert_with(|| {
                let timer = Timer::new();
                timer.arm(self.settings.send_timeout);
                timer
            });
            stall.poll(cx).map(|()| Err(Stopping::Closed))
        })
        .await
    }
}

/// A request's body. That there is none may show only after the head: methods that as a rule have none wait for that.
/// `None` where the client went away meanwhile.
async fn first_of(mut body: IncomingBody, request: &Request) -> Option<Body> {
    if body.length().is_some() {
        return Some(Body::stream(body));
    }
    let waits = matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS | Method::DELETE);
    let first = std::future::poll_fn(|cx| match body.poll_ready(cx) {
        Poll::Pending if !waits => Poll::Ready(None),
        polled => polled.map(Some),
    });
    match first.await {
        Some(Ok(false)) if !body.has_trailers() => Some(Body::empty()),
        Some(Err(_)) if waits => None,
        _ => Some(Body::stream(body)),
    }
}
