//! A request on a shared connection, and its response: both are moved by the task that asked.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Method};
use lockgate_telemetry::clock::{self, Moment};

use super::head;
use super::lines::Slot;
use super::upload::{Silence, Upload};
use crate::body::Body;
use crate::client::Timeouts;
use crate::error::{BodyError, BodyErrorKind, ClientError, Fault};
use crate::h1;
use crate::h1::write::BodyFraming;
use crate::h2::convert;
use crate::h2::outflow::Outflow;
use crate::headers::Headers;
use crate::limits::of_answers;
use crate::message::Response;

/// How many interim responses a request may get.
const MAX_INTERIM: usize = 16;
/// A round trip to a far peer.
const ROUND_TRIP: Duration = Duration::from_millis(500);

/// A request under way, and the wait for its response.
pub(super) struct Exchange {
    /// `None` where the connection took no request any more.
    stream: Option<(ResponseFuture, Upload)>,
    refusal: Option<h2::Error>,
    unsent: Option<Body>,
    slot: Slot,
    silence: Silence,
    method: Method,
    begun: Moment,
    interims: usize,
    passes_on: Option<h1::Interims>,
    /// Frames the peer had sent when it was asked.
    heard: u64,
}

/// An exchange that failed.
pub(super) struct Failure {
    pub(super) error: ClientError,
    /// Whether the request may be sent again.
    pub(super) may_repeat: bool,
    /// The body, where it is whole.
    pub(super) unused: Option<Body>,
}

impl Exchange {
    pub(super) fn begin(
        mut slot: Slot,
        request: http::Request<()>,
        body: Body,
        framing: BodyFraming,
        passes_on: Option<h1::Interims>,
        timeouts: &Timeouts,
    ) -> Self {
        let method = request.method().clone();
        let length = match framing {
            BodyFraming::Length(length) => Some(length),
            BodyFraming::None => Some(0),
            BodyFraming::Chunked | BodyFraming::UntilClose => None,
        };
        let ends = length == Some(0) && !body.may_have_trailers();
        let (mut refusal, mut unsent, mut stream) = (None, None, None);
        match slot.sender.send_request(request, ends) {
            Ok((response, outflow)) => {
                let outflow = (!ends).then(|| {
                    let mut outflow = Outflow::new(outflow, length, timeouts.send);
                    outflow.keep();
                    outflow
                });
                stream = Some((response, Upload { outflow, body, sent: Some(Vec::new()) }));
            }
            Err(error) => (refusal, unsent) = (Some(error), Some(body)),
        }
        let silence = Silence { timer: None, is_armed: false, within: timeouts.read };
        let heard = slot.meter().frames();
        Self {
            heard,
            stream,
            refusal,
            unsent,
            slot,
            silence,
            method,
            begun: clock::recent(),
            interims: 0,
            passes_on,
        }
    }

    /// Sends the request and reads the head of its response.
    pub(super) async fn response(mut self) -> Result<Response, Failure> {
        let head = match std::future::poll_fn(|cx| self.poll_head(cx)).await {
            Ok(response) => response,
            Err(error) => return Err(self.into_failure(error)),
        };
        let peer = self.slot.label();
        let mut response = self.into_response(head);
        // One that says it has no content is passed on when it has none (RFC 9113 §8.1.1): its head alone looks whole.
        if response.body.length() == Some(0)
            && !matches!(std::future::poll_fn(|cx| response.body.poll_ready(cx)).await, Ok(false))
        {
            let error = ClientError::Malformed { peer, reason: "content beyond its length" };
            return Err(Failure { error, may_repeat: false, unused: None });
        }
        Ok(response)
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<http::Response<RecvStream>, ClientError>> {
        let Some((response, upload)) = &mut self.stream else {
            let error = self.refusal.take().unwrap_or_else(|| Reason::REFUSED_STREAM.into());
            return Poll::Ready(Err(self.explain(&error)));
        };
        upload.poll(self.slot.meter(), cx).map_err(ClientError::RequestBody)?;
        let mut is_switch = false;
        while let Poll::Ready(Some(Ok(interim))) = response.poll_informational(cx) {
            self.interims += 1;
            // RFC 9113 §8.6: there is nothing to go over to.
            is_switch |= interim.status() == http::StatusCode::SWITCHING_PROTOCOLS;
            if self.interims > MAX_INTERIM || is_switch {
                break;
            }
            if let Some(passes_on) = &self.passes_on {
                passes_on.pass_on(&head::response(&interim.into_parts().0));
            }
        }
        if is_switch {
            return Poll::Ready(Err(self.malformed("101 has no meaning in HTTP/2")));
        }
        if self.interims > MAX_INTERIM {
            return Poll::Ready(Err(self.malformed("too many interim responses")));
        }
        match std::pin::Pin::new(response).poll(cx) {
            Poll::Ready(Ok(response)) => Poll::Ready(match head::check(response.headers()) {
                Ok(()) => Ok(response),
                Err(reason) => Err(self.malformed(reason)),
            }),
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.explain(&error))),
            Poll::Pending => {
                // The wait for an answer begins when the request is out.
                if !upload.is_over() {
                    return Poll::Pending;
                }
                ready!(self.silence.poll(cx));
                if self.slot.meter().frames() == self.heard {
                    // Nothing came for anybody: the connection is likely to be dead, and not the request's fault.
                    self.slot.retire();
                }
                Poll::Ready(Err(ClientError::Timeout { peer: self.slot.label() }))
            }
        }
    }

    fn malformed(&self, reason: &'static str) -> ClientError {
        ClientError::Malformed { peer: self.slot.label(), reason }
    }

    /// RFC 9113 §8.7: a stream that was refused, or stands above the last one of a GOAWAY, was not looked at.
    fn explain(&self, error: &h2::Error) -> ClientError {
        let peer = self.slot.label();
        if self.slot.meter().fault().is_some() {
            return self.malformed("too many frames that move no message");
        }
        let reason = error.reason().unwrap_or(Reason::NO_ERROR);
        if error.is_remote() && error.is_go_away() {
            self.slot.retire();
            return ClientError::Refused { peer };
        }
        match reason {
            _ if error.is_io() => ClientError::Closed { peer, untouched: self.interims == 0 },
            Reason::REFUSED_STREAM if error.is_remote() || self.stream.is_none() => {
                ClientError::Refused { peer }
            }
            _ if error.is_remote() => ClientError::Reset { peer, reason: name_of(reason) },
            _ if self.stream.is_none() => ClientError::Refused { peer },
            _ => ClientError::Malformed { peer, reason: name_of(reason) },
        }
    }

    fn into_failure(mut self, error: ClientError) -> Failure {
        let may_repeat = match &error {
            ClientError::Refused { .. } => true,
            // As with HTTP/1.1: a connection that closed while the request was on its way to it.
            ClientError::Closed { untouched: true, .. } => {
                self.slot.was_idle
                    && (self.method.is_idempotent() || clock::now().duration_since(self.begun) < ROUND_TRIP)
            }
            _ => false,
        };
        let unused = match self.stream {
            None => self.unsent.take(),
            Some((_, upload)) => upload.into_whole(),
        };
        Failure { error, may_repeat, unused }
    }

    fn into_response(self, response: http::Response<RecvStream>) -> Response {
        let (parts, stream) = response.into_parts();
        let declared = convert::length(&parts.headers);
        let mut response = head::response(&parts);
        if stream.is_end_stream() {
            let has_none = self.method == Method::HEAD || response.status == http::StatusCode::NOT_MODIFIED;
            response.declared_length = declared.filter(|_| has_none);
            // What is left of an upload is not wanted any more.
            return response;
        }
        let Some((_, mut upload)) = self.stream else { return response };
        upload.sent = None;
        if let Some(outflow) = &mut upload.outflow {
            outflow.take_kept();
        }
        let mut silence = self.silence;
        silence.is_armed = false;
        response.body = Body::h2_response(ResponseBody {
            open: Some(Open { stream, upload, silence, slot: self.slot }),
            data: Bytes::new(),
            length: declared,
            trailers: None,
        });
        response
    }
}

/// The body of a response. It holds its place on the connection, and what is still to be sent of the request.
pub(crate) struct ResponseBody {
    open: Option<Open>,
    data: Bytes,
    length: Option<u64>,
    trailers: Option<Headers>,
}

struct Open {
    stream: RecvStream,
    upload: Upload,
    silence: Silence,
    slot: Slot,
}

impl ResponseBody {
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BodyError>> {
        let Some(open) = &mut self.open else {
            if self.data.is_empty() {
                self.length = Some(0);
            }
            return Poll::Ready(Ok(!self.data.is_empty()));
        };
        open.upload.poll(open.slot.meter(), cx)?;
        while self.data.is_empty() {
            match open.stream.poll_data(cx) {
                Poll::Ready(Some(Ok(data))) => self.data = data,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(broken(error))),
                Poll::Ready(None) => {
                    let Poll::Ready(fields) = open.stream.poll_trailers(cx) else {
                        return open.poll_silence(cx);
                    };
                    self.trailers = trailers(fields)?;
                    self.length = Some(0);
                    self.open = None;
                    return Poll::Ready(Ok(false));
                }
                Poll::Pending => return open.poll_silence(cx),
            }
            open.silence.is_armed = false;
        }
        self.poll_last(cx)
    }

    /// Holds back what would complete the declared length until the peer has ended the stream: what is longer than it
    /// says, or broken off, must not look whole to a client (RFC 9113 §8.1.1).
    fn poll_last(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BodyError>> {
        while self.length.is_some_and(|length| self.data.len() as u64 >= length) {
            let Some(open) = &mut self.open else { break };
            match open.stream.poll_data(cx) {
                Poll::Ready(None) => {
                    let Poll::Ready(fields) = open.stream.poll_trailers(cx) else {
                        return open.poll_silence(cx);
                    };
                    self.trailers = trailers(fields)?;
                    // Nobody will ask the stream any more.
                    let _ = open.stream.flow_control().release_capacity(self.data.len());
                    self.open = None;
                }
                Poll::Ready(Some(Ok(more))) if more.is_empty() => {}
                Poll::Ready(Some(Ok(_))) => {
                    return Poll::Ready(Err(BodyError::new(Fault::Upstream, BodyErrorKind::Length)));
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(broken(error))),
                Poll::Pending => return open.poll_silence(cx),
            }
        }
        Poll::Ready(Ok(true))
    }

    pub(crate) fn poll_upload(&mut self, cx: &mut Context<'_>) {
        if let Some(open) = &mut self.open {
            // A failure shows when the response is read.
            let _ = open.upload.poll(open.slot.meter(), cx);
        }
    }

    pub(crate) fn data(&self) -> &[u8] {
        &self.data
    }

    pub(crate) fn consume(&mut self, count: usize) {
        let count = count.min(self.data.len());
        self.data.advance(count);
        self.length = self.length.map(|length| length.saturating_sub(count as u64));
        if let Some(open) = &mut self.open {
            // It fails only on more than was received.
            let _ = open.stream.flow_control().release_capacity(count);
        }
    }

    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    pub(crate) fn trailers(&mut self) -> Option<Headers> {
        self.trailers.take()
    }
}

impl Open {
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BodyError>> {
        // A peer may read all of a request before it says more.
        if !self.upload.is_over() {
            return Poll::Pending;
        }
        ready!(self.silence.poll(cx));
        Poll::Ready(Err(BodyError::new(Fault::Upstream, BodyErrorKind::Timeout)))
    }
}

/// An error code as RFC 9113 §7 has it.
fn name_of(reason: Reason) -> &'static str {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    NAMES.get(u32::from(reason) as usize).copied().unwrap_or("an unknown error")
}

/// The trailers behind an answer, within the limits of what upstreams send.
fn trailers(fields: Result<Option<HeaderMap>, h2::Error>) -> Result<Option<Headers>, BodyError> {
    let Some(fields) = fields.map_err(broken)? else { return Ok(None) };
    let framing = |reason| BodyError::new(Fault::Upstream, BodyErrorKind::Framing(reason));
    convert::trailers(&fields, &of_answers().message).map(Some).map_err(framing)
}

fn broken(error: h2::Error) -> BodyError {
    let kind = error.into_io().map_or(BodyErrorKind::Truncated, BodyErrorKind::Io);
    BodyError::new(Fault::Upstream, kind)
}
