//! The same node for the same key: a ring with many points for each node, so that a node that comes or goes moves
//! only its own keys.

use super::round_robin::scaled;

/// Points of a node of the smallest weight.
const POINTS: u64 = 160;
/// Points of a ring at most, but for those that every node has at least.
const MOST_POINTS: u64 = 1 << 19;
/// Steps along the ring before it is asked whether there is anything to find.
const STEPS: usize = 32;

/// A ring of points, each of one node; a key belongs to the first point from its hash on.
#[derive(Debug)]
pub(super) struct Ring {
    /// By hash.
    points: Box<[(u32, u32)]>,
    /// Where the points of each stretch of the ring begin, so that none is searched for.
    starts: Box<[u32]>,
    shift: u32,
}

/// The hash of a key: the same in every process, so that several gateways agree.
pub fn hash(key: &[u8]) -> u64 {
    let fnv = key.iter().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    });
    mix(fnv)
}

/// Spreads neighbours over all of the range.
pub(super) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// The upper half of a hash.
fn upper(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or(u32::MAX)
}

impl Ring {
    /// For nodes by index, name and weight.
    pub(super) fn new<'a>(nodes: impl Iterator<Item = (usize, &'a str, u32)>) -> Self {
        let nodes: Vec<_> = nodes.collect();
        let weights = scaled(&nodes.iter().map(|node| node.2).collect::<Vec<_>>());
        let sum = weights.iter().sum::<u64>().max(1);
        let each = POINTS.min(MOST_POINTS / sum).max(1);
        let mut points = Vec::new();
        for ((index, name, _), weight) in nodes.iter().zip(weights) {
            let own = hash(name.as_bytes());
            let index = u32::try_from(*index).unwrap_or(u32::MAX);
            let place = |point: u64| mix(own.wrapping_add(point.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
            points.extend((0..weight * each).map(|point| (upper(place(point)), own, index)));
        }
        points.sort_unstable();
        let points: Box<[_]> = points.into_iter().map(|(hash, _, index)| (hash, index)).collect();
        let bits = points.len().max(2).next_power_of_two().trailing_zeros();
        let shift = 32 - bits;
        let start = |stretch: u64| {
            let first = points.partition_point(|(hash, _)| u64::from(*hash) < stretch << shift);
            u32::try_from(first).unwrap_or(u32::MAX)
        };
        Self { starts: (0..1_u64 << bits).map(start).collect(), points, shift }
    }

    /// The node of this key; where that is not fit, the next along the ring that is. `is_any` says whether one is.
    pub(super) fn pick(
        &self,
        key: u64,
        is_fit: &impl Fn(usize) -> bool,
        is_any: impl Fn() -> bool,
    ) -> Option<usize> {
        let hash = upper(key);
        let len = self.points.len();
        let mut first = *self.starts.get((hash >> self.shift) as usize)? as usize;
        while first < len && self.points[first].0 < hash {
            first += 1;
        }
        for step in 0..len {
            let at = first + step;
            let node = self.points[if at < len { at } else { at - len }].1 as usize;
            if is_fit(node) {
                return Some(node);
            }
            if step == STEPS && !is_any() {
                return None;
            }
        }
        None
    }
}
