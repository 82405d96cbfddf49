//! The body of a request that came by HTTP/2.

use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use h2::RecvStream;

use super::convert;
use super::interim::Interims;
use crate::error::{BodyError, BodyErrorKind, Fault};
use crate::headers::Headers;
use crate::limits::Limits;
use crate::server::ServerSettings;
use crate::timer::Timer;

/// A request's body. What is used of it is granted to the client again, so a reader that is slow slows the client.
pub(crate) struct IncomingBody {
    stream: RecvStream,
    data: Bytes,
    trailers: Option<Headers>,
    length: Option<u64>,
    has_ended: bool,
    budget: u64,
    limits: Limits,
    timeout: Duration,
    /// Runs while there is nothing to read.
    silence: Option<Timer>,
    /// Told when somebody waits for data: a client that expects a 100 sends none before it.
    interims: Rc<Interims>,
}

impl IncomingBody {
    pub(super) fn new(
        stream: RecvStream,
        length: Option<u64>,
        settings: &ServerSettings,
        interims: Rc<Interims>,
    ) -> Self {
        Self {
            stream,
            data: Bytes::new(),
            trailers: None,
            length,
            has_ended: false,
            budget: settings.max_body,
            limits: settings.limits,
            timeout: settings.body_timeout,
            silence: None,
            interims,
        }
    }

    /// The same without an end: what a client sends into a tunnel is bounded by the tunnel.
    pub(super) fn endless(mut self) -> Self {
        (self.budget, self.timeout) = (u64::MAX, Duration::MAX);
        self
    }

    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BodyError>> {
        while self.data.is_empty() {
            if self.has_ended {
                return self.poll_end(cx);
            }
            match self.stream.poll_data(cx) {
                Poll::Ready(Some(Ok(data))) => self.data = data,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(broken(error))),
                Poll::Ready(None) => return self.poll_end(cx),
                Poll::Pending => return self.poll_silence(cx),
            }
            self.silence = None;
        }
        if self.data.len() as u64 > self.budget {
            return Poll::Ready(Err(BodyError::new(Fault::Client, BodyErrorKind::TooLarge)));
        }
        self.poll_last(cx)
    }

    /// Holds back what would complete the declared length until the client has ended the stream: what is longer
    /// than it says, or has malformed trailers, must not look whole to an upstream (RFC 9113 §8.1.1).
    fn poll_last(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BodyError>> {
        while !self.has_ended && self.length.is_some_and(|length| self.data.len() as u64 >= length) {
            match self.stream.poll_data(cx) {
                Poll::Ready(None) => {
                    let Poll::Ready(fields) = self.stream.poll_trailers(cx) else {
                        return self.poll_silence(cx);
                    };
                    self.keep_trailers(fields)?;
                }
                Poll::Ready(Some(Ok(more))) if more.is_empty() => {}
                Poll::Ready(Some(Ok(_))) => {
                    return Poll::Ready(Err(BodyError::new(Fault::Client, BodyErrorKind::Length)));
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(broken(error))),
                Poll::Pending => return self.poll_silence(cx),
            }
        }
        Poll::Ready(Ok(true))
    }

    fn keep_trailers(&mut self, fields: Result<Option<http::HeaderMap>, h2::Error>) -> Result<(), BodyError> {
        if let Some(fields) = fields.map_err(broken)? {
            let framing = |reason| BodyError::new(Fault::Client, BodyErrorKind::Framing(reason));
            self.trailers = Some(convert::trailers(&fields, &self.limits).map_err(framing)?);
        }
        self.has_ended = true;
        Ok(())
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BodyError>> {
        if !self.has_ended {
            let Poll::Ready(fields) = self.stream.poll_trailers(cx) else {
                return self.poll_silence(cx);
            };
            self.keep_trailers(fields)?;
        }
        self.length = Some(0);
        Poll::Ready(Ok(false))
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BodyError>> {
        self.interims.want_body();
        let silence = self.silence.get_or_insert_with(|| {
            let timer = Timer::new();
            timer.arm(self.timeout);
            timer
        });
        ready!(silence.poll(cx));
        Poll::Ready(Err(BodyError::new(Fault::Client, BodyErrorKind::Timeout)))
    }

    pub(crate) fn limit(&mut self, limit: u64) {
        self.budget = self.budget.min(limit);
    }

    pub(crate) fn data(&self) -> &[u8] {
        &self.data
    }

    pub(crate) fn consume(&mut self, count: usize) {
        let count = count.min(self.data.len());
        self.data.advance(count);
        self.budget = self.budget.saturating_sub(count as u64);
        self.length = self.length.map(|length| length.saturating_sub(count as u64));
        // It fails only on more than was received.
        let _ = self.stream.flow_control().release_capacity(count);
    }

    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    pub(crate) fn trailers(&mut self) -> Option<Headers> {
        self.trailers.take()
    }
}

fn broken(error: h2::Error) -> BodyError {
    let kind = error.into_io().map_or(BodyErrorKind::Truncated, BodyErrorKind::Io);
    BodyError::new(Fault::Client, kind)
}
