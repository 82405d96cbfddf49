//! `plugin_attr.prometheus`: what is counted, and where it is shown.

use std::net::{Ipv4Addr, SocketAddr};

use lockgate_plugin::Variable;
use lockgate_telemetry::metric::{ExtraLabel, Family, FamilySettings, MetricSettings};
use serde_json::Value;

use super::read::{Place, Readable, Section};
use super::section::read_address;

/// Buckets of a histogram at most: each costs a number for every label set.
const MOST_BUCKETS: usize = 64;

/// What is counted, and where it is shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Metrics {
    /// `enable_export_server` and `export_addr`: where metrics are shown, where they are. Default: 127.0.0.1:9091.
    pub(crate) export: Option<SocketAddr>,
    /// Whether the program goes on where that is taken: in `lockgate dev`.
    pub(crate) is_export_optional: bool,
    /// `export_uri`: the path. Default: `/apisix/prometheus/metrics`.
    pub(crate) export_uri: String,
    /// `metric_prefix`, `default_buckets` and `metrics`; of `lockgate.limits`, `metric_series`. Default: APISIX's, and
    /// 100000.
    pub(crate) counted: MetricSettings,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            export: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9091))),
            is_export_optional: false,
            export_uri: "/apisix/prometheus/metrics".to_owned(),
            counted: MetricSettings::default(),
        }
    }
}

/// Reads `plugin_attr.prometheus`.
pub(super) fn read(section: &mut Section<'_>, metrics: &mut Metrics) {
    if let Some(place) = section.place("export_uri") {
        match place.text().filter(|path| path.starts_with('/') && !path.contains(['?', '#'])) {
            Some(path) => path.clone_into(&mut metrics.export_uri),
            None => place.refuse("a path such as /metrics").unwrap_or_default(),
        }
    }
    if let Some(place) = section.place("metric_prefix") {
        match place.text().filter(|text| is_name(text, true) || text.is_empty()) {
            Some(prefix) => prefix.clone_into(&mut metrics.counted.prefix),
            None => place.refuse("the beginning of a name such as apisix_").unwrap_or_default(),
        }
    }
    section.within("export_addr", |section| {
        if let Some(address) = metrics.export.as_mut() {
            read_address(section, address);
        }
    });
    if section.get("enable_export_server") == Some(false) {
        metrics.export = None;
    }
    if let Some(Buckets(buckets)) = section.get("default_buckets") {
        metrics.counted.buckets = buckets;
    }
    let counted = &mut metrics.counted;
    section.within("metrics", |section| {
        read_family(section, "http_status", Family::Status, &mut counted.status);
        read_family(section, "http_latency", Family::Latency, &mut counted.latency);
        read_family(section, "bandwidth", Family::Bandwidth, &mut counted.bandwidth);
    });
}

fn read_family(section: &mut Section<'_>, key: &'static str, family: Family, settings: &mut FamilySettings) {
    section.within(key, |section| {
        section.set("expire", &mut settings.expire);
        let Some(place) = section.place("extra_labels") else { return };
        let Some(labels) = Vec::<ExtraLabel>::read(&place) else { return };
        let is_twice = |at: usize, name: &str| labels[..at].iter().any(|other| other.name == name);
        match labels.iter().enumerate().find(|(at, one)| family.has(&one.name) || is_twice(*at, &one.name)) {
            Some((_, label)) => {
                place.complain::<()>(format!("the label {} is there already", label.name));
            }
            None => settings.extra_labels = labels,
        }
    });
}

impl Readable for ExtraLabel {
    fn read(place: &Place<'_>) -> Option<Self> {
        let written = place.value.as_object().filter(|fields| fields.len() == 1);
        let written = written.and_then(|fields| fields.iter().next());
        let Some((name, Value::String(variable))) = written else {
            return place.refuse("a mapping such as upstream_addr: $upstream_addr");
        };
        if !is_name(name, false) || name.starts_with("__") {
            return place.complain(format!("{name} cannot be the name of a label"));
        }
        let variable = variable.strip_prefix('$').unwrap_or(variable).to_owned();
        if Variable::parse(&variable).is_none() {
            return place.complain(format!("there is no variable ${variable}"));
        }
        Some(Self { name: name.clone(), variable })
    }
}

/// Upper bounds in milliseconds.
struct Buckets(Vec<f64>);

impl Readable for Buckets {
    fn read(place: &Place<'_>) -> Option<Self> {
        let bounds = place.value.as_array().filter(|list| (1..=MOST_BUCKETS).contains(&list.len()));
        let bound = |bound: &Value| bound.as_f64().filter(|bound| *bound > 0.0);
        let bounds = bounds.and_then(|list| list.iter().map(bound).collect::<Option<_>>());
        let expected = || place.refuse(format_args!("a list of 1 to {MOST_BUCKETS} positive numbers"));
        bounds.map(Self).or_else(expected)
    }
}

/// Whether Prometheus takes it for a name, of a metric or of a label.
fn is_name(text: &str, is_of_metric: bool) -> bool {
    let fits =
        |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || (is_of_metric && letter == ':');
    text.starts_with(|first: char| !first.is_ascii_digit()) && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::settings::Settings;

    fn read(written: &str) -> Result<Metrics, String> {
        let read = Settings::parse(&format!("plugin_attr: {{prometheus: {written}}}"), |_| None);
        read.map(|(settings, warnings)| {
            assert_eq!(warnings, []);
            settings.metrics
        })
        .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_written_is_apisixs_default() {
        assert_eq!(read("{}").unwrap(), Metrics::default());
        let metrics = read("{export_addr: {ip: 0.0.0.0}, enable_export_server: true}").unwrap();
        assert_eq!(metrics.export, Some("0.0.0.0:9091".parse().unwrap()));
        let metrics = read("{enable_export_server: false, export_addr: {port: 1}}").unwrap();
        assert_eq!(metrics.export, None);
    }

    #[test]
    fn labels_are_variables_under_a_name() {
        let written = "{metrics: {http_status: {extra_labels: [{upstream: $upstream_addr}, {who: remote_addr}], \
                       expire: 60}, bandwidth: {expire: 1h}}}";
        let counted = read(written).unwrap().counted;
        let label = |name: &str, variable: &str| ExtraLabel { name: name.into(), variable: variable.into() };
        assert_eq!(
            counted.status.extra_labels,
            [label("upstream", "upstream_addr"), label("who", "remote_addr")]
        );
        assert_eq!(counted.status.expire, Duration::from_mins(1));
        assert_eq!(counted.bandwidth.expire, Duration::from_hours(1));
        assert_eq!(counted.latency, FamilySettings::default());
    }

    #[test]
    fn mistakes_are_named() {
        for (written, why) in [
            ("{export_uri: metrics}", "export_uri: expected a path such as /metrics"),
            ("{metric_prefix: a-b}", "metric_prefix: expected the beginning of a name"),
            ("{default_buckets: []}", "default_buckets: expected a list of 1 to 64 positive numbers"),
            ("{default_buckets: [1, x]}", "default_buckets"),
            ("{metrics: {bandwidth: {extra_labels: [a]}}}", "bandwidth.extra_labels[0]: expected a mapping"),
            ("{metrics: {bandwidth: {extra_labels: [{a: $no}]}}}", "there is no variable $no"),
            ("{metrics: {bandwidth: {extra_labels: [{1a: $uri}]}}}", "1a cannot be the name of a label"),
            ("{metrics: {bandwidth: {extra_labels: [{type: $uri}]}}}", "the label type is there already"),
            (
                "{metrics: {http_status: {extra_labels: [{a: $uri}, {a: $host}]}}}",
                "the label a is there already",
            ),
        ] {
            let said = read(written).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn dev_shows_them_on_loopback_or_not_at_all() {
        let dev = |yaml: &str| Settings::parse(yaml, |_| None).unwrap().0.on_loopback(None);
        assert!(dev("").unwrap().metrics.is_export_optional);
        let said = dev("plugin_attr: {prometheus: {export_addr: {ip: 0.0.0.0}}}").unwrap_err().to_string();
        assert!(said.starts_with("plugin_attr.prometheus.export_addr: lockgate dev listens"), "{said}");
    }
}
