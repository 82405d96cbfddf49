//! What Prometheus is shown: requests as they were answered, each counted once, and the gateway itself.

mod exported;
mod requests;

use lockgate_tests::{Gateway, eventually};

const PATH: &str = "/apisix/prometheus/metrics";

/// All that is shown.
fn shown(gateway: &Gateway) -> String {
    let reply = gateway.metrics_get(PATH);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.get("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    reply.text()
}

/// The values of the metric whose labels have all of these, added up; `None` where none has.
fn value(text: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let values = text.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (own, written) = series.split_once('{').unwrap_or((series, "}"));
        let has = |(label, value): &(&str, &str)| {
            let written = format!(",{}", written.strip_suffix('}').unwrap_or_default());
            written.contains(&format!(",{label}=\"{value}\""))
        };
        (own == name && labels.iter().all(has)).then(|| value.parse::<f64>().expect("a number"))
    });
    let values: Vec<f64> = values.collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

/// Waits until that is the value, as a request is counted when its last byte is out; answers with all that is shown.
fn wait_for(gateway: &Gateway, name: &str, labels: &[(&str, &str)], expected: f64) -> String {
    eventually(&format!("{name}{labels:?} should be {expected}"), || {
        let text = shown(gateway);
        let is_there = value(&text, name, labels).is_some_and(|found| (found - expected).abs() < 0.5);
        // Of a request that was recorded while the text was written, it may have some values without the others.
        is_there.then(|| shown(gateway))
    })
}
