//! Whether a node is well: counts of what was seen of it, and what they amount to, in one number.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was seen of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It answered well.
    Success,
    /// It answered badly.
    HttpFailure,
    /// It could not be reached, or broke off.
    TcpFailure,
    /// It did not answer in time.
    Timeout,
}

/// How a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing speaks against it.
    Healthy,
    /// It is used, and has failed of late.
    MostlyHealthy,
    /// It is not used, and has answered well of late.
    MostlyUnhealthy,
    /// It is not used.
    Unhealthy,
}

impl Status {
    /// As the Control API writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::MostlyHealthy => "mostly_healthy",
            Self::MostlyUnhealthy => "mostly_unhealthy",
            Self::Unhealthy => "unhealthy",
        }
    }

    const fn is_used(self) -> bool {
        matches!(self, Self::Healthy | Self::MostlyHealthy)
    }
}

/// How often what was seen of a node since it last changed sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// Good answers.
    pub success: u8,
    /// Bad answers.
    pub http_failure: u8,
    /// Connections that failed.
    pub tcp_failure: u8,
    /// Answers that did not come in time.
    pub timeout_failure: u8,
}

/// The health of a node, as one number: counts in its bytes, the status in the fifth.
#[derive(Debug, Default)]
pub(crate) struct NodeHealth(AtomicU64);

const STATUS: u32 = 32;
const COUNT: u64 = 0xFF;
/// The count of good answers is the lowest.
const SUCCESSES: u64 = COUNT;

impl Seen {
    const fn shift(self) -> u32 {
        match self {
            Self::Success => 0,
            Self::HttpFailure => 8,
            Self::TcpFailure => 16,
            Self::Timeout => 24,
        }
    }
}

impl NodeHealth {
    /// Whether requests may go to it.
    #[inline]
    pub(crate) fn is_healthy(&self) -> bool {
        self.0.load(Ordering::Relaxed) >> STATUS <= 1
    }

    /// Takes note; `limit` such in a row change its side, 0 takes no note. Says whether that happened now.
    pub(crate) fn observe(&self, seen: Seen, limit: u8) -> bool {
        let mut old = self.0.load(Ordering::Relaxed);
        loop {
            let Some(new) = after(old, seen, limit) else { return false };
            match self.0.compare_exchange_weak(old, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return status(old).is_used() != status(new).is_used(),
                Err(current) => old = current,
            }
        }
    }

    pub(crate) fn status(&self) -> Status {
        status(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn counter(&self) -> Counter {
        let [success, http_failure, tcp_failure, timeout_failure, ..] =
            self.0.load(Ordering::Relaxed).to_le_bytes();
        Counter { success, http_failure, tcp_failure, timeout_failure }
    }

    /// Nobody watches it any more: it counts as well.
    pub(crate) fn forget(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

const fn status(word: u64) -> Status {
    match word >> STATUS {
        0 => Status::Healthy,
        1 => Status::MostlyHealthy,
        2 => Status::MostlyUnhealthy,
        _ => Status::Unhealthy,
    }
}

/// The number after one more was seen; `None` where that says nothing new.
fn after(word: u64, seen: Seen, limit: u8) -> Option<u64> {
    let before = status(word);
    let is_good = seen == Seen::Success;
    if limit == 0 || before == if is_good { Status::Healthy } else { Status::Unhealthy } {
        return None;
    }
    let failures = word & 0xFFFF_FFFF & !SUCCESSES;
    let counts = if is_good { word & SUCCESSES } else { failures };
    let count = ((counts >> seen.shift()) & COUNT).saturating_add(1).min(COUNT);
    let counts = counts & !(COUNT << seen.shift()) | count << seen.shift();
    let is_over = count >= u64::from(limit);
    let next = match (is_good, is_over, before.is_used()) {
        (true, true, _) => 0,
        (false, true, _) => 3,
        (_, false, true) => 1,
        (_, false, false) => 2,
    };
    Some(next << STATUS | counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn see(health: &NodeHealth, seen: Seen, limit: u8) -> Status {
        health.observe(seen, limit);
        health.status()
    }

    #[test]
    fn a_node_changes_sides_after_so_many_in_a_row() {
        let health = NodeHealth::default();
        assert_eq!(see(&health, Seen::Success, 2), Status::Healthy);
        assert_eq!(health.counter(), Counter::default(), "a good answer of a healthy node says nothing new");
        assert_eq!(see(&health, Seen::HttpFailure, 3), Status::MostlyHealthy);
        assert_eq!(see(&health, Seen::HttpFailure, 3), Status::MostlyHealthy);
        assert!(health.is_healthy());
        assert!(health.observe(Seen::HttpFailure, 3));
        assert_eq!((health.status(), health.is_healthy()), (Status::Unhealthy, false));
        assert_eq!(health.counter().http_failure, 3);
        assert_eq!(see(&health, Seen::Success, 2), Status::MostlyUnhealthy);
        assert!(!health.is_healthy());
        assert!(health.observe(Seen::Success, 2));
        assert_eq!(health.status(), Status::Healthy);
        assert_eq!(health.counter(), Counter { success: 2, ..Counter::default() });
    }

    #[test]
    fn a_good_answer_between_failures_begins_the_count_again() {
        let health = NodeHealth::default();
        for _ in 0..10 {
            assert_eq!(see(&health, Seen::TcpFailure, 2), Status::MostlyHealthy);
            health.observe(Seen::Success, 1);
            assert_eq!(health.status(), Status::Healthy);
        }
    }

    #[test]
    fn kinds_of_failure_are_counted_apart() {
        let health = NodeHealth::default();
        for seen in [Seen::Timeout, Seen::TcpFailure, Seen::HttpFailure] {
            assert_eq!(see(&health, seen, 2), Status::MostlyHealthy);
        }
        let once = Counter { success: 0, http_failure: 1, tcp_failure: 1, timeout_failure: 1 };
        assert_eq!(health.counter(), once);
        assert_eq!(see(&health, Seen::Timeout, 2), Status::Unhealthy);
    }

    #[test]
    fn a_limit_of_0_takes_no_note() {
        let health = NodeHealth::default();
        assert!((0..300).all(|_| see(&health, Seen::Timeout, 0) == Status::Healthy));
        assert_eq!(see(&health, Seen::Timeout, 254), Status::MostlyHealthy);
        assert!((0..600).all(|_| !health.observe(Seen::Timeout, 255) || !health.is_healthy()));
    }
}
