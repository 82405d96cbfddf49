//! Requests as they were answered, each counted once.

use lockgate_tests::{FakeUpstream, Function, Gateway, Settings, closed_port};
use serde_json::{Value, json};

use crate::{shown, value, wait_for};

const KEY: &str = "a-key-of-jack-that-must-not-leak";

fn upstream_of(upstream: &FakeUpstream) -> Value {
    json!({"type": "roundrobin", "nodes": {upstream.node(): 1}})
}

#[test]
fn a_request_is_counted_by_its_route_its_node_and_its_answer() {
    let upstream = FakeUpstream::fixed("hello");
    let gateway = Gateway::start();
    gateway.put("/services/s", json!({"upstream": upstream_of(&upstream), "name": "shop"}));
    let fields =
        json!({"uris": ["/other", "/goods/*"], "host": "*.shop.test", "name": "goods", "service_id": "s"});
    let mut route = fields.clone();
    route["plugins"] = json!({"prometheus": {}});
    gateway.put("/routes/1", route);
    for _ in 0..3 {
        assert_eq!(gateway.get_as("/goods/7", "www.shop.test").status, 200);
    }
    let labels = [
        ("code", "200"),
        ("route", "1"),
        ("matched_uri", "/goods/*"),
        ("matched_host", "*.shop.test"),
        ("service", "s"),
        ("consumer", ""),
        ("node", "127.0.0.1"),
        ("request_type", "traditional_http"),
        ("request_llm_model", ""),
        ("llm_model", ""),
        ("response_source", "upstream"),
    ];
    let text = wait_for(&gateway, "apisix_http_status", &labels, 3.0);
    let others = [("route", "1"), ("service", "s"), ("node", "127.0.0.1")];
    let of = |name: &str, label: (&str, &str)| value(&text, name, &[&others[..], &[label]].concat());
    for kind in ["request", "upstream", "apisix"] {
        assert_eq!(of("apisix_http_latency_count", ("type", kind)), Some(3.0), "{kind}");
        assert!(of("apisix_http_latency_sum", ("type", kind)).is_some(), "{kind}");
    }
    let line = "GET /goods/7 HTTP/1.1\r\nHost: www.shop.test\r\n\r\n";
    let ingress = u32::try_from(3 * line.len()).map(f64::from).ok();
    assert_eq!(of("apisix_bandwidth", ("type", "ingress")), ingress);
    let egress = of("apisix_bandwidth", ("type", "egress")).expect("answers were sent");
    assert!((30.0..3000.0).contains(&egress), "{egress}");
    assert!(text.contains("# TYPE apisix_http_latency histogram\n"), "{text}");
    assert!(text.contains("# HELP apisix_http_status HTTP status codes per service in APISIX\n"), "{text}");
}

#[test]
fn a_body_of_known_length_counts_as_what_came() {
    let upstream = FakeUpstream::fixed("ok");
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/up", "plugins": {"prometheus": {}}}), &upstream.node());
    assert_eq!(gateway.request("POST", "/up", &[], &[b'x'; 5000]).status, 200);
    let text = wait_for(&gateway, "apisix_http_status", &[("route", "1")], 1.0);
    let ingress = value(&text, "apisix_bandwidth", &[("type", "ingress")]).expect("it was counted");
    assert!((5040.0..5200.0).contains(&ingress), "{ingress}");
}

#[test]
fn names_take_the_place_of_ids_where_that_is_asked_for_and_there_are_any() {
    let upstream = FakeUpstream::fixed("ok");
    let gateway = Gateway::start();
    gateway.put("/services/s", json!({"upstream": upstream_of(&upstream), "name": "shop"}));
    let plugins = json!({"prometheus": {"prefer_name": true}});
    gateway.put("/routes/1", json!({"uri": "/a", "name": "goods", "service_id": "s", "plugins": plugins}));
    gateway.put("/routes/2", json!({"uri": "/b", "service_id": "s", "plugins": plugins}));
    gateway.get("/a");
    gateway.get("/b");
    wait_for(&gateway, "apisix_http_status", &[("route", "goods"), ("service", "shop")], 1.0);
    wait_for(&gateway, "apisix_http_status", &[("route", "2"), ("service", "shop")], 1.0);
    gateway.put("/routes/1", json!({"uri": "/a", "name": "wares", "service_id": "s", "plugins": plugins}));
    gateway.get("/a");
    wait_for(&gateway, "apisix_http_status", &[("route", "wares")], 1.0);
}

#[test]
fn a_global_rule_counts_what_no_route_counts_and_nothing_twice() {
    let upstream = FakeUpstream::fixed("ok");
    let gateway = Gateway::start();
    gateway.put("/global_rules/1", json!({"plugins": {"prometheus": {}}}));
    let own = json!({"prometheus": {"prefer_name": true}});
    gateway.route("1", json!({"uri": "/own", "name": "named", "plugins": own}), &upstream.node());
    let off = json!({"prometheus": {"_meta": {"disable": true}}});
    gateway.route("2", json!({"uri": "/off", "plugins": off}), &upstream.node());
    for path in ["/own", "/off", "/nowhere", "/own"] {
        gateway.get(path);
    }
    let nowhere =
        [("code", "404"), ("route", ""), ("matched_uri", ""), ("node", ""), ("response_source", "apisix")];
    // Each is counted when its answer is out, by a worker of its own.
    wait_for(&gateway, "apisix_http_status", &nowhere, 1.0);
    wait_for(&gateway, "apisix_http_status", &[("route", "2")], 1.0);
    let text = wait_for(&gateway, "apisix_http_status", &[("route", "named")], 2.0);
    let of = |route: &str| value(&text, "apisix_http_status", &[("route", route)]);
    assert_eq!((of("named"), of("1"), of("2")), (Some(2.0), None, Some(1.0)), "{text}");
    assert_eq!(value(&text, "apisix_http_latency_count", &[("type", "upstream"), ("route", "")]), None);
}

#[test]
fn a_consumer_is_counted_by_name_and_no_key_is_shown() {
    let upstream = FakeUpstream::fixed("ok");
    let gateway = Gateway::start();
    gateway.put("/consumers", json!({"username": "jack", "plugins": {"key-auth": {"key": KEY}}}));
    gateway.route("1", json!({"uri": "/k", "plugins": {"key-auth": {}, "prometheus": {}}}), &upstream.node());
    assert_eq!(gateway.request("GET", "/k", &[&format!("apikey: {KEY}")], b"").status, 200);
    assert_eq!(gateway.request("GET", &format!("/k?apikey={KEY}"), &[], b"").status, 200);
    assert_eq!(gateway.get("/k").status, 401);
    wait_for(&gateway, "apisix_http_status", &[("consumer", "jack"), ("code", "200")], 2.0);
    let refused = [("consumer", ""), ("code", "401"), ("response_source", "apisix")];
    let text = wait_for(&gateway, "apisix_http_status", &refused, 1.0);
    assert!(!text.contains(KEY), "{text}");
}

#[test]
fn a_function_is_no_node_but_its_time_is_the_upstreams() {
    let function = Function::start();
    let gateway = Gateway::start();
    let lambda = json!({
        "function_uri": format!("http://{}/", function.node()),
        "authorization": {"apikey": Function::KEY},
    });
    gateway.put("/routes/1", json!({"uri": "/f", "plugins": {"aws-lambda": lambda, "prometheus": {}}}));
    assert_eq!(gateway.get("/f").status, 200);
    let labels = [("route", "1"), ("node", ""), ("response_source", "upstream")];
    let text = wait_for(&gateway, "apisix_http_status", &labels, 1.0);
    assert_eq!(value(&text, "apisix_http_latency_count", &[("type", "upstream")]), Some(1.0), "{text}");
    assert!(!text.contains(Function::KEY), "{text}");
}

#[test]
fn an_answer_in_the_place_of_a_node_that_gave_none_is_nginxs() {
    let gateway = Gateway::start();
    let node = format!("127.0.0.1:{}", closed_port());
    gateway.route("1", json!({"uri": "/x", "plugins": {"prometheus": {}}}), &node);
    assert_eq!(gateway.get("/x").status, 502);
    wait_for(&gateway, "apisix_http_status", &[("code", "502"), ("response_source", "nginx")], 1.0);
}

#[test]
fn labels_are_left_empty_where_the_metadata_says_so() {
    let upstream = FakeUpstream::fixed("ok");
    let gateway = Gateway::start();
    gateway.route("1", json!({"uris": ["/a", "/b"], "plugins": {"prometheus": {}}}), &upstream.node());
    gateway.get("/a");
    wait_for(&gateway, "apisix_http_status", &[("matched_uri", "/a"), ("node", "127.0.0.1")], 1.0);
    let disabled = json!({"disabled_labels": {"http_status": ["matched_uri", "node"]}});
    gateway.put("/plugin_metadata/prometheus", disabled);
    gateway.get("/a");
    gateway.get("/b");
    let text = wait_for(&gateway, "apisix_http_status", &[("matched_uri", ""), ("node", "")], 2.0);
    assert_eq!(
        value(&text, "apisix_http_latency_count", &[("type", "request"), ("node", "127.0.0.1")]),
        Some(3.0)
    );
    for wrong in
        [json!({"http_status": ["code"]}), json!({"bandwidth": ["type"]}), json!({"llm_latency": []})]
    {
        let (status, refused) =
            gateway.admin("PUT", "/plugin_metadata/prometheus", json!({"disabled_labels": wrong}));
        assert_eq!(status, 400, "{refused}");
    }
}

#[test]
fn clients_cannot_make_more_series_than_there_is_room_for() {
    let upstream = FakeUpstream::fixed("ok");
    let labels = json!([{"who": "$arg_who"}, {"status": "upstream_status"}]);
    let settings = Settings::new()
        .set("plugin_attr.prometheus.metrics.http_status.extra_labels", labels)
        .set("lockgate.limits.metric_series", json!(4));
    let gateway = Gateway::with(settings);
    gateway.route("1", json!({"uri": "/x", "plugins": {"prometheus": {}}}), &upstream.node());
    for number in 0..6 {
        gateway.get(&format!("/x?who=client{number}"));
    }
    gateway.get("/x?who=client0");
    wait_for(&gateway, "apisix_nginx_metric_errors_total", &[], 4.0);
    let text = wait_for(&gateway, "apisix_http_status", &[("who", "client0"), ("status", "200")], 2.0);
    assert_eq!(value(&text, "apisix_http_status", &[("who", "client1")]), Some(1.0));
    assert_eq!(value(&text, "apisix_http_status", &[("who", "client2")]), None, "{text}");
    assert_eq!(value(&text, "apisix_bandwidth", &[("type", "egress"), ("who", "client0")]), None);
    assert_eq!(value(&text, "apisix_http_latency_count", &[("type", "request")]), Some(7.0), "{text}");
}

#[test]
fn every_worker_counts_and_the_sum_is_shown() {
    let upstream = FakeUpstream::fixed("ok");
    let gateway = Gateway::with(Settings::new().set("nginx_config.worker_processes", json!(4)));
    gateway.route("1", json!({"uri": "/x", "plugins": {"prometheus": {}}}), &upstream.node());
    for _ in 0..20 {
        assert_eq!(gateway.get("/x").status, 200);
    }
    wait_for(&gateway, "apisix_http_status", &[("route", "1")], 20.0);
    assert_eq!(value(&shown(&gateway), "apisix_http_latency_count", &[("type", "request")]), Some(20.0));
}
