//! What is counted: every metric, once, as a type.
//!
//! Of a request each worker counts by itself, in numbers that no other worker writes: one look-up by a cheap key and
//! a handful of plain additions. Texts of labels are made, and locks taken, only for what a worker has not met yet.

mod exposition;
mod label;
mod name;
mod number;
mod recent;
mod series;
mod settings;
#[cfg(test)]
mod tests;
mod traffic;

pub use exposition::{Exposition, Gauge, Labels};
pub use label::{Family, Label, LabelSet, Labelled};
pub use name::Metric;
pub use recent::{Extra, Key, Pinned};
pub use settings::{ExtraLabel, FamilySettings, MetricSettings};
pub use traffic::{Traffic, TrafficTotals};

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use number::{Bandwidth, Bounds, Count, Latency};
use recent::Entry;
use series::Table;

/// What is counted of the requests of this process.
#[derive(Debug)]
pub struct Metrics {
    settings: MetricSettings,
    bounds: Bounds,
    /// Tells it from others in the same process.
    id: u64,
    /// Another one: what workers have at hand may have been given up.
    generation: AtomicU64,
    room: Room,
    status: Table<Count>,
    latency: Table<Latency>,
    bandwidth: Table<Bandwidth>,
    traffic: Mutex<Vec<Arc<Traffic>>>,
}

/// How many label sets there are, and may be.
#[derive(Debug)]
struct Room {
    taken: AtomicUsize,
    most: usize,
    /// What was not counted for want of it.
    refused: AtomicU64,
}

/// What is measured of one request, in nanoseconds and bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// From its head to the last byte of its answer.
    pub request: Duration,
    /// What of that the upstream took; `None` where none was asked.
    pub upstream: Option<Duration>,
    /// Bytes that came.
    pub ingress: u64,
    /// Bytes that went.
    pub egress: u64,
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new(settings: MetricSettings) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let (taken, refused) = (AtomicUsize::new(0), AtomicU64::new(0));
        Self {
            bounds: Bounds::new(&settings.buckets),
            id: LAST.fetch_add(1, Ordering::Relaxed) + 1,
            generation: AtomicU64::new(0),
            room: Room { taken, most: settings.max_series, refused },
            status: Table::default(),
            latency: Table::default(),
            bandwidth: Table::default(),
            traffic: Mutex::default(),
            settings,
        }
    }

    /// How it is counted.
    pub fn settings(&self) -> &MetricSettings {
        &self.settings
    }

    /// Counts a request. `key` says what its labels are made of, with `extra` for those that the settings add; only
    /// where this thread has not met both yet, `describe` is asked for the labels, and for what has to live as long
    /// as the key is good.
    #[inline]
    pub fn record(
        &self,
        key: Key,
        extra: &Extra,
        sample: &Sample,
        describe: impl FnOnce(&mut dyn FnMut(&Labelled<'_>, Pinned)),
    ) {
        recent::with(self, key, extra, |entry| self.add(entry, sample), describe);
    }

    #[inline]
    fn add(&self, entry: &Entry, sample: &Sample) {
        let at = crate::clock::recent().nanos();
        match &entry.status {
            Some(count) => count.add(at),
            None => self.room.miss(),
        }
        match &entry.latency {
            Some(latency) => latency.add(&self.bounds, sample.request, sample.upstream, at),
            None => self.room.miss(),
        }
        match &entry.bandwidth {
            Some(bandwidth) => bandwidth.add(sample.ingress, sample.egress, at),
            None => self.room.miss(),
        }
    }

    /// What one worker counts of its connections and requests, whether or not a plugin looks at them.
    pub fn traffic(&self) -> Arc<Traffic> {
        let traffic = Arc::new(Traffic::default());
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner).push(traffic.clone());
        traffic
    }

    /// That of all workers.
    pub fn totals(&self) -> TrafficTotals {
        let all = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|traffic| traffic.read()).sum()
    }
}

impl Room {
    /// Takes room for one more; `false` where there is none.
    fn take(&self) -> bool {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        let fits = taken < self.most;
        if !fits {
            self.taken.fetch_sub(1, Ordering::Relaxed);
        }
        fits
    }

    fn free(&self, count: usize) {
        self.taken.fetch_sub(count, Ordering::Relaxed);
    }

    fn miss(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}
