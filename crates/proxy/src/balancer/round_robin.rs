//! In turn, by weight, spread evenly: `a a b a` and not `a a a b`.
//!
//! The order of one whole round is computed when the configuration changes; a request takes the next place.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The longest round that is computed exactly; larger weights are scaled down to it.
const LONGEST: u64 = 4096;

/// A round of nodes, by index.
#[derive(Debug, Default)]
pub(crate) struct RoundRobin {
    round: Box<[u32]>,
    next: AtomicUsize,
}

impl RoundRobin {
    /// Nodes by weight; a weight of 0 is never picked.
    pub(crate) fn new(weights: &[u32]) -> Self {
        Self { round: round(&scaled(weights)), next: AtomicUsize::new(0) }
    }

    /// The next node of which `is_fit` says yes; `None` when there is none in a whole round.
    pub(crate) fn pick(&self, mut is_fit: impl FnMut(usize) -> bool) -> Option<usize> {
        match self.round.len() {
            0 => None,
            1 => Some(self.round[0] as usize).filter(|node| is_fit(*node)),
            len => {
                let first = self.next.fetch_add(1, Ordering::Relaxed);
                (0..len)
                    .map(|step| self.round[first.wrapping_add(step) % len] as usize)
                    .find(|node| is_fit(*node))
            }
        }
    }
}

/// Weights in relation to each other, the smallest that say the same; the sum is bounded.
pub(super) fn scaled(weights: &[u32]) -> Vec<u64> {
    let divisor =
        weights.iter().fold(0, |divisor, weight| common_divisor(divisor, u64::from(*weight))).max(1);
    let weights: Vec<_> = weights.iter().map(|weight| u64::from(*weight) / divisor).collect();
    let sum: u64 = weights.iter().sum();
    if sum <= LONGEST {
        return weights;
    }
    // A node with any weight at all keeps a place in the round.
    weights.iter().map(|weight| (weight * LONGEST / sum).max(u64::from(*weight > 0))).collect()
}

fn common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// Each step every node gains its weight, and the richest is picked and pays the sum of all.
fn round(weights: &[u64]) -> Box<[u32]> {
    let sum: u64 = weights.iter().sum();
    let mut credit = vec![0_i128; weights.len()];
    (0..sum)
        .filter_map(|_| {
            for (credit, weight) in credit.iter_mut().zip(weights) {
                *credit += i128::from(*weight);
            }
            let richest = (0..credit.len()).max_by_key(|node| (credit[*node], std::cmp::Reverse(*node)))?;
            credit[richest] -= i128::from(sum);
            u32::try_from(richest).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_heavy_node_does_not_get_its_turns_in_a_row() {
        let picks = RoundRobin::new(&[5, 1, 1]);
        let order: Vec<_> = (0..7).filter_map(|_| picks.pick(|_| true)).collect();
        assert_eq!(order, [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn weight_zero_is_never_picked() {
        let picks = RoundRobin::new(&[0, 3]);
        assert!((0..10).all(|_| picks.pick(|_| true) == Some(1)));
        assert_eq!(RoundRobin::new(&[0, 0]).pick(|_| true), None);
        assert_eq!(RoundRobin::new(&[]).pick(|_| true), None);
    }

    #[test]
    fn what_is_not_fit_is_passed_over() {
        let picks = RoundRobin::new(&[1, 1, 1]);
        assert!((0..6).all(|_| picks.pick(|node| node == 2) == Some(2)));
        assert_eq!(picks.pick(|_| false), None);
    }

    proptest! {
        #[test]
        fn in_a_whole_round_each_node_gets_its_weight(weights in prop::collection::vec(0_u32..20, 1..6)) {
            let round = round(&weights.iter().map(|weight| u64::from(*weight)).collect::<Vec<_>>());
            for (node, weight) in weights.iter().enumerate() {
                let count = round.iter().filter(|picked| **picked as usize == node).count();
                prop_assert_eq!(count, *weight as usize);
            }
        }

        #[test]
        fn a_round_is_bounded(weights in prop::collection::vec(any::<u32>(), 1..50)) {
            prop_assert!(RoundRobin::new(&weights).round.len() as u64 <= LONGEST + 50);
        }
    }
}
