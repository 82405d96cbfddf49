//! Looks at a body before it is sent on: what was read is put in front of what is still to come.

use std::task::{Context, Poll};

use bytes::Bytes;

use super::{Body, BodyStream, CollectError};
use crate::error::BodyError;
use crate::headers::Headers;

/// A body of which a part was read already.
struct Prefixed {
    front: Bytes,
    rest: Body,
}

impl BodyStream for Prefixed {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BodyError>> {
        if self.front.is_empty() { self.rest.poll_ready(cx) } else { Poll::Ready(Ok(true)) }
    }

    fn data(&self) -> &[u8] {
        if self.front.is_empty() { self.rest.data() } else { &self.front }
    }

    fn consume(&mut self, count: usize) {
        if self.front.is_empty() {
            self.rest.consume(count);
        } else {
            let count = count.min(self.front.len());
            bytes::Buf::advance(&mut self.front, count);
        }
    }

    fn length(&self) -> Option<u64> {
        Some(self.rest.length()? + self.front.len() as u64)
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.rest.trailers()
    }

    fn limit(&mut self, limit: u64) {
        self.rest.limit(limit.saturating_sub(self.front.len() as u64));
    }
}

/// A body that has ended, with what came behind it.
struct Ended(Option<Headers>);

impl BodyStream for Ended {
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<bool, BodyError>> {
        Poll::Ready(Ok(false))
    }

    fn data(&self) -> &[u8] {
        &[]
    }

    fn consume(&mut self, _: usize) {}

    fn length(&self) -> Option<u64> {
        None
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.0.take()
    }
}

impl Body {
    /// Reads a body that is not longer than `limit` bytes, and leaves it as whole as it was. Of a longer one the
    /// part that was read stays in front of the rest; one that breaks off does so again for whoever reads it.
    pub async fn peek(&mut self, limit: u64) -> Result<Bytes, CollectError> {
        if self.length().is_some_and(|length| length > limit) {
            return Err(CollectError::TooLarge(limit));
        }
        if let Some(bytes) = self.in_hand() {
            return Ok(bytes);
        }
        let mut all = Vec::new();
        loop {
            match std::future::poll_fn(|cx| self.poll_ready(cx)).await {
                Ok(false) => break,
                Ok(true) if (all.len() + self.data().len()) as u64 > limit => {
                    self.put_before(all);
                    return Err(CollectError::TooLarge(limit));
                }
                Ok(true) => {
                    let data = self.data();
                    let count = data.len();
                    all.extend_from_slice(data);
                    self.consume(count);
                }
                Err(error) => {
                    self.put_before(all);
                    return Err(error.into());
                }
            }
        }
        let bytes = Bytes::from(all);
        *self = match self.trailers() {
            None => Self::full(bytes.clone()),
            trailers => {
                let rest = Self::stream(Ended(trailers));
                Self::stream(Prefixed { front: bytes.clone(), rest })
            }
        };
        Ok(bytes)
    }

    fn put_before(&mut self, front: Vec<u8>) {
        if !front.is_empty() {
            *self = Self::stream(Prefixed { front: front.into(), rest: std::mem::take(self) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a byte at a time, without a length.
    struct Drops(&'static [u8]);

    impl BodyStream for Drops {
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<bool, BodyError>> {
            Poll::Ready(Ok(!self.0.is_empty()))
        }

        fn data(&self) -> &[u8] {
            &self.0[..self.0.len().min(1)]
        }

        fn consume(&mut self, count: usize) {
            self.0 = &self.0[count..];
        }

        fn length(&self) -> Option<u64> {
            None
        }

        fn trailers(&mut self) -> Option<Headers> {
            let mut fields = Headers::default();
            fields.append("x-end", b"1").unwrap();
            Some(fields)
        }
    }

    #[tokio::test]
    async fn what_was_looked_at_is_still_there() {
        let mut body = Body::stream(Drops(b"hello"));
        assert_eq!(body.peek(5).await.unwrap(), "hello");
        assert_eq!(body.collect(5).await.unwrap(), "hello");
        assert!(body.trailers().is_some());
        let mut body = Body::full("hello");
        assert_eq!(
            (body.peek(5).await.unwrap(), body.collect(5).await.unwrap()),
            ("hello".into(), "hello".into())
        );
    }

    #[tokio::test]
    async fn a_longer_body_is_left_whole() {
        let mut body = Body::stream(Drops(b"hello"));
        assert!(matches!(body.peek(4).await, Err(CollectError::TooLarge(4))));
        assert_eq!(body.collect(5).await.unwrap(), "hello");
        let mut body = Body::full("hello");
        assert!(body.peek(4).await.is_err());
        assert_eq!(body.collect(5).await.unwrap(), "hello");
    }
}
