//! Connections and requests, whether or not a plugin looks at them.

use std::iter::Sum;

use super::number::Number;

/// What one worker counts.
#[derive(Debug, Default)]
pub struct Traffic {
    accepted: Number,
    closed: Number,
    begun: Number,
    done: Number,
}

/// What all workers have counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficTotals {
    /// Connections that were accepted.
    pub accepted: u64,
    /// Connections that are open.
    pub active: u64,
    /// Requests that have begun.
    pub requests: u64,
    /// Requests that are not done yet.
    pub under_way: u64,
}

impl Traffic {
    /// A connection is there. To be called in the worker's own thread, as all of these.
    pub fn accepted(&self) {
        self.accepted.add(1);
    }

    /// A connection has ended.
    pub fn closed(&self) {
        self.closed.add(1);
    }

    /// A request has begun.
    pub fn begun(&self) {
        self.begun.add(1);
    }

    /// A request is done.
    pub fn done(&self) {
        self.done.add(1);
    }

    /// What ended is read first: it has begun before.
    pub(super) fn read(&self) -> TrafficTotals {
        let (closed, done) = (self.closed.get(), self.done.get());
        let (accepted, requests) = (self.accepted.get(), self.begun.get());
        TrafficTotals {
            accepted,
            active: accepted.saturating_sub(closed),
            requests,
            under_way: requests.saturating_sub(done),
        }
    }
}

impl Sum for TrafficTotals {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            accepted: sum.accepted + one.accepted,
            active: sum.active + one.active,
            requests: sum.requests + one.requests,
            under_way: sum.under_way + one.under_way,
        })
    }
}
