//! What the answers to clients' requests say about a node.

use lockgate_http::ClientError;
use lockgate_resource::PassiveCheck;

use super::{NodeHealth, Seen};

/// A set of statuses.
#[derive(Debug, Default)]
pub(super) struct Statuses([u64; 10]);

impl Statuses {
    pub(super) fn new(statuses: &[u16]) -> Self {
        let mut set = Self::default();
        for status in statuses {
            if let Some(word) = set.0.get_mut(usize::from(status / 64)) {
                *word |= 1 << (status % 64);
            }
        }
        set
    }

    pub(super) fn has(&self, status: u16) -> bool {
        self.0.get(usize::from(status / 64)).is_some_and(|word| word >> (status % 64) & 1 == 1)
    }
}

/// Which answers count, and how many change the status of a node.
#[derive(Debug)]
pub(crate) struct Passive {
    good: Statuses,
    bad: Statuses,
    successes: u8,
    http_failures: u8,
    tcp_failures: u8,
    timeouts: u8,
}

impl Passive {
    pub(crate) fn new(check: &PassiveCheck) -> Self {
        Self {
            good: Statuses::new(&check.healthy.http_statuses),
            bad: Statuses::new(&check.unhealthy.http_statuses),
            successes: check.healthy.successes,
            http_failures: check.unhealthy.http_failures,
            tcp_failures: check.unhealthy.tcp_failures,
            timeouts: check.unhealthy.timeouts,
        }
    }

    /// A node answered so. Says whether that changed its side.
    pub(crate) fn answered(&self, health: &NodeHealth, status: u16) -> bool {
        if self.bad.has(status) {
            return health.observe(Seen::HttpFailure, self.http_failures);
        }
        self.good.has(status) && health.observe(Seen::Success, self.successes)
    }

    /// A node failed.
    pub(crate) fn failed(&self, health: &NodeHealth, error: &ClientError) -> bool {
        if error.is_timeout() {
            return health.observe(Seen::Timeout, self.timeouts);
        }
        health.observe(Seen::TcpFailure, self.tcp_failures)
    }
}
