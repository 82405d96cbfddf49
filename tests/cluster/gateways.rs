//! Gateways that share a prefix of a real etcd.

use lockgate_tests::{FakeUpstream as Upstream, Gateway, Settings, eventually};
use serde_json::json;

use crate::process::{Etcd, Relay};

pub(crate) fn settings(port: u16) -> Settings {
    Settings::new()
        .set("deployment.role_traditional.config_provider", json!("etcd"))
        .set("deployment.etcd.host", json!([format!("http://127.0.0.1:{port}")]))
        .set("deployment.etcd.timeout", json!(2))
}

fn route(node: &str) -> serde_json::Value {
    json!({"uri": "/*", "upstream": {"type": "roundrobin", "nodes": {node: 1}}})
}

#[test]
fn what_one_is_told_all_serve() {
    let (etcd, upstream) = (Etcd::start(), Upstream::fixed("here"));
    let gateways: Vec<_> = (0..3).map(|_| Gateway::with(settings(etcd.port))).collect();
    gateways[0].put("/routes/1", route(&upstream.node()));
    for gateway in &gateways {
        eventually("it is served", || (gateway.get("/x").status == 200).then_some(()));
    }
    let (status, _) = gateways[1].admin("DELETE", "/routes/1", serde_json::Value::Null);
    assert_eq!(status, 200, "what one made another can remove");
    for gateway in &gateways {
        eventually("it is served", || (gateway.get("/x").status == 404).then_some(()));
    }
}

#[test]
fn what_is_written_is_apisixs_and_what_apisix_writes_is_served() {
    let (etcd, upstream) = (Etcd::start(), Upstream::fixed("here"));
    let gateway = Gateway::with(settings(etcd.port));
    gateway.put("/upstreams/u", json!({"type": "roundrobin", "nodes": {upstream.node(): 1}}));
    let kept: serde_json::Value = serde_json::from_str(&etcd.get("/apisix/upstreams/u")).unwrap();
    assert_eq!((&kept["id"], &kept["type"]), (&json!("u"), &json!("roundrobin")));
    assert!(kept["create_time"].is_number() && kept["update_time"].is_number(), "{kept}");
    etcd.put("/apisix/routes/7", &json!({"id": "7", "uri": "/seven", "upstream_id": "u"}).to_string());
    eventually("it is served", || (gateway.get("/seven").status == 200).then_some(()));
    let (status, answer) = gateway.admin("GET", "/routes/7", serde_json::Value::Null);
    assert_eq!((status, &answer["value"]["uri"]), (200, &json!("/seven")));
}

#[test]
fn while_etcd_is_away_routes_serve_and_the_admin_api_says_so() {
    let (mut etcd, upstream) = (Etcd::start(), Upstream::fixed("here"));
    let mut gateway = Gateway::with(settings(etcd.port));
    gateway.put("/routes/1", route(&upstream.node()));
    etcd.kill();
    let (status, answer) = gateway.admin("PUT", "/routes/2", route(&upstream.node()));
    assert_eq!(status, 503, "{answer}");
    assert!(answer["error_msg"].as_str().unwrap().contains("etcd does not answer"), "{answer}");
    assert_eq!(gateway.get("/x").status, 200);
    etcd.restart();
    eventually("it is served", || {
        (gateway.admin("PUT", "/routes/2", route(&upstream.node())).0 < 300).then_some(())
    });
    gateway.crash_and_restart();
    assert_eq!(gateway.get("/x").status, 200, "everything is in etcd");
}

#[test]
fn a_gateway_that_is_cut_off_converges_when_it_is_back() {
    let (etcd, upstream) = (Etcd::start(), Upstream::fixed("here"));
    let relay = Relay::start(etcd.port);
    let (near, far) = (Gateway::with(settings(etcd.port)), Gateway::with(settings(relay.port)));
    near.put("/routes/old", route(&upstream.node()));
    eventually("it is served", || (far.get("/x").status == 200).then_some(()));
    relay.cut();
    near.admin("DELETE", "/routes/old", serde_json::Value::Null);
    near.put(
        "/routes/new",
        json!({"uri": "/new", "upstream": {"nodes": {upstream.node(): 1}, "type": "roundrobin"}}),
    );
    etcd.compact();
    assert_eq!(far.get("/x").status, 200, "it serves what it knows");
    relay.mend();
    eventually("it is served", || {
        (far.get("/new").status == 200 && far.get("/x").status == 404).then_some(())
    });
}
