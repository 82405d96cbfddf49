//! How it is counted, fixed at start-up.

use std::time::Duration;

/// How it is counted.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricSettings {
    /// What every name begins with.
    pub prefix: String,
    /// The upper bounds of the buckets of latencies, in milliseconds, in any order.
    pub buckets: Vec<f64>,
    /// Of `http_status`.
    pub status: FamilySettings,
    /// Of `http_latency`.
    pub latency: FamilySettings,
    /// Of `bandwidth`.
    pub bandwidth: FamilySettings,
    /// Label sets at most, of the three together. What would have another one is not counted.
    pub max_series: usize,
}

/// What is particular of a family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FamilySettings {
    /// Labels behind its own.
    pub extra_labels: Vec<ExtraLabel>,
    /// A label set that was not met for so long is given up; zero for never.
    pub expire: Duration,
}

/// A label that the settings add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraLabel {
    /// Its name.
    pub name: String,
    /// The variable of a request that is its value, without `$`.
    pub variable: String,
}

impl Default for MetricSettings {
    fn default() -> Self {
        let buckets = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000];
        Self {
            prefix: "apisix_".to_owned(),
            buckets: buckets.into_iter().map(f64::from).collect(),
            status: FamilySettings::default(),
            latency: FamilySettings::default(),
            bandwidth: FamilySettings::default(),
            max_series: 100_000,
        }
    }
}
