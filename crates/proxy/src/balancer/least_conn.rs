//! The node with the fewest requests under way in relation to its weight; among equals in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::NodeState;

/// Nodes with their weights.
#[derive(Debug)]
pub(super) struct LeastConn {
    members: Box<[(usize, u32)]>,
    next: AtomicUsize,
}

impl LeastConn {
    pub(super) fn new(members: impl Iterator<Item = (usize, u32)>) -> Self {
        Self { members: members.collect(), next: AtomicUsize::new(0) }
    }

    pub(super) fn pick(&self, states: &[Arc<NodeState>], is_fit: &impl Fn(usize) -> bool) -> Option<usize> {
        if self.members.is_empty() {
            return None;
        }
        let first = self.next.fetch_add(1, Ordering::Relaxed) % self.members.len();
        let (before, from) = self.members.split_at(first);
        let mut best: Option<(usize, u128, u32)> = None;
        for (node, weight) in from.iter().chain(before).filter(|(node, _)| is_fit(*node)) {
            let load = u128::from(states[*node].under_way()) + 1;
            let is_better =
                best.is_none_or(|(_, least, of)| load * u128::from(of) < least * u128::from(*weight));
            if is_better {
                best = Some((*node, load, *weight));
            }
        }
        best.map(|(node, ..)| node)
    }
}
