//! Reads along in a body that passes by.

use std::task::{Context, Poll};

use lockgate_http::{Body, BodyError, BodyStream, Headers};

/// The same body; once it is over, or nobody reads it any more, `then` gets its first bytes, at most `limit`.
pub(super) fn beginning(body: Body, limit: usize, then: impl FnOnce(&[u8]) + 'static) -> Body {
    if body.length() == Some(0) {
        then(&[]);
        return body;
    }
    Body::stream(Observed { body, limit, seen: Vec::new(), then: Some(then) })
}

struct Observed<F: FnOnce(&[u8])> {
    body: Body,
    limit: usize,
    seen: Vec<u8>,
    then: Option<F>,
}

impl<F: FnOnce(&[u8])> BodyStream for Observed<F> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BodyError>> {
        self.body.poll_ready(cx)
    }

    fn data(&self) -> &[u8] {
        self.body.data()
    }

    fn consume(&mut self, count: usize) {
        let data = self.body.data();
        let room = self.limit.saturating_sub(self.seen.len());
        self.seen.extend_from_slice(&data[..count.min(room).min(data.len())]);
        self.body.consume(count);
    }

    fn length(&self) -> Option<u64> {
        self.body.length()
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.body.trailers()
    }
}

impl<F: FnOnce(&[u8])> Drop for Observed<F> {
    fn drop(&mut self) {
        if let Some(then) = self.then.take() {
            then(&self.seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use lockgate_http::Body;

    use super::beginning;

    fn observed(body: Body, limit: usize) -> (Body, Rc<RefCell<Option<Vec<u8>>>>) {
        let seen = Rc::new(RefCell::new(None));
        let keep = seen.clone();
        (beginning(body, limit, move |bytes| *keep.borrow_mut() = Some(bytes.to_vec())), seen)
    }

    #[tokio::test]
    async fn the_body_passes_unchanged_and_its_beginning_is_told_at_its_end() {
        let (mut body, seen) = observed(Body::full("hello, world"), 5);
        assert_eq!(body.length(), Some(12));
        assert_eq!(body.collect(100).await.unwrap(), "hello, world");
        assert_eq!(*seen.borrow(), None);
        drop(body);
        assert_eq!(seen.borrow().as_deref(), Some(b"hello".as_slice()));
    }

    #[tokio::test]
    async fn a_body_that_nobody_reads_is_told_of_as_far_as_it_came() {
        let (body, seen) = observed(Body::full("hello"), 5);
        drop(body);
        assert_eq!(seen.borrow().as_deref(), Some(b"".as_slice()));
        let (body, seen) = observed(Body::empty(), 5);
        assert!(body.is_empty() && seen.borrow().is_some(), "nothing is laid around no body");
    }
}
