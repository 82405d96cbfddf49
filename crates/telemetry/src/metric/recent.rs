//! What a thread has at hand: from a key that costs nothing to the numbers it stands for.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::Metrics;
use super::label::{Family, Labelled};
use super::number::{Bandwidth, Count, Latency};

/// Keys that a thread has at hand; with one more it begins anew.
const MOST: usize = 16 * 1024;
/// A value of a label that the settings add is cut here, in bytes: clients may write it.
const LONGEST: usize = 256;

/// Mixed into a key, so that no word of it takes another one's part away by being 0.
const SALT: [[u64; 2]; 4] = [
    [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9],
    [0x94d0_49bb_1331_11eb, 0xd6e8_feb8_6659_fd93],
    [0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db],
    [0x8ebc_6af0_9c88_c6e3, 0x5899_65cc_7537_4cc3],
];

/// What has to live as long as a key is good: where a part of it is an address, what lies there.
pub type Pinned = Option<Arc<dyn Any + Send + Sync>>;

/// What the labels of a request are made of, as numbers. Who makes keys sees to it that equal ones have equal labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key([u64; 8]);

/// The values of labels that the settings add: of each family, in the order of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extra(Vec<u8>);

impl Key {
    /// Of these numbers.
    #[inline]
    pub fn new(words: [u64; 7]) -> Self {
        let mut all = [0; 8];
        all[..7].copy_from_slice(&words);
        Self(all)
    }

    fn with(mut self, extra: &Extra) -> Self {
        if !extra.0.is_empty() {
            static STATE: OnceLock<RandomState> = OnceLock::new();
            self.0[7] = STATE.get_or_init(RandomState::new).hash_one(&extra.0);
        }
        self
    }

    /// Four products, none of which waits for another.
    #[inline]
    fn fold(&self) -> u64 {
        let (pairs, _) = self.0.as_chunks();
        pairs.iter().zip(&SALT).fold(0, |hash, ([a, b], [x, y])| hash ^ multiply(a ^ x, b ^ y))
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
fn multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

impl Hash for Key {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.fold());
    }
}

impl Extra {
    /// Forgets what was written.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds a value: what `write` writes behind what there is.
    pub fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let at = self.0.len() + 2;
        self.0.extend_from_slice(&[0, 0]);
        write(&mut self.0);
        self.0.truncate(at + LONGEST);
        let length = u16::try_from(self.0.len() - at).unwrap_or(0);
        self.0[at - 2..at].copy_from_slice(&length.to_le_bytes());
    }

    fn values(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            let (length, tail) = rest.split_first_chunk()?;
            let (value, tail) = tail.split_at_checked(u16::from_le_bytes(*length).into())?;
            rest = tail;
            Some(value)
        })
    }
}

/// A key is its own hash.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 =
            bytes.iter().fold(self.0, |hash, byte| multiply(hash ^ u64::from(*byte), 0x9e37_79b9_7f4a_7c15));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// The numbers of a key. Where there is no room for a label set, there are none.
pub(super) struct Entry {
    pub(super) status: Option<Arc<Count>>,
    pub(super) latency: Option<Arc<Latency>>,
    pub(super) bandwidth: Option<Arc<Bandwidth>>,
    /// Two that differ may have the same hash in their key.
    extra: Box<[u8]>,
    _pinned: Pinned,
}

/// What a thread has at hand.
struct Recent {
    /// Whose numbers they are, and of which generation.
    of: (u64, u64),
    /// This thread.
    thread: u64,
    entries: HashMap<Key, Entry, BuildHasherDefault<AsItIs>>,
}

thread_local! {
    static RECENT: RefCell<Recent> = RefCell::new(Recent::new());
}

impl Recent {
    fn new() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let thread = LAST.fetch_add(1, Ordering::Relaxed);
        Self { of: (0, 0), thread, entries: HashMap::default() }
    }
}

/// Calls `add` with the numbers of a key.
#[inline]
pub(super) fn with(
    metrics: &Metrics,
    key: Key,
    extra: &Extra,
    add: impl Fn(&Entry),
    describe: impl FnOnce(&mut dyn FnMut(&Labelled<'_>, Pinned)),
) {
    let key = key.with(extra);
    // A thread that ends counts nothing any more.
    let _ = RECENT.try_with(|recent| {
        let recent = &mut *recent.borrow_mut();
        let of = (metrics.id, metrics.generation.load(Ordering::Relaxed));
        if recent.of == of
            && let Some(entry) = recent.entries.get(&key).filter(|entry| *entry.extra == *extra.0)
        {
            return add(entry);
        }
        if recent.of != of || recent.entries.len() >= MOST {
            recent.entries.clear();
            recent.of = of;
        }
        describe(&mut |labelled, pinned| {
            let entry = find(metrics, recent.thread, extra, labelled, pinned);
            add(&entry);
            recent.entries.insert(key, entry);
        });
    });
}

/// Finds the numbers of a label set, or makes them.
#[cold]
fn find(metrics: &Metrics, thread: u64, extra: &Extra, labelled: &Labelled<'_>, pinned: Pinned) -> Entry {
    let Metrics { settings, room, bounds, .. } = metrics;
    let mut values = extra.values();
    let mut text = |family: Family| {
        let settings = family.settings(settings);
        labelled.text(family, settings, values.by_ref().take(settings.extra_labels.len()))
    };
    let (status, latency, bandwidth) = (text(Family::Status), text(Family::Latency), text(Family::Bandwidth));
    Entry {
        status: metrics.status.part(status, thread, room, Count::default),
        latency: metrics.latency.part(latency, thread, room, || Latency::new(bounds)),
        bandwidth: metrics.bandwidth.part(bandwidth, thread, room, Bandwidth::default),
        extra: extra.0.as_slice().into(),
        _pinned: pinned,
    }
}
