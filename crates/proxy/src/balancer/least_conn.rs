//! The node with the fewest requests under way in relation to its weight; among equals in turn. Of many nodes, the best
//! of a few that are drawn by weight: that is nearly as even, and costs the same however many there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::NodeState;
use super::ewma::random;

/// So many nodes are all looked at.
const FEW: usize = 32;
/// Of more, so many that are fit are compared.
const COMPARED: usize = 4;
/// And so many are drawn for that, before all are looked at.
const DRAWS: usize = 16;

/// Nodes with their weights.
#[derive(Debug)]
pub(super) struct LeastConn {
    members: Box<[(usize, u32)]>,
    /// The sum of the weights up to each, where there are many.
    sums: Box<[usize]>,
    next: AtomicUsize,
}

/// The best node so far: which, and its load in relation to its weight.
type Best = Option<(usize, u128, u32)>;

impl LeastConn {
    pub(super) fn new(members: impl Iterator<Item = (usize, u32)>) -> Self {
        let members: Box<[(usize, u32)]> = members.collect();
        let mut sum = 0_usize;
        let add = |(_, weight): &(usize, u32)| {
            sum = sum.saturating_add(usize::try_from(*weight).unwrap_or(usize::MAX));
            sum
        };
        let sums = if members.len() > FEW { members.iter().map(add).collect() } else { Box::default() };
        Self { members, sums, next: AtomicUsize::new(0) }
    }

    pub(super) fn pick(&self, states: &[Arc<NodeState>], is_fit: &impl Fn(usize) -> bool) -> Option<usize> {
        self.drawn(states, is_fit).or_else(|| self.of_all(states, is_fit))
    }

    fn drawn(&self, states: &[Arc<NodeState>], is_fit: &impl Fn(usize) -> bool) -> Option<usize> {
        let total = *self.sums.last()?;
        let draw = |_| {
            let at = random(total)?;
            self.members.get(self.sums.partition_point(|sum| *sum <= at))
        };
        let fit = (0..DRAWS).filter_map(draw).filter(|(node, _)| is_fit(*node)).take(COMPARED);
        fit.fold(None, |best, member| better(best, *member, states)).map(|(node, ..)| node)
    }

    fn of_all(&self, states: &[Arc<NodeState>], is_fit: &impl Fn(usize) -> bool) -> Option<usize> {
        if self.members.is_empty() {
            return None;
        }
        let first = self.next.fetch_add(1, Ordering::Relaxed) % self.members.len();
        let (before, from) = self.members.split_at(first);
        let fit = from.iter().chain(before).filter(|(node, _)| is_fit(*node));
        fit.fold(None, |best, member| better(best, *member, states)).map(|(node, ..)| node)
    }
}

/// The one with the lesser load; the first of equals.
fn better(best: Best, (node, weight): (usize, u32), states: &[Arc<NodeState>]) -> Best {
    let load = u128::from(states[node].under_way()) + 1;
    let is_better = best.is_none_or(|(_, least, of)| load * u128::from(of) < least * u128::from(weight));
    if is_better { Some((node, load, weight)) } else { best }
}
