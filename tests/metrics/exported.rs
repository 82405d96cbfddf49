//! The export server, and what it shows of the gateway itself.

use std::net::TcpStream;

use lockgate_tests::{Connection, FakeUpstream, Gateway, Settings, closed_port};
use serde_json::json;

use crate::{PATH, shown, value, wait_for};

#[test]
fn the_gateway_is_shown_before_anything_is_counted() {
    let gateway = Gateway::start();
    let text = shown(&gateway);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(value(&text, "apisix_node_info", &[("version", version)]), Some(1.0), "{text}");
    assert_eq!(value(&text, "apisix_nginx_metric_errors_total", &[]), Some(0.0));
    assert!(!text.contains("apisix_http_status"), "{text}");
    assert!(!text.contains("etcd_reachable"), "there is no etcd: {text}");
    let head = format!("HEAD {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let mut connection = Connection::open(gateway.metrics);
    connection.send(head).expect("it is there");
    let reply = connection.try_reply_to("HEAD").expect("it answers").expect("it answers");
    assert_eq!((reply.status, reply.body.len()), (200, 0));
}

#[test]
fn connections_and_requests_are_counted_without_any_plugin() {
    let gateway = Gateway::start();
    let before = value(&shown(&gateway), "apisix_http_requests_total", &[]).expect("it is always there");
    let mut kept = gateway.connect();
    let request = "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n";
    for _ in 0..3 {
        kept.send(request).expect("it is open");
        assert_eq!(kept.try_reply_to("GET").expect("it answers").expect("it answers").status, 404);
    }
    let text = wait_for(&gateway, "apisix_http_requests_total", &[], before + 3.0);
    let connections = |state| value(&text, "apisix_nginx_http_current_connections", &[("state", state)]);
    assert_eq!(connections("accepted"), connections("handled"));
    assert!(connections("accepted") >= Some(2.0), "{text}");
    wait_for(&gateway, "apisix_nginx_http_current_connections", &[("state", "waiting")], 1.0);
    drop(kept);
    wait_for(&gateway, "apisix_nginx_http_current_connections", &[("state", "active")], 0.0);
}

#[test]
fn revisions_are_shown_by_kind() {
    let gateway = Gateway::start();
    gateway.put("/upstreams/u", json!({"nodes": {"127.0.0.1:1": 1}}));
    gateway.put("/routes/1", json!({"uri": "/x", "upstream_id": "u"}));
    let text = shown(&gateway);
    let of = |key| value(&text, "apisix_etcd_modify_indexes", &[("key", key)]).expect("it is shown");
    assert!(of("routes") > of("upstreams") && of("upstreams") > 0.0, "{text}");
    assert!(of("max_modify_index") >= of("routes") && of("services") == 0.0, "{text}");
}

#[test]
fn the_health_of_checked_nodes_is_shown() {
    let upstream = FakeUpstream::fixed("ok");
    let gateway = Gateway::start();
    let gone = closed_port();
    let checks = json!({"active": {
        "http_path": "/well",
        "healthy": {"interval": 1, "successes": 1},
        "unhealthy": {"interval": 1, "tcp_failures": 1},
    }});
    let nodes = json!({upstream.node(): 1, format!("127.0.0.1:{gone}"): 1});
    gateway.put("/upstreams/u", json!({"nodes": nodes, "checks": checks}));
    gateway.put("/routes/1", json!({"uri": "/x", "upstream_id": "u"}));
    let at = |port: &str, status| {
        let labels = [("name", "/apisix/upstreams/u"), ("ip", "127.0.0.1"), ("port", port)];
        wait_for(&gateway, "apisix_upstream_status", &labels, status)
    };
    at(&gone.to_string(), 0.0);
    at(&upstream.port().to_string(), 1.0);
}

#[test]
fn the_settings_say_where_and_how() {
    let upstream = FakeUpstream::fixed("ok");
    let settings = Settings::new()
        .set("plugin_attr.prometheus.export_uri", json!("/own:*/{metrics}"))
        .set("plugin_attr.prometheus.metric_prefix", json!("own_"))
        .set("plugin_attr.prometheus.default_buckets", json!([60000, 0.5]));
    let gateway = Gateway::with(settings);
    gateway.route("1", json!({"uri": "/x", "plugins": {"prometheus": {}}}), &upstream.node());
    gateway.get("/x");
    let text = lockgate_tests::eventually("the request should be counted", || {
        let text = gateway.metrics_get("/own:*/{metrics}?x=1").text();
        text.contains("own_http_status{").then_some(text)
    });
    let bounds: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("own_http_latency_bucket{type=\"request\""))
        .filter_map(|line| line.split("le=\"").nth(1)?.split('"').next())
        .collect();
    assert_eq!(bounds, ["0.5", "60000", "+Inf"]);
    assert!(!text.contains("apisix_"), "{text}");
    assert_eq!(gateway.metrics_get(PATH).status, 404);
    let post = "POST /own:*/{metrics} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(Connection::open(gateway.metrics).exchange(post).status, 405);
}

#[test]
fn they_are_shown_on_no_other_port_and_on_none_where_that_is_off() {
    let gateway = Gateway::start();
    assert_eq!(gateway.get(PATH).status, 404);
    assert_eq!(gateway.control_get(PATH).status, 404);
    let off = Settings::new().set("plugin_attr.prometheus.enable_export_server", json!(false));
    let gateway = Gateway::with(off);
    assert!(TcpStream::connect(gateway.metrics).is_err());
    gateway.put("/global_rules/1", json!({"plugins": {"prometheus": {}}}));
    assert_eq!(gateway.get("/x").status, 404);
}
