//! What is written, and that the parts of all threads add up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::label::{Label, LabelSet, Labelled};
use super::settings::{ExtraLabel, FamilySettings};
use super::{Extra, Gauge, Key, Labels, Metric, MetricSettings, Metrics, Sample};

fn text(metrics: &Arc<Metrics>, gauges: Vec<Gauge>) -> String {
    let bytes: Vec<u8> = metrics.exposition(gauges).flatten().collect();
    String::from_utf8(bytes).unwrap()
}

fn sample(request: u64, upstream: Option<u64>) -> Sample {
    let millis = Duration::from_millis;
    Sample { request: millis(request), upstream: upstream.map(millis), ingress: 10, egress: 100 }
}

/// Counts a request whose key is the number of its route.
fn record(metrics: &Metrics, route: u64, sample: &Sample) {
    let name = format!("r{route}");
    metrics.record(Key::new([route, 0, 0, 0, 0, 0, 0]), &Extra::default(), sample, |describe| {
        describe(&Labelled { code: 200, route: &name, ..Labelled::default() }, None);
    });
}

fn lines<'a>(text: &'a str, start: &'a str) -> Vec<&'a str> {
    text.lines().filter(|line| line.starts_with(start)).collect()
}

#[test]
fn a_request_is_written_as_apisix_writes_it() {
    let metrics =
        Arc::new(Metrics::new(MetricSettings { buckets: vec![10.0, 0.5, 10.0], ..Default::default() }));
    let request = Labelled {
        code: 200,
        route: "p9",
        matched_uri: "/ts",
        matched_host: "a.test",
        service: "s1",
        consumer: "jack",
        node: "127.0.0.1",
        response_source: "upstream",
        disabled: Default::default(),
    };
    let key = Key::new([1, 2, 3, 4, 5, 6, 7]);
    metrics.record(key, &Extra::default(), &sample(12, Some(10)), |describe| describe(&request, None));
    let text = text(&metrics, vec![Gauge::plain(Metric::ETCD_REACHABLE, 1)]);
    let others = r#"route="p9",service="s1",consumer="jack",node="127.0.0.1",request_type="traditional_http",request_llm_model="",llm_model="""#;
    let expected = format!(
        r#"# HELP apisix_bandwidth Total bandwidth in bytes consumed per service in APISIX
# TYPE apisix_bandwidth counter
apisix_bandwidth{{type="ingress",{others}}} 10
apisix_bandwidth{{type="egress",{others}}} 100
# HELP apisix_etcd_reachable Config server etcd reachable from APISIX, 0 is unreachable
# TYPE apisix_etcd_reachable gauge
apisix_etcd_reachable 1
# HELP apisix_http_latency HTTP request latency in milliseconds per service in APISIX
# TYPE apisix_http_latency histogram
apisix_http_latency_bucket{{type="request",{others},le="0.5"}} 0
apisix_http_latency_bucket{{type="request",{others},le="10"}} 0
apisix_http_latency_bucket{{type="request",{others},le="+Inf"}} 1
apisix_http_latency_count{{type="request",{others}}} 1
apisix_http_latency_sum{{type="request",{others}}} 12
apisix_http_latency_bucket{{type="upstream",{others},le="0.5"}} 0
apisix_http_latency_bucket{{type="upstream",{others},le="10"}} 1
apisix_http_latency_bucket{{type="upstream",{others},le="+Inf"}} 1
apisix_http_latency_count{{type="upstream",{others}}} 1
apisix_http_latency_sum{{type="upstream",{others}}} 10
apisix_http_latency_bucket{{type="apisix",{others},le="0.5"}} 0
apisix_http_latency_bucket{{type="apisix",{others},le="10"}} 1
apisix_http_latency_bucket{{type="apisix",{others},le="+Inf"}} 1
apisix_http_latency_count{{type="apisix",{others}}} 1
apisix_http_latency_sum{{type="apisix",{others}}} 2
# HELP apisix_http_requests_total The total number of client requests since APISIX started
# TYPE apisix_http_requests_total gauge
apisix_http_requests_total 0
# HELP apisix_http_status HTTP status codes per service in APISIX
# TYPE apisix_http_status counter
apisix_http_status{{code="200",route="p9",matched_uri="/ts",matched_host="a.test",service="s1",consumer="jack",node="127.0.0.1",request_type="traditional_http",request_llm_model="",llm_model="",response_source="upstream"}} 1
"#
    );
    assert!(text.starts_with(&expected), "{text}");
    assert!(text.contains("# TYPE apisix_nginx_http_current_connections gauge\n"), "{text}");
    assert!(text.ends_with("\napisix_nginx_metric_errors_total 0\n"), "{text}");
}

#[test]
fn what_would_end_a_value_is_marked() {
    let labels = Labels::new().with("a", "x\"y\\z\n").with("b", "é");
    let metrics = Arc::new(Metrics::new(MetricSettings { prefix: "own_".to_owned(), ..Default::default() }));
    let gauge = Gauge { metric: Metric::NODE_INFO, values: vec![(labels, 1)] };
    assert!(text(&metrics, vec![gauge]).contains("own_node_info{a=\"x\\\"y\\\\z\\n\",b=\"é\"} 1\n"));
}

#[test]
fn a_disabled_label_is_empty_in_its_own_family_and_its_series_are_one() {
    let metrics = Arc::new(Metrics::new(MetricSettings::default()));
    for (number, node) in [(1, "10.0.0.1"), (2, "10.0.0.2")] {
        let disabled =
            [[Label::Node, Label::Code].into_iter().collect(), LabelSet::default(), LabelSet::default()];
        let request = Labelled { code: 200, node, disabled, ..Labelled::default() };
        let key = Key::new([number, 0, 0, 0, 0, 0, 0]);
        metrics.record(key, &Extra::default(), &sample(1, None), |describe| describe(&request, None));
    }
    let text = text(&metrics, Vec::new());
    let status = lines(&text, "apisix_http_status{");
    assert!(status.len() == 1 && status[0].ends_with(" 2") && status[0].contains("node=\"\""), "{text}");
    assert!(status[0].contains("code=\"200\""), "what tells series apart stays");
    assert_eq!(lines(&text, "apisix_bandwidth{type=\"egress\"").len(), 2);
}

#[test]
fn there_are_no_more_series_than_there_is_room_for() {
    let metrics = Arc::new(Metrics::new(MetricSettings { max_series: 6, ..Default::default() }));
    for _ in 0..3 {
        (0..4).for_each(|route| record(&metrics, route, &sample(1, None)));
    }
    let text = text(&metrics, Vec::new());
    for family in [
        "apisix_http_status{",
        "apisix_bandwidth{type=\"egress\"",
        "apisix_http_latency_sum{type=\"request\"",
    ] {
        assert_eq!(lines(&text, family).len(), 2, "{text}");
    }
    assert!(
        text.contains("apisix_nginx_metric_errors_total 18\n"),
        "three of two routes, three times: {text}"
    );
}

#[test]
fn labels_that_the_settings_add_are_told_apart_by_their_values() {
    let label = |name: &str| ExtraLabel { name: name.to_owned(), variable: String::new() };
    let extra = |names: &[&str]| FamilySettings {
        extra_labels: names.iter().map(|name| label(name)).collect(),
        ..FamilySettings::default()
    };
    let settings =
        MetricSettings { status: extra(&["a", "b"]), bandwidth: extra(&["c"]), ..Default::default() };
    let metrics = Arc::new(Metrics::new(settings));
    let long = "x".repeat(300);
    for values in [["1", "", "2"], ["1", "", "2"], ["", "1", "2"], [&long, "", "3"]] {
        let mut extra = Extra::default();
        for value in values {
            extra.add(|out| out.extend_from_slice(value.as_bytes()));
        }
        metrics.record(Key::new([0; 7]), &extra, &sample(1, None), |describe| {
            describe(&Labelled::default(), None);
        });
    }
    let text = text(&metrics, Vec::new());
    for end in [",a=\"1\",b=\"\"} 2", ",a=\"\",b=\"1\"} 1", &format!(",a=\"{}\",b=\"\"}} 1", &long[..256])] {
        assert!(lines(&text, "apisix_http_status{").iter().any(|line| line.ends_with(end)), "{end}: {text}");
    }
    assert_eq!(lines(&text, "apisix_bandwidth{type=\"egress\"").len(), 2, "{text}");
    assert_eq!(lines(&text, "apisix_http_latency_sum{type=\"request\"").len(), 1, "{text}");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_met_for_long_is_given_up_and_begins_anew() {
    let expire = Duration::from_mins(1);
    let settings = MetricSettings {
        status: FamilySettings { expire, ..FamilySettings::default() },
        max_series: 6,
        ..Default::default()
    };
    let metrics = Arc::new(Metrics::new(settings));
    let count = |metrics: &Arc<Metrics>| lines(&text(metrics, Vec::new()), "apisix_http_status{").len();
    let advance = async |seconds| {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        crate::clock::now();
    };
    // The clock begins when it is first looked at.
    crate::clock::now();
    advance(1).await;
    (0..2).for_each(|route| record(&metrics, route, &sample(1, None)));
    advance(59).await;
    record(&metrics, 1, &sample(1, None));
    assert_eq!(count(&metrics), 2);
    advance(2).await;
    assert_eq!(count(&metrics), 1);
    record(&metrics, 0, &sample(1, None));
    let text = text(&metrics, Vec::new());
    let ends: Vec<_> =
        lines(&text, "apisix_http_status{").iter().filter_map(|line| line.chars().last()).collect();
    assert_eq!(ends, ['1', '2'], "{text}");
    assert!(lines(&text, "apisix_bandwidth{type=\"egress\"")[0].ends_with(" 200"), "{text}");
}

#[test]
fn what_lies_at_an_address_in_a_key_stays_there() {
    let metrics = Arc::new(Metrics::new(MetricSettings::default()));
    let consumer: Arc<String> = Arc::new("jack".to_owned());
    let kept = consumer.clone();
    metrics.record(Key::new([1; 7]), &Extra::default(), &sample(1, None), |describe| {
        describe(&Labelled { consumer: &consumer, ..Labelled::default() }, Some(consumer.clone()));
    });
    drop(consumer);
    assert_eq!(Arc::strong_count(&kept), 2);
}

/// What one thread counts: of which route, and how long it took.
type Work = Vec<(u64, u64, Option<u64>)>;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn the_parts_of_all_threads_add_up(
        work in proptest::collection::vec(
            proptest::collection::vec((0..5_u64, 0..70_000_u64, proptest::option::of(0..100_u64)), 0..40),
            1..4,
        )
    ) {
        let metrics = Arc::new(Metrics::new(MetricSettings::default()));
        std::thread::scope(|scope| {
            for work in &work {
                let metrics = &metrics;
                scope.spawn(move || {
                    for (route, time, part) in work {
                        record(metrics, *route, &sample(*time, *part));
                    }
                });
            }
        });
        let text = text(&metrics, Vec::new());
        prop_assert_eq!(naive(&work), read(&text));
    }
}

/// Routes, each with its requests, its times in milliseconds, its upstream's, and its requests of up to 1 s.
fn naive(work: &[Work]) -> BTreeMap<u64, [u64; 4]> {
    let mut all = BTreeMap::new();
    for (route, time, part) in work.iter().flatten() {
        let [count, sum, upstream, quick] = all.entry(*route).or_insert([0; 4]);
        *count += 1;
        *sum += time;
        *upstream += part.unwrap_or(0);
        *quick += u64::from(*time <= 1000);
    }
    all
}

fn read(text: &str) -> BTreeMap<u64, [u64; 4]> {
    let mut all = BTreeMap::new();
    for (at, start, end) in [
        (0, "apisix_http_status{", ""),
        (1, "apisix_http_latency_sum{type=\"request\"", ""),
        (2, "apisix_http_latency_sum{type=\"upstream\"", ""),
        (3, "apisix_http_latency_bucket{type=\"request\"", "le=\"1000\""),
    ] {
        for line in lines(text, start).into_iter().filter(|line| line.contains(end)) {
            let (labels, value) = line.rsplit_once(' ').unwrap();
            let route = labels.split("route=\"r").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
            all.entry(route).or_insert([0; 4])[at] = value.parse().unwrap();
        }
    }
    all
}
