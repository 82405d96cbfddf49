//! A turn for the others.

use std::task::{Context, Poll};

/// Lets the tasks of this thread that are ready go first.
///
/// Whoever has something to write, and nothing to win by being the first, waits for it: what all of them read comes
/// before what all of them write. A write wakes the other side, which then wants the processor; several in a row wake
/// it once.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    is_given: bool,
}

impl Turn {
    /// Ready when the others had theirs.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.is_given, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    #[test]
    fn those_who_are_ready_go_before_any_who_waits_for_a_turn() {
        let options = tokio::runtime::LocalOptions::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build_local(options).unwrap();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let task = |name| {
            let seen = seen.clone();
            tokio::task::spawn_local(async move {
                seen.borrow_mut().push(("reads", name));
                let mut turn = Turn::default();
                std::future::poll_fn(|cx| turn.poll(cx)).await;
                seen.borrow_mut().push(("writes", name));
            })
        };
        runtime.block_on(async {
            let (a, b) = (task("a"), task("b"));
            (a.await.unwrap(), b.await.unwrap())
        });
        assert_eq!(*seen.borrow(), [("reads", "a"), ("reads", "b"), ("writes", "a"), ("writes", "b")]);
    }
}
