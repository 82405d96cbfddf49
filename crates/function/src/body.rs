//! Bodies: those that come in, read whole; those of our answers, in hand or made as they go.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::timeout;

/// How much of a body that is too long is read all the same: a sender that is still sending hears no answer.
const READ_ON: usize = 64 << 20;

/// The longest silence within a body.
const SILENCE: Duration = Duration::from_mins(1);
/// Bodies that are held for all callers together, in bytes.
const HELD: usize = 512 << 20;

/// The body of an answer.
pub(crate) enum Body {
    /// In hand.
    Whole(Bytes),
    /// Made as it goes.
    Stream(Box<dyn Source>),
}

/// What makes a body. An error ends the connection, so that nobody takes a part for the whole.
pub(crate) trait Source {
    /// The next part; `None` at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>>;
}

/// A body that could not be brought to its end.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off: {0}")]
pub(crate) struct Broken(pub(crate) String);

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream(source) => source.poll_next(cx).map(|part| Some(part?.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// Reads a body that is not longer than a limit; why not, as a status.
pub(crate) async fn whole(body: Incoming, limit: usize) -> Result<Bytes, StatusCode> {
    gather(body, limit, |_| true).await
}

/// The same, as long as there is room for so many bytes.
async fn gather(
    mut body: Incoming,
    limit: usize,
    mut has_room: impl FnMut(usize) -> bool,
) -> Result<Bytes, StatusCode> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = timeout(SILENCE, body.frame()).await.map_err(|_| StatusCode::REQUEST_TIMEOUT)? {
        let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
        length += data.len();
        if length <= limit && !has_room(length) {
            return Err(StatusCode::TOO_MANY_REQUESTS);
        }
        if length > limit + READ_ON {
            break;
        }
        if length > limit {
            (first, all) = (Bytes::new(), BytesMut::new());
        } else if first.is_empty() {
            // Most bodies come in one piece, which is not copied.
            first = data;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&data);
        }
    }
    match length {
        length if length > limit => Err(StatusCode::PAYLOAD_TOO_LARGE),
        _ if all.is_empty() => Ok(first),
        _ => Ok(all.freeze()),
    }
}

/// What all callers' bodies may take of the memory.
#[derive(Debug)]
pub(crate) struct Budget(Rc<Cell<usize>>);

impl Default for Budget {
    fn default() -> Self {
        Self(Rc::new(Cell::new(HELD)))
    }
}

/// A body in hand, and its part of the budget.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    left: Rc<Cell<usize>>,
    taken: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.left.set(self.left.get() + self.taken);
    }
}

impl Budget {
    /// Reads a caller's body: 413 where it is longer than the limit, 429 where there is no memory left for it.
    pub(crate) async fn read(&self, body: Incoming, limit: usize) -> Result<Held, StatusCode> {
        let mut held = Held { bytes: Bytes::new(), left: self.0.clone(), taken: 0 };
        let mut take = |length: usize| {
            let more = length.saturating_sub(held.taken);
            let left = held.left.get().checked_sub(more);
            held.left.set(left.unwrap_or(held.left.get()));
            held.taken += left.map_or(0, |_| more);
            left.is_some()
        };
        let bytes = gather(body, limit, &mut take).await?;
        held.bytes = bytes;
        Ok(held)
    }
}
