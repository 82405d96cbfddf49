//! A gate that one side opens and the other waits at: order between threads without a pause.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::DEADLINE;

/// Each `open` lets one `pass` through; clones share the gate.
#[derive(Clone, Default)]
pub struct Gate {
    shared: Arc<(Mutex<usize>, Condvar)>,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets one more pass.
    pub fn open(&self) {
        let (permits, changed) = &*self.shared;
        *permits.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        changed.notify_all();
    }

    /// Waits until the gate was opened; fails past the deadline.
    pub fn pass(&self) {
        assert!(self.try_pass(), "a gate stayed closed for {DEADLINE:?}");
    }

    /// Waits until the gate was opened; `false` when it was not within the deadline.
    #[must_use]
    pub fn try_pass(&self) -> bool {
        let (permits, changed) = &*self.shared;
        let guard = permits.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(guard, DEADLINE, |permits| *permits == 0);
        let (mut guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            return false;
        }
        *guard -= 1;
        true
    }
}
