//! One request of an HTTP/2 connection, and its answer.

use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{Method, StatusCode};
use lockgate_telemetry::clock;

use super::convert;
use super::guard::Meter;
use super::incoming::IncomingBody;
use super::interim::Interims;
use super::outflow::{Outflow, Stopped};
use super::server::Active;
use crate::ConnectionInfo;
use crate::body::Body;
use crate::h1;
use crate::h1::parse::Refusal;
use crate::message::Response;
use crate::name;
use crate::server::{Finish, ServerSettings, Service};
use crate::websocket::Handshake;

/// One request and its answer.
pub(super) struct Exchange<S: Service> {
    pub(super) info: Rc<ConnectionInfo>,
    pub(super) service: Rc<S>,
    pub(super) settings: Rc<ServerSettings>,
    pub(super) meter: Rc<Meter>,
    pub(super) _active: Active,
}

impl<S: Service> Exchange<S> {
    pub(super) async fn run(self, request: http::Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let (parts, stream) = request.into_parts();
        let length = convert::length(&parts.headers);
        let expects_continue = convert::expects_continue(&parts.headers);
        let method = parts.method.clone();
        let mut request = match convert::request(parts, &self.settings.limits) {
            Ok(_) if length.is_some_and(|length| length > self.settings.max_body) => {
                let refusal = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "request body is too large");
                return self.refuse(respond, refusal).await;
            }
            Ok(request) => request,
            Err(refusal) => return self.refuse(respond, refusal).await,
        };
        let is_tunnel = method == Method::CONNECT;
        let awaits = expects_continue && !is_tunnel && !stream.is_end_stream();
        let interims = Rc::new(if awaits { Interims::awaiting() } else { Interims::default() });
        request.interims = Some(h1::Interims::Http2(interims.clone()));
        if awaits && self.settings.passes_expect {
            // The name and the value are ours.
            let _ = request.headers.append(name::EXPECT, b"100-continue");
        }
        let mut tunnel = None;
        if is_tunnel {
            let handshake = match Handshake::begin(&mut request) {
                Ok(handshake) => handshake,
                Err(refusal) => return self.refuse(respond, refusal).await,
            };
            let client = IncomingBody::new(stream, None, &self.settings, interims.clone()).endless();
            tunnel = Some((handshake, Body::h2(client)));
        } else if !stream.is_end_stream() {
            request.body = Body::h2(IncomingBody::new(stream, length, &self.settings, interims.clone()));
        }
        let mut finish = Finish::new(&self.service, self.service.begin(&self.info, request));
        let Some(response) = self.answer(&mut respond, &interims, &mut finish).await else { return };
        let (response, silence) = match tunnel {
            Some((handshake, client)) => handshake.finish(response, client),
            None => (response, None),
        };
        self.respond(respond, response, &method, silence, &mut finish).await;
    }

    /// Has a request answered; `None` where the client gave up on it.
    async fn answer(
        &self,
        respond: &mut SendResponse<Bytes>,
        interims: &Interims,
        finish: &mut Finish<S>,
    ) -> Option<Response> {
        let mut answer = std::pin::pin!(self.service.answer(&mut finish.under_way));
        let answered = std::future::poll_fn(|cx| {
            let answered = answer.as_mut().poll(cx);
            interims.send(respond, answered.is_pending() && !self.settings.passes_expect);
            if let Poll::Ready(response) = answered {
                return Poll::Ready(Some(response));
            }
            // A client that gave up frees the upstream too.
            respond.poll_reset(cx).map(|_| None)
        });
        answered.await
    }

    async fn refuse(&self, respond: SendResponse<Bytes>, refusal: Refusal) {
        let (response, under_way) = self.service.refuse(&self.info, refusal.status, refusal.reason);
        let mut finish = Finish::new(&self.service, under_way);
        self.respond(respond, response, &Method::GET, None, &mut finish).await;
    }

    /// Sends an answer; of a tunnel `silence` is the longest one in it.
    async fn respond(
        &self,
        mut respond: SendResponse<Bytes>,
        mut response: Response,
        method: &Method,
        silence: Option<Duration>,
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
        let mut head = convert::response(&response, length, self.settings.server.as_deref());
        if let Some(alt_svc) = &self.settings.alt_svc {
            convert::append(head.headers_mut(), "alt-svc", alt_svc.as_bytes());
        }
        drop(response);
        let Ok(stream) = respond.send_response(head, ends) else {
            return;
        };
        let mut outflow = Outflow::new(stream, length, silence.unwrap_or(self.settings.send_timeout));
        let sent = if ends { Ok(()) } else { self.send(&mut outflow, &mut body).await };
        finish.outcome.body_bytes = outflow.sent();
        match sent {
            Ok(()) => {
                // What follows must not reckon from before the wait.
                clock::now();
                finish.outcome.is_complete = true;
                self.meter.has_answered();
            }
            // RFC 8441 §5: a tunnel that broke is cancelled.
            Err(_) if silence.is_some() => outflow.reset(Reason::CANCEL),
            Err(stopped) => {
                outflow.reset(stopped.reason());
                if let Stopped::Body(error) = stopped {
                    error.report();
                }
            }
        }
        if silence.is_some() {
            // The upstream has ended its side; the client may still send.
            std::future::poll_fn(|cx| body.poll_upload(cx)).await;
        }
    }

    async fn send(&self, outflow: &mut Outflow, body: &mut Body) -> Result<(), Stopped> {
        std::future::poll_fn(|cx| {
            let before = outflow.sent();
            let result = outflow.poll(body, cx);
            let count = outflow.sent() - before;
            if count > 0 {
                self.meter.has_sent(count);
            }
            result
        })
        .await
    }
}
