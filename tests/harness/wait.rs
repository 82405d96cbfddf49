//! Waiting for what another process does: by asking again until a deadline, never by a fixed pause.

use std::time::{Duration, Instant};

/// How long anything may take before a test calls it lost.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Asks until the answer is there; fails with `what` when the deadline has passed.
pub fn eventually<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    within(DEADLINE, ask).unwrap_or_else(|| panic!("not within {DEADLINE:?}: {what}"))
}

/// Asks until the answer is there; `None` when the limit has passed.
pub fn within<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        let answer = ask();
        if answer.is_some() || start.elapsed() >= limit {
            return answer;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
