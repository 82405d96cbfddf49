//! What is known of a node besides its configuration: it outlives changes of that.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lockgate_telemetry::clock::Moment;

use super::ewma::Score;
use crate::health::NodeHealth;

/// What is known of a node, shared by all workers and by every upstream it was part of from change to change.
#[derive(Debug, Default)]
pub struct NodeState {
    /// Whether it is well.
    pub(crate) health: NodeHealth,
    pub(super) score: Score,
    under_way: AtomicU64,
    /// Where its name led when it was checked last.
    address: Mutex<Option<IpAddr>>,
}

impl NodeState {
    /// How many requests it has, where they are counted.
    pub fn under_way(&self) -> u64 {
        self.under_way.load(Ordering::Relaxed)
    }

    /// It is checked at this address.
    pub(crate) fn note_address(&self, address: IpAddr) {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
    }

    /// Where it was checked last.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It answered, or failed, after so long.
    pub(crate) fn took(&self, time: Duration, failed: bool, now: Moment) {
        self.score.observe(time, failed, now);
    }
}

/// A request under way at a node, however it ends.
#[derive(Debug)]
pub(crate) struct Held(Arc<NodeState>);

impl Held {
    pub(super) fn new(state: &Arc<NodeState>) -> Self {
        state.under_way.fetch_add(1, Ordering::Relaxed);
        Self(state.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
