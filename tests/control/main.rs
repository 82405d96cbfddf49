//! What operators and probes are told: the Control API and the status port, asked of a running gateway.

use lockgate_tests::{Connection, FakeUpstream, Gateway, Settings, Then, closed_port, eventually};
use serde_json::{Value, json};

const SECRET: &str = "s3cr3t-api-key-that-must-not-leak";

#[test]
fn what_is_written_is_shown_by_the_control_api_at_once() {
    let gateway = Gateway::start();
    let lambda = json!({"function_uri": "http://127.0.0.1:1/", "authorization": {"apikey": SECRET}});
    gateway.put("/routes/1", json!({"uri": "/a", "plugins": {"aws-lambda": lambda}}));
    gateway.put("/upstreams/u", json!({"nodes": {"api.example.com:80": 1, "127.0.0.1:80": 1}}));
    gateway.put("/services/s", json!({"upstream_id": "u"}));
    let admin = gateway.admin("GET", "/routes/1", Value::Null).1;
    let route = gateway.control_get("/v1/route/1").json();
    for field in ["key", "createdIndex", "modifiedIndex"] {
        assert_eq!(route[field], admin[field], "{field}");
    }
    assert_eq!(route["value"]["uri"], "/a");
    assert_eq!(gateway.control_get("/v1/routes").json(), json!([route]));
    assert_eq!(gateway.control_get("/v1/upstream/u").json()["has_domain"], true);
    assert_eq!(gateway.control_get("/v1/services").json()[0]["value"]["upstream_id"], "u");
    gateway.admin("DELETE", "/services/s", Value::Null);
    let gone = gateway.control_get("/v1/service/s");
    assert_eq!((gone.status, gone.json()), (404, json!({"error_msg": "service[s] not found"})));
}

#[test]
fn no_secret_is_shown_sealed_or_not() {
    for sealed in [true, false] {
        let gateway =
            Gateway::with(Settings::new().set("apisix.data_encryption.enable_encrypt_fields", json!(sealed)));
        let lambda = json!({"function_uri": "http://127.0.0.1:1/", "authorization": {"apikey": SECRET}});
        gateway.put("/routes/1", json!({"uri": "/a", "plugins": {"aws-lambda": lambda}}));
        for path in ["/v1/routes", "/v1/route/1"] {
            let shown = gateway.control_get(path).text();
            assert!(!shown.contains(SECRET), "{shown}");
            assert!(shown.contains("\"apikey\":\"******\""), "{shown}");
        }
    }
}

#[test]
fn schemas_are_those_of_the_admin_api() {
    let gateway = Gateway::start();
    let schema = gateway.control_get("/v1/schema").json();
    assert_eq!(schema["main"]["route"], gateway.admin("GET", "/schema/route", Value::Null).1);
    let lambda = gateway.admin("GET", "/schema/plugins/aws-lambda", Value::Null).1;
    assert_eq!(schema["plugins"]["aws-lambda"]["schema"], lambda);
    assert_eq!(schema["stream-plugins"], json!({}));
}

#[test]
fn calls_of_apisix_that_have_nothing_to_do_here_are_answered() {
    let gateway = Gateway::start();
    for (call, body) in [("POST /v1/gc", ""), ("PUT /v1/plugins/reload", "done")] {
        let request = format!("{call} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.control);
        let reply = Connection::open(gateway.control).exchange(request);
        assert_eq!((reply.status, reply.text().as_str()), (200, body), "{call}");
    }
}

#[test]
fn probes_are_told_that_it_runs_and_is_ready() {
    let gateway = Gateway::with(Settings::new().set("nginx_config.worker_processes", json!(2)));
    for path in ["/status", "/status/ready"] {
        let reply = gateway.status_get(path);
        assert_eq!((reply.status, reply.json()), (200, json!({"status": "ok"})), "{path}");
        assert_eq!(reply.get("content-type"), Some("application/json"));
    }
    assert_eq!(gateway.status_get("/v1/routes").status, 404);
}

#[test]
fn whoever_is_ready_serves_what_the_store_has() {
    let upstream = FakeUpstream::start(|_, connection| {
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
        Ok(Then::Keep)
    });
    let mut gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/ready"}), &upstream.address.to_string());
    gateway.crash_and_restart();
    eventually("it should be ready", || (gateway.status_get("/status/ready").status == 200).then_some(()));
    assert_eq!(gateway.get("/ready").status, 200);
}

#[test]
fn the_health_of_checked_nodes_is_shown() {
    let upstream = FakeUpstream::start(|_, connection| {
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
        Ok(Then::Keep)
    });
    let gateway = Gateway::start();
    let well = upstream.address;
    let gone = format!("127.0.0.1:{}", closed_port());
    let checks = json!({"active": {
        "http_path": "/well",
        "healthy": {"interval": 1, "successes": 1},
        "unhealthy": {"interval": 1, "tcp_failures": 2},
    }});
    gateway.put("/upstreams/u", json!({"nodes": {well.to_string(): 1, gone: 1}, "checks": checks}));
    gateway.put("/upstreams/plain", json!({"nodes": {well.to_string(): 1}}));
    gateway.put("/routes/1", json!({"uri": "/x", "upstream_id": "u"}));
    let report = eventually("the node that is gone should be found out", || {
        let report = gateway.control_get("/v1/healthcheck/upstreams/u").json();
        let nodes = report["nodes"].as_array().cloned().unwrap_or_default();
        nodes.iter().any(|node| node["status"] == "unhealthy").then_some(report)
    });
    assert_eq!((&report["name"], &report["type"]), (&json!("/apisix/upstreams/u"), &json!("http")));
    let nodes = report["nodes"].as_array().expect("a list of nodes");
    let node = nodes.iter().find(|node| node["port"] == well.port()).expect("the node that is well");
    assert_eq!((&node["ip"], &node["status"]), (&json!("127.0.0.1"), &json!("healthy")));
    for count in ["success", "http_failure", "tcp_failure", "timeout_failure"] {
        assert!(node["counter"][count].is_number(), "{node}");
    }
    let all = gateway.control_get("/v1/healthcheck").json();
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
    let plain = gateway.control_get("/v1/healthcheck/upstreams/plain");
    assert_eq!((plain.status, plain.json()), (404, json!({"error_msg": "no checker for upstreams[plain]"})));
}
