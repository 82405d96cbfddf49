//! Numbers that one thread writes and others read: to add is a load and a store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that only one thread adds to.
#[derive(Debug, Default)]
pub(super) struct Number(AtomicU64);

impl Number {
    #[inline]
    pub(super) fn add(&self, count: u64) {
        self.set(self.get().wrapping_add(count));
    }

    #[inline]
    pub(super) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one thread has counted for one label set.
pub(super) trait Part {
    /// What all threads have, added up.
    type Sum: Default;

    /// When it was last added to.
    fn touched(&self) -> u64;
    fn add_to(&self, sum: &mut Self::Sum);
}

/// Requests.
#[derive(Debug, Default)]
pub(super) struct Count {
    count: Number,
    touched: Number,
}

impl Count {
    #[inline]
    pub(super) fn add(&self, at: u64) {
        self.count.add(1);
        self.touched.set(at);
    }
}

impl Part for Count {
    type Sum = u64;

    fn touched(&self) -> u64 {
        self.touched.get()
    }

    fn add_to(&self, sum: &mut u64) {
        *sum += self.count.get();
    }
}

/// Bytes by direction.
#[derive(Debug, Default)]
pub(super) struct Bandwidth {
    ingress: Number,
    egress: Number,
    touched: Number,
}

impl Bandwidth {
    #[inline]
    pub(super) fn add(&self, ingress: u64, egress: u64, at: u64) {
        self.ingress.add(ingress);
        self.egress.add(egress);
        self.touched.set(at);
    }
}

impl Part for Bandwidth {
    type Sum = [u64; 2];

    fn touched(&self) -> u64 {
        self.touched.get()
    }

    fn add_to(&self, [ingress, egress]: &mut [u64; 2]) {
        *ingress += self.ingress.get();
        *egress += self.egress.get();
    }
}

/// The upper bounds of the buckets of a histogram, the least first.
#[derive(Debug)]
pub(super) struct Bounds {
    nanos: Box<[u64]>,
    texts: Box<[String]>,
}

impl Bounds {
    /// From milliseconds in any order; what is no positive number is left out.
    pub(super) fn new(millis: &[f64]) -> Self {
        let mut millis: Vec<f64> = millis.iter().copied().filter(|bound| *bound > 0.0).collect();
        millis.sort_by(f64::total_cmp);
        millis.dedup();
        let nanos = |bound: &f64| {
            let time = Duration::try_from_secs_f64(bound / 1000.0).unwrap_or(Duration::MAX);
            nanos(time)
        };
        Self { nanos: millis.iter().map(nanos).collect(), texts: millis.iter().map(f64::to_string).collect() }
    }

    /// As they are written, without the last one, which is `+Inf`.
    pub(super) fn texts(&self) -> &[String] {
        &self.texts
    }

    /// The bucket of a time.
    #[inline]
    fn bucket(&self, nanos: u64) -> usize {
        self.nanos.partition_point(|bound| *bound < nanos)
    }
}

/// How long something took.
#[derive(Debug)]
struct Histogram {
    /// Times in each bucket alone, those beyond the last bound at the end.
    buckets: Box<[Number]>,
    /// In nanoseconds.
    sum: Number,
}

impl Histogram {
    fn new(bounds: &Bounds) -> Self {
        let buckets = (0..=bounds.nanos.len()).map(|_| Number::default()).collect();
        Self { buckets, sum: Number::default() }
    }

    #[inline]
    fn add(&self, bounds: &Bounds, nanos: u64) {
        // There is a bucket for each bound, and one more.
        if let Some(bucket) = self.buckets.get(bounds.bucket(nanos)) {
            bucket.add(1);
        }
        self.sum.add(nanos);
    }

    fn add_to(&self, sum: &mut Times) {
        sum.buckets.resize(self.buckets.len(), 0);
        for (sum, own) in sum.buckets.iter_mut().zip(&self.buckets) {
            *sum += own.get();
        }
        sum.nanos += self.sum.get();
    }
}

/// A histogram as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    /// Times in each bucket alone.
    pub(super) buckets: Vec<u64>,
    /// All of them together.
    pub(super) nanos: u64,
}

/// How long requests took: all of it, the upstream's part, and the rest.
#[derive(Debug)]
pub(super) struct Latency {
    request: Histogram,
    upstream: Histogram,
    own: Histogram,
    touched: Number,
}

impl Latency {
    pub(super) fn new(bounds: &Bounds) -> Self {
        let histogram = || Histogram::new(bounds);
        Self { request: histogram(), upstream: histogram(), own: histogram(), touched: Number::default() }
    }

    #[inline]
    pub(super) fn add(&self, bounds: &Bounds, request: Duration, upstream: Option<Duration>, at: u64) {
        let request = nanos(request);
        self.request.add(bounds, request);
        let mut own = request;
        if let Some(upstream) = upstream {
            let upstream = nanos(upstream);
            self.upstream.add(bounds, upstream);
            own = request.saturating_sub(upstream);
        }
        self.own.add(bounds, own);
        self.touched.set(at);
    }
}

impl Part for Latency {
    /// The request's, the upstream's, and our own.
    type Sum = [Times; 3];

    fn touched(&self) -> u64 {
        self.touched.get()
    }

    fn add_to(&self, [request, upstream, own]: &mut [Times; 3]) {
        self.request.add_to(request);
        self.upstream.add_to(upstream);
        self.own.add_to(own);
    }
}

#[inline]
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
