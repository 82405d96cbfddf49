//! Active checks: when nodes are passed over, when they come back, what is asked, and what is told of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use lockgate_tests::{Authority, FakeUpstream, Gateway, Then, closed_port, eventually};
use serde_json::{Value, json};

/// An upstream that answers checks as its switch says, and counts them.
struct Patient {
    upstream: FakeUpstream,
    is_well: Arc<AtomicBool>,
    checks: Arc<AtomicUsize>,
}

impl Patient {
    fn start(name: &'static str) -> Self {
        let (is_well, checks) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let (well, count) = (is_well.clone(), checks.clone());
        let upstream = FakeUpstream::start(move |request, connection| {
            if request.target() != "/health" {
                return connection.answer("200 OK", &[], name).map(|()| Then::Keep);
            }
            count.fetch_add(1, Ordering::SeqCst);
            let status = if well.load(Ordering::SeqCst) { "200 OK" } else { "503 Service Unavailable" };
            connection.answer(status, &[], "").map(|()| Then::Close)
        });
        Self { upstream, is_well, checks }
    }

    fn turn(&self, well: bool) {
        self.is_well.store(well, Ordering::SeqCst);
    }

    fn checks(&self) -> usize {
        self.checks.load(Ordering::SeqCst)
    }
}

fn checks() -> Value {
    json!({"active": {"http_path": "/health", "healthy": {"interval": 1, "successes": 1},
        "unhealthy": {"interval": 1, "http_failures": 1, "tcp_failures": 1}}})
}

fn upstream(patients: &[&Patient]) -> Value {
    let nodes: serde_json::Map<_, _> =
        patients.iter().map(|patient| (patient.upstream.node(), json!(1))).collect();
    json!({"type": "roundrobin", "nodes": nodes, "checks": checks()})
}

/// Waits until only these nodes answer, and each of them does.
fn answering(gateway: &Gateway, names: &[&str]) {
    eventually(&format!("only {names:?} should answer"), || {
        let seen: Vec<_> = (0..8).map(|_| gateway.get("/").text()).collect();
        let are_known = seen.iter().all(|name| names.contains(&name.as_str()));
        (are_known && names.iter().all(|name| seen.iter().any(|seen| seen == name))).then_some(())
    });
}

fn report(gateway: &Gateway, path: &str) -> Value {
    let reply = gateway.control_get(path);
    serde_json::from_slice(&reply.body).unwrap_or(Value::Null)
}

#[test]
fn a_node_that_falls_ill_is_passed_over_until_it_is_well() {
    let (a, b) = (Patient::start("a"), Patient::start("b"));
    let gateway = Gateway::start();
    gateway.put("/upstreams/u", upstream(&[&a, &b]));
    gateway.put("/routes/1", json!({"uri": "/*", "upstream_id": "u"}));
    answering(&gateway, &["a", "b"]);
    b.turn(false);
    answering(&gateway, &["a"]);
    let ill = report(&gateway, "/v1/healthcheck/upstreams/u");
    assert_eq!((&ill["name"], &ill["type"]), (&json!("/apisix/upstreams/u"), &json!("http")), "{ill}");
    let node = ill["nodes"].as_array().expect("nodes").iter().find(|node| node["port"] == b.upstream.port());
    let node = node.expect("the node is told of");
    assert_eq!((&node["ip"], &node["status"]), (&json!("127.0.0.1"), &json!("unhealthy")), "{node}");
    assert_eq!(node["counter"]["http_failure"], 1, "{node}");
    b.turn(true);
    answering(&gateway, &["a", "b"]);
    a.turn(false);
    answering(&gateway, &["b"]);
    b.turn(false);
    answering(&gateway, &["a", "b"]);
}

#[test]
fn health_outlives_changes_that_do_not_concern_it() {
    let (a, b) = (Patient::start("a"), Patient::start("b"));
    let gateway = Gateway::start();
    let mut with_route = json!({"uri": "/*", "upstream": upstream(&[&a, &b])});
    gateway.put("/routes/1", with_route.clone());
    b.turn(false);
    answering(&gateway, &["a"]);
    gateway.put("/routes/2", json!({"uri": "/other", "upstream": {"nodes": {"127.0.0.1:1": 1}}}));
    with_route["upstream"]["nodes"][a.upstream.node()] = json!(3);
    with_route["desc"] = json!("heavier");
    gateway.put("/routes/1", with_route);
    assert!((0..12).all(|_| gateway.get("/").text() == "a"));
}

#[test]
fn checks_of_connections_find_nodes_that_refuse() {
    let alive = FakeUpstream::fixed("alive");
    let gateway = Gateway::start();
    let nodes = json!({alive.node(): 1, format!("127.0.0.1:{}", closed_port()): 1});
    let checks = json!({"active": {"type": "tcp", "unhealthy": {"tcp_failures": 1}}});
    let upstream = json!({"type": "roundrobin", "retries": 0, "nodes": nodes, "checks": checks});
    gateway.put("/services/s", json!({"upstream": upstream}));
    gateway.put("/routes/1", json!({"uri": "/*", "service_id": "s"}));
    eventually("the node that refuses should be passed over", || {
        (0..10).all(|_| gateway.get("/").status == 200).then_some(())
    });
    let told = report(&gateway, "/v1/healthcheck");
    assert_eq!(told[0]["name"], "/apisix/services/s", "{told}");
    assert_eq!(told[0]["type"], "tcp");
}

#[test]
fn what_is_asked_is_what_was_written() {
    let gateway = Gateway::start();
    let asked = FakeUpstream::fixed("ok");
    let checks = json!({"active": {
        "http_path": "/status?full=1", "http_method": "POST", "http_req_body": "ping", "host": "check.test",
        "port": asked.port(), "req_headers": ["User-Agent: probe/1", "X-Key: v"],
    }});
    let upstream = json!({"nodes": {"127.0.0.1:9": 1}, "checks": checks});
    gateway.put("/routes/1", json!({"uri": "/*", "upstream": upstream}));
    let request = asked.next();
    assert!(request.head.raw.starts_with(b"POST /status?full=1 HTTP/1.1\r\n"));
    for (name, value) in
        [("host", "check.test"), ("user-agent", "probe/1"), ("x-key", "v"), ("connection", "close")]
    {
        assert_eq!(request.head.get(name), Some(value), "{name}");
    }
    assert_eq!(request.body, b"ping");
}

#[test]
fn checks_over_tls_verify_the_certificate_unless_told_not_to() {
    let authority = Authority::new();
    let secure = FakeUpstream::start_tls(&authority, "localhost", |_, connection| {
        connection.answer("200 OK", &[], "secure").map(|()| Then::Keep)
    });
    let gateway = Gateway::start();
    for (verifies, status) in [(true, "unhealthy"), (false, "healthy")] {
        let checks = json!({"active": {"type": "https", "https_verify_certificate": verifies,
            "healthy": {"successes": 1}, "unhealthy": {"tcp_failures": 1}}});
        let node = format!("localhost:{}", secure.port());
        let upstream = json!({"scheme": "https", "nodes": {node: 1}, "checks": checks});
        gateway.put("/upstreams/u", upstream);
        eventually(&format!("the node should be {status}"), || {
            let told = report(&gateway, "/v1/healthcheck/upstreams/u");
            let node = &told["nodes"][0];
            (node["status"] == status && node["ip"] == "127.0.0.1" && node["hostname"] == "localhost")
                .then_some(())
        });
    }
}

#[test]
fn checks_end_with_the_upstream_they_are_for() {
    let (gone, stays) = (Patient::start("gone"), Patient::start("stays"));
    let gateway = Gateway::start();
    gateway.put("/routes/1", json!({"uri": "/gone", "upstream": upstream(&[&gone])}));
    gateway.put("/routes/2", json!({"uri": "/stays", "upstream": upstream(&[&stays])}));
    eventually("both should be checked", || (gone.checks() > 0 && stays.checks() > 0).then_some(()));
    assert_eq!(gateway.admin("DELETE", "/routes/1", Value::Null).0, 200);
    // A check that is under way may still arrive.
    let seen = gone.checks() + 1;
    let others = stays.checks();
    eventually("the other checks should go on", || (stays.checks() >= others + 3).then_some(()));
    assert!(gone.checks() <= seen, "{} checks after the end", gone.checks() - seen);
}
