//! The body of a request that came by HTTP/3. What is not read is not granted to the client again.

use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use h3::server::RequestStream;

use super::quic::RecvStream;
use crate::body::BodyStream;
use crate::error::{BodyError, BodyErrorKind, Fault};
use crate::h2::{Interims, convert};
use crate::headers::Headers;
use crate::limits::Limits;
use crate::server::ServerSettings;
use crate::timer::Timer;

/// A body on its way in.
pub(super) struct IncomingBody {
    stream: RequestStream<RecvStream, Bytes>,
    data: Bytes,
    trailers: Option<Headers>,
    length: Option<u64>,
    is_data_over: bool,
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
        stream: RequestStream<RecvStream, Bytes>,
        length: Option<u64>,
        settings: &ServerSettings,
        interims: Rc<Interims>,
    ) -> Self {
        Self {
            stream,
            data: Bytes::new(),
            trailers: None,
            length,
            is_data_over: false,
            has_ended: false,
            budget: settings.max_body,
            limits: settings.limits,
            timeout: settings.body_timeout,
            silence: None,
            interims,
        }
    }

    /// Whether trailers came.
    pub(super) fn has_trailers(&self) -> bool {
        self.trailers.is_some()
    }

    /// The next data; `None` when the stream has ended, its trailers included.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        while !self.is_data_over {
            match self.stream.poll_recv_data(cx) {
                Poll::Ready(Ok(Some(mut data))) if data.has_remaining() => {
                    self.silence = None;
                    return Poll::Ready(Ok(Some(data.copy_to_bytes(data.remaining()))));
                }
                Poll::Ready(Ok(Some(_))) => {}
                Poll::Ready(Ok(None)) => self.is_data_over = true,
                Poll::Ready(Err(_)) => return Poll::Ready(Err(client(BodyErrorKind::Truncated))),
                Poll::Pending => return self.poll_silence(cx),
            }
        }
        if !self.has_ended {
            match self.stream.poll_recv_trailers(cx) {
                Poll::Ready(Ok(fields)) => self.keep_trailers(fields.as_ref())?,
                Poll::Ready(Err(_)) => return Poll::Ready(Err(client(BodyErrorKind::Truncated))),
                Poll::Pending => return self.poll_silence(cx),
            }
            self.has_ended = true;
        }
        Poll::Ready(Ok(None))
    }

    fn keep_trailers(&mut self, fields: Option<&http::HeaderMap>) -> Result<(), BodyError> {
        let Some(fields) = fields else { return Ok(()) };
        let trailers = convert::trailers(fields, &self.limits);
        self.trailers = Some(trailers.map_err(|reason| client(BodyErrorKind::Framing(reason)))?);
        Ok(())
    }

    fn poll_silence<T>(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, BodyError>> {
        self.interims.want_body();
        let silence = self.silence.get_or_insert_with(|| {
            let timer = Timer::new();
            timer.arm(self.timeout);
            timer
        });
        ready!(silence.poll(cx));
        Poll::Ready(Err(client(BodyErrorKind::Timeout)))
    }
}

fn client(kind: BodyErrorKind) -> BodyError {
    BodyError::new(Fault::Client, kind)
}

impl BodyStream for IncomingBody {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BodyError>> {
        if self.data.is_empty() {
            match ready!(self.poll_next(cx))? {
                Some(data) => self.data = data,
                None if self.length.is_some_and(|length| length > 0) => {
                    return Poll::Ready(Err(client(BodyErrorKind::Truncated)));
                }
                None => {
                    self.length = Some(0);
                    return Poll::Ready(Ok(false));
                }
            }
        }
        if self.data.len() as u64 > self.budget {
            return Poll::Ready(Err(client(BodyErrorKind::TooLarge)));
        }
        // RFC 9114 §4.1.2: what would complete the declared length waits for the stream's end, so that what is longer
        // than it says does not look whole to an upstream.
        if self.length.is_some_and(|length| self.data.len() as u64 >= length)
            && (self.length != Some(self.data.len() as u64) || ready!(self.poll_next(cx))?.is_some())
        {
            return Poll::Ready(Err(client(BodyErrorKind::Length)));
        }
        Poll::Ready(Ok(true))
    }

    fn data(&self) -> &[u8] {
        &self.data
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.data.len());
        self.data.advance(count);
        self.budget = self.budget.saturating_sub(count as u64);
        self.length = self.length.map(|length| length.saturating_sub(count as u64));
    }

    fn length(&self) -> Option<u64> {
        self.length
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.trailers.take()
    }

    fn limit(&mut self, limit: u64) {
        self.budget = self.budget.min(limit);
    }
}
