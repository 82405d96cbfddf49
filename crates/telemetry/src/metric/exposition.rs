//! The text that Prometheus reads (format 0.0.4), in pieces: nobody holds all of it at once.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::label::Family;
use super::name::Metric;
use super::number::{Bandwidth, Count, Latency, Times};
use super::series::Series;
use super::{Metrics, TrafficTotals};
use crate::clock;

/// Label sets in one piece.
const AT_ONCE: usize = 128;

/// A metric whose values are known when they are asked for.
#[derive(Clone, Debug)]
pub struct Gauge {
    /// Which one.
    pub metric: Metric,
    /// Its values, each with its labels.
    pub values: Vec<(Labels, u64)>,
}

/// Labels as they stand between the braces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(String);

/// The text, piece by piece.
#[derive(Debug)]
pub struct Exposition {
    metrics: Arc<Metrics>,
    parts: VecDeque<Part>,
    /// Whether some of the first part is written.
    is_begun: bool,
}

/// A metric that is to be written, or what is left of it.
#[derive(Debug)]
enum Part {
    Gauge(Gauge),
    Status(Vec<Arc<Series<Count>>>),
    Latency(Vec<Arc<Series<Latency>>>),
    Bandwidth(Vec<Arc<Series<Bandwidth>>>),
}

impl Labels {
    /// No label.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(name);
        self.0.push_str("=\"");
        escape(&mut self.0, value);
        self.0.push('"');
        self
    }
}

impl Gauge {
    /// One value without labels.
    pub fn plain(metric: Metric, value: u64) -> Self {
        Self { metric, values: vec![(Labels::new(), value)] }
    }
}

impl Metrics {
    /// What has been counted until now, and `gauges`, in the order of the names. What is to be given up by now is.
    pub fn exposition(self: &Arc<Self>, gauges: Vec<Gauge>) -> Exposition {
        self.expire();
        let mut parts: Vec<Part> = gauges.into_iter().map(Part::Gauge).collect();
        parts.extend(traffic(&self.totals()).map(Part::Gauge));
        let refused = self.room.refused.load(Ordering::Relaxed);
        parts.push(Part::Gauge(Gauge::plain(Metric::ERRORS_TOTAL, refused)));
        parts.push(Part::Status(self.status.all()));
        parts.push(Part::Latency(self.latency.all()));
        parts.push(Part::Bandwidth(self.bandwidth.all()));
        parts.retain(|part| !part.is_empty());
        parts.sort_by_key(|part| part.metric().name);
        Exposition { metrics: self.clone(), parts: parts.into(), is_begun: false }
    }

    fn expire(&self) {
        let now = clock::now().nanos();
        let after = |family: Family| family.settings(&self.settings).expire;
        let gone = self.status.expire(after(Family::Status), now)
            + self.latency.expire(after(Family::Latency), now)
            + self.bandwidth.expire(after(Family::Bandwidth), now);
        if gone > 0 {
            self.room.free(gone);
            // What workers have at hand of them would be added to unseen.
            self.generation.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn traffic(totals: &TrafficTotals) -> impl Iterator<Item = Gauge> {
    let state = |state: &str, count| (Labels::new().with("state", state), count);
    let values = vec![
        state("accepted", totals.accepted),
        state("active", totals.active),
        state("handled", totals.accepted),
        state("waiting", totals.active.saturating_sub(totals.under_way)),
        state("writing", totals.under_way),
    ];
    let connections = Gauge { metric: Metric::CONNECTIONS, values };
    [connections, Gauge::plain(Metric::HTTP_REQUESTS_TOTAL, totals.requests)].into_iter()
}

impl Part {
    fn metric(&self) -> Metric {
        match self {
            Self::Gauge(gauge) => gauge.metric,
            Self::Status(_) => Metric::HTTP_STATUS,
            Self::Latency(_) => Metric::HTTP_LATENCY,
            Self::Bandwidth(_) => Metric::BANDWIDTH,
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Gauge(gauge) => gauge.values.is_empty(),
            Self::Status(all) => all.is_empty(),
            Self::Latency(all) => all.is_empty(),
            Self::Bandwidth(all) => all.is_empty(),
        }
    }
}

impl Iterator for Exposition {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let part = self.parts.front_mut()?;
        let metric = part.metric();
        let name = format!("{}{}", self.metrics.settings.prefix, metric.name);
        let mut out = Out { text: String::new(), name };
        if !std::mem::replace(&mut self.is_begun, true) {
            out.head(&metric);
        }
        match part {
            Part::Gauge(gauge) => {
                for (labels, value) in gauge.values.drain(..) {
                    out.line("", "", &labels.0, &value);
                }
            }
            Part::Status(all) => out.some(all, |out, series| out.line("", "", &series.labels, &series.sum())),
            Part::Latency(all) => {
                let bounds = self.metrics.bounds.texts();
                out.some(all, |out, series| {
                    for (kind, times) in ["request", "upstream", "apisix"].iter().zip(&series.sum()) {
                        out.histogram(kind, &series.labels, bounds, times);
                    }
                });
            }
            Part::Bandwidth(all) => out.some(all, |out, series| {
                for (kind, bytes) in ["ingress", "egress"].iter().zip(&series.sum()) {
                    out.line("", &format!("type=\"{kind}\","), &series.labels, bytes);
                }
            }),
        }
        if part.is_empty() {
            self.parts.pop_front();
            self.is_begun = false;
        }
        Some(out.text.into_bytes())
    }
}

/// What is written of one metric.
struct Out {
    text: String,
    name: String,
}

impl Out {
    fn head(&mut self, metric: &Metric) {
        let Self { text, name } = self;
        // Writing to memory cannot fail.
        let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {}", metric.help, metric.kind);
    }

    fn line(&mut self, suffix: &str, first: &str, labels: &str, value: &dyn std::fmt::Display) {
        let Self { text, name } = self;
        let _ = if first.is_empty() && labels.is_empty() {
            writeln!(text, "{name}{suffix} {value}")
        } else {
            writeln!(text, "{name}{suffix}{{{first}{labels}}} {value}")
        };
    }

    fn some<N>(&mut self, all: &mut Vec<Arc<Series<N>>>, mut write: impl FnMut(&mut Self, &Series<N>)) {
        for series in all.drain(..all.len().min(AT_ONCE)) {
            write(self, &series);
        }
    }

    /// What never happened is not there.
    fn histogram(&mut self, kind: &str, labels: &str, bounds: &[String], times: &Times) {
        let count: u64 = times.buckets.iter().sum();
        if count == 0 {
            return;
        }
        let mut so_far = 0;
        let bounds = bounds.iter().map(String::as_str).chain(["+Inf"]);
        for (bound, bucket) in bounds.zip(&times.buckets) {
            so_far += bucket;
            self.line("_bucket", &format!("type=\"{kind}\","), &format!("{labels},le=\"{bound}\""), &so_far);
        }
        let first = format!("type=\"{kind}\",");
        self.line("_count", &first, labels, &count);
        #[expect(clippy::cast_precision_loss, reason = "a sum of times needs no more digits")]
        let millis = times.nanos as f64 / 1e6;
        self.line("_sum", &first, labels, &millis);
    }
}

/// Writes a value of a label: what would end it is marked.
pub(super) fn escape(out: &mut String, value: &str) {
    for letter in value.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            letter => out.push(letter),
        }
    }
}
