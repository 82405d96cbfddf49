//! A message's body: nothing, bytes in hand, or a stream that is pulled by whoever sends it on.
//!
//! Reading is in two steps, so that bytes go from a read buffer to a socket without a copy: `poll_ready`
//! brings data into reach, `data` shows it, `consume` says how much of it was used.

mod peek;

use std::task::{Context, Poll};

use bytes::Bytes;

use crate::error::BodyError;
use crate::headers::Headers;
use crate::{h1, h2};

/// The body of a request or a response.
#[derive(Default)]
pub struct Body(Inner);

#[derive(Default)]
enum Inner {
    #[default]
    Empty,
    Full(Bytes),
    Request(Box<h1::RequestBody>),
    Response(h1::ResponseBody),
    H2(Box<h2::IncomingBody>),
    H2Response(Box<h2::ResponseBody>),
    Stream(Box<dyn BodyStream>),
}

/// What a plugin implements to make or to wrap a body.
pub trait BodyStream {
    /// Brings data into reach: `true` when [`BodyStream::data`] has some, `false` at the end.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BodyError>>;
    /// The data in reach; empty before `poll_ready` has said `true`.
    fn data(&self) -> &[u8];
    /// Says that the first `count` bytes of `data` were used.
    fn consume(&mut self, count: usize);
    /// How many bytes are still to come, when that is known.
    fn length(&self) -> Option<u64>;
    /// The trailer fields, once the end was reached.
    fn trailers(&mut self) -> Option<Headers> {
        None
    }
    /// Refuses more than `limit` bytes, where the body comes from a client: reading on fails.
    fn limit(&mut self, _limit: u64) {}
    /// Sends on what is left of the request that this answers, without reading on; ready when nothing is left. What
    /// wraps the body of an answer has to pass this on ([`Body::poll_upload`]): otherwise an upstream that waits for
    /// the rest of its request, and a client that waits for the rest of its answer, wait for each other.
    fn poll_upload(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

/// Why a body could not be collected.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// It is longer than the limit; for a length that was declared, nothing was read.
    #[error("body is larger than {0} bytes")]
    TooLarge(u64),
    /// It could not be read to its end.
    #[error(transparent)]
    Broken(#[from] BodyError),
}

impl Body {
    /// No body.
    pub const fn empty() -> Self {
        Self(Inner::Empty)
    }

    /// A body that is in hand. Zero bytes make a body of length 0, which is not [`Body::empty`]: a request
    /// says so in `Content-Length`.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self(Inner::Full(bytes.into()))
    }

    /// A body made by a plugin.
    pub fn stream(stream: impl BodyStream + 'static) -> Self {
        Self(Inner::Stream(Box::new(stream)))
    }

    pub(crate) fn request(body: h1::RequestBody) -> Self {
        Self(Inner::Request(Box::new(body)))
    }

    pub(crate) fn response(body: h1::ResponseBody) -> Self {
        Self(Inner::Response(body))
    }

    pub(crate) fn h2(body: h2::IncomingBody) -> Self {
        Self(Inner::H2(Box::new(body)))
    }

    pub(crate) fn h2_response(body: h2::ResponseBody) -> Self {
        Self(Inner::H2Response(Box::new(body)))
    }

    /// Whether there is no body at all (not: one of length 0).
    pub fn is_empty(&self) -> bool {
        matches!(self.0, Inner::Empty)
    }

    /// Brings data into reach: `true` when [`Body::data`] has some, `false` at the end.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BodyError>> {
        match &mut self.0 {
            Inner::Empty => Poll::Ready(Ok(false)),
            Inner::Full(bytes) => Poll::Ready(Ok(!bytes.is_empty())),
            Inner::Request(body) => body.poll_ready(cx),
            Inner::Response(body) => body.poll_ready(cx),
            Inner::H2(body) => body.poll_ready(cx),
            Inner::H2Response(body) => body.poll_ready(cx),
            Inner::Stream(body) => body.poll_ready(cx),
        }
    }

    /// Sends on what is left of the request that this is the answer to, without reading on. An upload that fails
    /// says so when the answer is read. Ready when nothing is left that would have to be waited for.
    pub fn poll_upload(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Inner::Response(body) => body.poll_upload(cx),
            Inner::H2Response(body) => body.poll_upload(cx),
            Inner::Stream(body) => return body.poll_upload(cx),
            _ => {}
        }
        Poll::Ready(())
    }

    /// The data in reach; empty before `poll_ready` has said `true`.
    pub fn data(&self) -> &[u8] {
        match &self.0 {
            Inner::Empty => &[],
            Inner::Full(bytes) => bytes,
            Inner::Request(body) => body.data(),
            Inner::Response(body) => body.data(),
            Inner::H2(body) => body.data(),
            Inner::H2Response(body) => body.data(),
            Inner::Stream(body) => body.data(),
        }
    }

    /// Says that the first `count` bytes of `data` were used.
    pub fn consume(&mut self, count: usize) {
        match &mut self.0 {
            Inner::Empty => {}
            Inner::Full(bytes) => bytes::Buf::advance(bytes, count.min(bytes.len())),
            Inner::Request(body) => body.consume(count),
            Inner::Response(body) => body.consume(count),
            Inner::H2(body) => body.consume(count),
            Inner::H2Response(body) => body.consume(count),
            Inner::Stream(body) => body.consume(count),
        }
    }

    /// How many bytes are still to come, when that is known: 0 for none at all.
    pub fn length(&self) -> Option<u64> {
        match &self.0 {
            Inner::Empty => Some(0),
            Inner::Full(bytes) => Some(bytes.len() as u64),
            Inner::Request(body) => body.length(),
            Inner::Response(body) => body.length(),
            Inner::H2(body) => body.length(),
            Inner::H2Response(body) => body.length(),
            Inner::Stream(body) => body.length(),
        }
    }

    fn in_hand(&self) -> Option<Bytes> {
        match &self.0 {
            Inner::Empty => Some(Bytes::new()),
            Inner::Full(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }

    /// The same body once more, where it is all in hand.
    pub(crate) fn duplicate(&self) -> Option<Self> {
        match &self.0 {
            Inner::Empty => Some(Self(Inner::Empty)),
            Inner::Full(bytes) => Some(Self(Inner::Full(bytes.clone()))),
            _ => None,
        }
    }

    /// Whether the last byte of the length that is known now is the end: by HTTP/1.1 no trailers follow it.
    pub(crate) fn ends_with_its_length(&self) -> bool {
        match &self.0 {
            Inner::Empty | Inner::Full(_) => true,
            Inner::Request(body) => body.length().is_some(),
            Inner::Response(body) => body.length().is_some(),
            Inner::H2(_) | Inner::H2Response(_) | Inner::Stream(_) => false,
        }
    }

    /// Whether trailer fields may follow the last byte.
    pub(crate) fn may_have_trailers(&self) -> bool {
        !matches!(&self.0, Inner::Empty | Inner::Full(_))
    }

    /// The trailer fields, once the end was reached.
    pub fn trailers(&mut self) -> Option<Headers> {
        match &mut self.0 {
            Inner::Empty | Inner::Full(_) => None,
            Inner::Request(body) => body.trailers(),
            Inner::Response(body) => body.trailers(),
            Inner::H2(body) => body.trailers(),
            Inner::H2Response(body) => body.trailers(),
            Inner::Stream(body) => body.trailers(),
        }
    }

    /// Refuses more than `limit` bytes of a body that comes from a client: reading on fails.
    pub fn limit(&mut self, limit: u64) {
        match &mut self.0 {
            Inner::Request(body) => body.limit(limit),
            Inner::H2(body) => body.limit(limit),
            Inner::Stream(body) => body.limit(limit),
            Inner::Empty | Inner::Full(_) | Inner::Response(_) | Inner::H2Response(_) => {}
        }
    }

    /// Reads all of it, if it is not longer than `limit` bytes.
    pub async fn collect(&mut self, limit: u64) -> Result<Bytes, CollectError> {
        if let Inner::Full(bytes) = &mut self.0 {
            if bytes.len() as u64 > limit {
                return Err(CollectError::TooLarge(limit));
            }
            return Ok(std::mem::take(bytes));
        }
        if self.length().is_some_and(|length| length > limit) {
            return Err(CollectError::TooLarge(limit));
        }
        let mut all = Vec::new();
        while std::future::poll_fn(|cx| self.poll_ready(cx)).await? {
            let data = self.data();
            if (all.len() + data.len()) as u64 > limit {
                return Err(CollectError::TooLarge(limit));
            }
            let count = data.len();
            all.extend_from_slice(data);
            self.consume(count);
        }
        Ok(all.into())
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Body({:?} bytes to come)", self.length())
    }
}
