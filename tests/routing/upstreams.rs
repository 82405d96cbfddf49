//! Upstreams: by reference, with weights, retries, host rewriting and names.

use std::collections::BTreeMap;

use lockgate_tests::{Authority, FakeUpstream, Gateway, Settings, Then, closed_port};
use serde_json::{Value, json};

#[test]
fn a_route_may_refer_to_an_upstream_and_to_a_service() {
    let (one, two) = (FakeUpstream::fixed("one"), FakeUpstream::fixed("two"));
    let gateway = Gateway::start();
    gateway.put("/upstreams/u", json!({"type": "roundrobin", "nodes": {one.node(): 1}}));
    gateway.put("/services/s", json!({"upstream": {"type": "roundrobin", "nodes": {two.node(): 1}}}));
    gateway.put("/services/via", json!({"upstream_id": "u"}));
    gateway.put("/routes/1", json!({"uri": "/upstream", "upstream_id": "u"}));
    gateway.put("/routes/2", json!({"uri": "/service", "service_id": "s"}));
    gateway.put("/routes/3", json!({"uri": "/via", "service_id": "via"}));
    gateway.put("/routes/4", json!({"uri": "/both", "service_id": "s", "upstream_id": "u"}));
    let answers = ["/upstream", "/service", "/via", "/both"].map(|target| gateway.get(target).text());
    assert_eq!(answers, ["one", "two", "one", "one"]);
    gateway.put("/upstreams/u", json!({"type": "roundrobin", "nodes": {two.node(): 1}}));
    assert_eq!(gateway.get("/upstream").text(), "two", "a changed upstream is live when PUT answers");
}

#[test]
fn a_service_gives_its_hosts_and_plugins_to_its_routes() {
    let upstream = FakeUpstream::fixed("plain");
    let function = lockgate_tests::Function::start();
    let gateway = Gateway::start();
    let lambda = json!({"function_uri": format!("http://{}/", function.node()),
        "authorization": {"apikey": lockgate_tests::Function::KEY}});
    gateway.put("/services/s", json!({"hosts": ["s.test"], "plugins": {"aws-lambda": lambda}}));
    gateway.put("/routes/1", json!({"uri": "/x", "service_id": "s"}));
    assert_eq!(gateway.get_as("/x", "s.test").text(), "\"Hello, World!\"");
    assert_eq!(gateway.get_as("/x", "other.test").status, 404);
    drop(upstream);
}

#[test]
fn weights_are_kept_smoothly() {
    let nodes: Vec<_> = ["a", "b", "c"].into_iter().map(FakeUpstream::fixed).collect();
    let gateway = Gateway::start();
    let weights = json!({nodes[0].node(): 5, nodes[1].node(): 1, nodes[2].node(): 1});
    gateway.put("/routes/1", json!({"uri": "/x", "upstream": {"type": "roundrobin", "nodes": weights}}));
    let picks: Vec<String> = (0..70).map(|_| gateway.get("/x").text()).collect();
    let mut counts = BTreeMap::new();
    for pick in &picks {
        *counts.entry(pick.as_str()).or_insert(0) += 1;
    }
    assert_eq!(counts, BTreeMap::from([("a", 50), ("b", 10), ("c", 10)]));
    for window in picks.windows(7) {
        let others = window.iter().filter(|pick| *pick != "a").count();
        assert_eq!(others, 2, "smooth: each seven picks hold each light node once: {window:?}");
    }
}

#[test]
fn a_node_of_weight_0_is_not_asked() {
    let (on, off) = (FakeUpstream::fixed("on"), FakeUpstream::fixed("off"));
    let gateway = Gateway::start();
    let nodes = json!([
        {"host": "127.0.0.1", "port": on.port(), "weight": 1},
        {"host": "127.0.0.1", "port": off.port(), "weight": 0},
    ]);
    gateway.put("/routes/1", json!({"uri": "/x", "upstream": {"type": "roundrobin", "nodes": nodes}}));
    assert!((0..10).all(|_| gateway.get("/x").text() == "on"));
}

#[test]
fn a_refused_connection_is_retried_at_the_next_node() {
    let alive = FakeUpstream::fixed("alive");
    let gateway = Gateway::start();
    let nodes = json!({format!("127.0.0.1:{}", closed_port()): 1, alive.node(): 1});
    let upstream = json!({"type": "roundrobin", "nodes": nodes, "retries": 1});
    gateway.put("/routes/1", json!({"uri": "/x", "upstream": upstream}));
    for _ in 0..10 {
        assert_eq!(gateway.request("POST", "/x", &[], b"body").text(), "alive");
    }
    let nodes = json!({format!("127.0.0.1:{}", closed_port()): 1, alive.node(): 1});
    let upstream = json!({"type": "roundrobin", "nodes": nodes, "retries": 0});
    gateway.put("/routes/1", json!({"uri": "/x", "upstream": upstream}));
    let statuses: Vec<u16> = (0..10).map(|_| gateway.get("/x").status).collect();
    assert!(statuses.contains(&502), "without retries a refusal is seen: {statuses:?}");
}

#[test]
fn nodes_of_lower_priority_serve_when_the_higher_ones_refuse() {
    let spare = FakeUpstream::fixed("spare");
    let gateway = Gateway::start();
    let nodes = json!([
        {"host": "127.0.0.1", "port": closed_port(), "weight": 1, "priority": 0},
        {"host": "127.0.0.1", "port": spare.port(), "weight": 1, "priority": -1},
    ]);
    gateway.put("/routes/1", json!({"uri": "/x", "upstream": {"type": "roundrobin", "nodes": nodes}}));
    assert_eq!(gateway.get("/x").text(), "spare");
}

fn host_seen(gateway: &Gateway, upstream: &FakeUpstream, fields: &Value) -> String {
    let mut body = json!({"type": "roundrobin", "nodes": {format!("localhost:{}", upstream.port()): 1}});
    for (name, value) in fields.as_object().expect("fields") {
        body[name] = value.clone();
    }
    gateway.put("/routes/1", json!({"uri": "/x", "upstream": body}));
    let reply = gateway.get_as("/x", "client.test");
    assert_eq!(reply.status, 200, "{}", reply.text());
    upstream.next().head.get("host").expect("a request has a host").to_owned()
}

#[test]
fn the_host_is_passed_taken_from_the_node_or_rewritten() {
    let upstream = FakeUpstream::fixed("ok");
    let gateway = Gateway::start();
    assert_eq!(host_seen(&gateway, &upstream, &json!({})), "client.test");
    assert_eq!(host_seen(&gateway, &upstream, &json!({"pass_host": "pass"})), "client.test");
    let node = host_seen(&gateway, &upstream, &json!({"pass_host": "node"}));
    assert_eq!(node, format!("localhost:{}", upstream.port()));
    let rewrite = json!({"pass_host": "rewrite", "upstream_host": "inner.test"});
    assert_eq!(host_seen(&gateway, &upstream, &rewrite), "inner.test");
}

#[test]
fn a_name_may_be_mapped_to_an_address() {
    let upstream = FakeUpstream::fixed("mapped");
    let mapping = format!("inner.example:80:127.0.0.1:{}", upstream.port());
    let gateway = Gateway::with(Settings::new().resolve(mapping));
    gateway.route("1", json!({"uri": "/x"}), "inner.example:80");
    assert_eq!(gateway.get("/x").text(), "mapped");
}

#[test]
fn an_upstream_may_speak_tls() {
    let authority = Authority::new();
    let upstream = FakeUpstream::start_tls(&authority, "localhost", |request, connection| {
        connection.answer("200 OK", &[], request.target()).map(|()| Then::Keep)
    });
    let gateway = Gateway::start();
    let node = format!("localhost:{}", upstream.port());
    let body = json!({"type": "roundrobin", "scheme": "https", "nodes": {node: 1}});
    gateway.put("/routes/1", json!({"uri": "/*", "upstream": body}));
    assert_eq!(gateway.get("/tls").text(), "/tls");
    assert_eq!(gateway.get("/again").text(), "/again");
    assert_eq!(upstream.connections(), 1, "TLS connections are kept");
}
