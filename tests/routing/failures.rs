//! What a client reads when an upstream refuses, is silent, or is missing: one JSON shape.

use lockgate_tests::{FakeUpstream, Gate, Gateway, Then, closed_port};
use serde_json::json;

fn fails(gateway: &Gateway, status: u16) {
    let reply = gateway.get("/x");
    assert_eq!(reply.status, status, "{}", reply.text());
    let message = reply.json()["error_msg"].as_str().map(str::to_owned);
    assert!(message.is_some_and(|message| !message.is_empty()), "{}", reply.text());
    assert!(
        reply.get("content-type").is_some_and(|kind| kind.starts_with("application/json")),
        "{:?}",
        reply.head
    );
}

#[test]
fn a_refused_connection_is_502() {
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/x"}), &format!("127.0.0.1:{}", closed_port()));
    fails(&gateway, 502);
}

#[test]
fn a_name_that_does_not_resolve_is_502_or_503() {
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/x"}), "does-not-exist.invalid:80");
    let reply = gateway.get("/x");
    assert!(matches!(reply.status, 502 | 503), "{} {}", reply.status, reply.text());
    assert!(reply.json()["error_msg"].is_string());
}

#[test]
fn a_connection_closed_without_an_answer_is_502() {
    let upstream = FakeUpstream::start(|_, _| Ok(Then::Close));
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/x"}), &upstream.node());
    fails(&gateway, 502);
}

#[test]
fn silence_is_504_after_the_read_timeout() {
    let gate = Gate::new();
    let wait = gate.clone();
    let upstream = FakeUpstream::start(move |_, _| {
        wait.pass();
        Ok(Then::Close)
    });
    let gateway = Gateway::start();
    let timeout = json!({"connect": 1, "send": 1, "read": 0.2});
    let body = json!({"type": "roundrobin", "nodes": {upstream.node(): 1}, "timeout": timeout, "retries": 0});
    gateway.put("/routes/1", json!({"uri": "/x", "upstream": body}));
    fails(&gateway, 504);
    gate.open();
}

#[test]
fn the_timeout_of_a_route_counts_before_its_upstreams() {
    let gate = Gate::new();
    let wait = gate.clone();
    let upstream = FakeUpstream::start(move |_, _| {
        wait.pass();
        Ok(Then::Close)
    });
    let gateway = Gateway::start();
    let body = json!({"type": "roundrobin", "nodes": {upstream.node(): 1}, "retries": 0});
    let timeout = json!({"connect": 1, "send": 1, "read": 0.2});
    gateway.put("/routes/1", json!({"uri": "/x", "upstream": body, "timeout": timeout}));
    fails(&gateway, 504);
    gate.open();
}

#[test]
fn an_upstream_without_nodes_is_503() {
    let gateway = Gateway::start();
    gateway.put("/routes/1", json!({"uri": "/x", "upstream": {"type": "roundrobin", "nodes": {}}}));
    fails(&gateway, 503);
}

#[test]
fn a_route_with_neither_upstream_nor_answering_plugin_is_503() {
    let gateway = Gateway::start();
    gateway.put("/routes/1", json!({"uri": "/x", "plugins": {}}));
    fails(&gateway, 503);
}

#[test]
fn a_post_that_was_sent_is_not_sent_again() {
    let upstream = FakeUpstream::start(|_, _| Ok(Then::Close));
    let gateway = Gateway::start();
    let body = json!({"type": "roundrobin", "nodes": {upstream.node(): 1}, "retries": 3});
    gateway.put("/routes/1", json!({"uri": "/x", "upstream": body}));
    assert_eq!(gateway.request("POST", "/x", &[], b"once").status, 502);
    assert_eq!(upstream.pending().len(), 1);
}
