//! Waiting for what another process does: by asking again until a deadline, never by a fixed pause.

use std::time::{Duration, Instant};

/// How long anything may take before a test calls it lost.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Asks until the answer is there; fails with `what` when the deadline has passed.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
