//! What a gateway holds in memory alone passes on as well.

use lockgate_tests::{ADMIN_KEY, Connection, FakeUpstream, Settings};
use serde_json::json;

use crate::generations::Generations;

#[test]
fn a_configuration_that_came_by_one_call_passes_on() {
    let upstream = FakeUpstream::fixed("ok");
    let yaml = Settings::new().set("deployment.role_traditional.config_provider", json!("yaml"));
    let mut gateways = Generations::start(yaml);
    let nodes = json!({upstream.node(): 1});
    let body =
        json!({"routes": [{"id": "r", "uri": "/r", "upstream": {"type": "roundrobin", "nodes": nodes}}]});
    let (admin, body) = (gateways.first.admin, body.to_string());
    let request = format!(
        "PUT /apisix/admin/configs HTTP/1.1\r\nHost: {admin}\r\nX-API-KEY: {ADMIN_KEY}\r\nX-Digest: one\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(Connection::open(admin).exchange(request).status, 202);
    for _ in 0..2 {
        gateways.upgrade();
        assert_eq!(gateways.first.get("/r").text(), "ok");
    }
    gateways.wait_for_first();
    let (_, shown) = gateways.first.admin("GET", "/configs", serde_json::Value::Null);
    assert_eq!((&shown["X-Digest"], &shown["routes_conf_version"]), (&json!("one"), &json!(1)));
    assert!(!gateways.first.data().join("configuration.json").exists(), "it is not left lying about");
}
