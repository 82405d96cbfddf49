//! The body of a request that a peer has not looked at, to be sent once more.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};

use crate::body::{Body, BodyStream};
use crate::error::BodyError;
use crate::headers::Headers;

/// What was sent of a body already, and the rest of it.
pub(super) struct Replay {
    sent: VecDeque<Bytes>,
    rest: Body,
}

impl Replay {
    /// The whole body again.
    pub(super) fn body(sent: Vec<Bytes>, rest: Body) -> Body {
        Body::stream(Self { sent: sent.into(), rest })
    }
}

impl BodyStream for Replay {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BodyError>> {
        if self.sent.is_empty() { self.rest.poll_ready(cx) } else { Poll::Ready(Ok(true)) }
    }

    fn data(&self) -> &[u8] {
        match self.sent.front() {
            Some(piece) => piece,
            None => self.rest.data(),
        }
    }

    fn consume(&mut self, count: usize) {
        let Some(piece) = self.sent.front_mut() else { return self.rest.consume(count) };
        piece.advance(count.min(piece.len()));
        if piece.is_empty() {
            self.sent.pop_front();
        }
    }

    fn length(&self) -> Option<u64> {
        let sent: usize = self.sent.iter().map(Bytes::len).sum();
        Some(self.rest.length()? + sent as u64)
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.rest.trailers()
    }
}
