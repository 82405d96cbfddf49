//! The quicker of two nodes taken at random, by a moving average of how long each took: new times weigh more than old
//! ones, a slow one counts at once, and what is long past is forgotten.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lockgate_telemetry::clock::Moment;

use super::NodeState;
use super::chash::mix;

/// In this time an average loses all but a third of its weight, in seconds.
const DECAY: f64 = 10.0;
/// A node that fails quickly is not a quick node.
const FAILURE: Duration = Duration::from_secs(1);
/// Draws before fit nodes are looked for one by one.
const DRAWS: usize = 4;

thread_local! {
    static RANDOM: Cell<u64> = Cell::new(RandomState::new().hash_one(0));
}

/// How long a node took of late. Two workers that write at once lose one of two times, which an average can spare.
#[derive(Debug, Default)]
pub(super) struct Score {
    /// Seconds, as bits.
    average: AtomicU64,
    /// When it was of this value, in nanoseconds.
    at: AtomicU64,
}

impl Score {
    /// A node took so long.
    pub(super) fn observe(&self, took: Duration, failed: bool, now: Moment) {
        let took = if failed { took.max(FAILURE) } else { took }.as_secs_f64();
        let remains = self.remains(now);
        let average = f64::from_bits(self.average.load(Ordering::Relaxed));
        let aged = average * remains + took * (1.0 - remains);
        let average = if took > average { took } else { aged };
        self.average.store(average.to_bits(), Ordering::Relaxed);
        self.at.store(now.nanos(), Ordering::Relaxed);
    }

    /// Seconds; 0 of a node that was not asked for long.
    pub(super) fn value(&self, now: Moment) -> f64 {
        f64::from_bits(self.average.load(Ordering::Relaxed)) * self.remains(now)
    }

    fn remains(&self, now: Moment) -> f64 {
        let since = now.nanos().saturating_sub(self.at.load(Ordering::Relaxed));
        (-Duration::from_nanos(since).as_secs_f64() / DECAY).exp()
    }
}

/// Two at random, and the better of them.
#[derive(Debug)]
pub(super) struct TwoChoices {
    members: Box<[usize]>,
}

impl TwoChoices {
    pub(super) fn new(members: &[usize]) -> Self {
        Self { members: members.into() }
    }

    pub(super) fn pick(&self, states: &[Arc<NodeState>], is_fit: &impl Fn(usize) -> bool) -> Option<usize> {
        let one = self.draw(is_fit)?;
        let Some(other) = self.draw(&|node| node != one && is_fit(node)) else { return Some(one) };
        let now = lockgate_telemetry::clock::recent();
        let score = |node: usize| states[node].score.value(now);
        Some(if score(other) < score(one) { other } else { one })
    }

    fn draw(&self, is_fit: &impl Fn(usize) -> bool) -> Option<usize> {
        for _ in 0..DRAWS {
            let node = *self.members.get(random(self.members.len())?)?;
            if is_fit(node) {
                return Some(node);
            }
        }
        let first = random(self.members.len())?;
        let (before, from) = self.members.split_at(first);
        from.iter().chain(before).copied().find(|node| is_fit(*node))
    }
}

/// A number below `bound`; `None` where there is none.
pub(super) fn random(bound: usize) -> Option<usize> {
    let next = RANDOM.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
    RANDOM.set(next);
    let wide = u128::from(mix(next)) * u128::try_from(bound).ok()?;
    if bound == 0 { None } else { usize::try_from(wide >> 64).ok() }
}
