//! `/apisix/admin/configs`: the whole configuration in one call, as APISIX's ingress controller and ADC make it.

use lockgate_tests::{ADMIN_KEY, Connection, FakeUpstream as Upstream, Gateway, Reply, Settings};
use serde_json::{Value, json};

fn gateway() -> Gateway {
    Gateway::with(Settings::new().set("deployment.role_traditional.config_provider", json!("yaml")))
}

fn call(gateway: &Gateway, method: &str, headers: &[&str], body: &str) -> Reply {
    let lines: String = headers.iter().flat_map(|line| [*line, "\r\n"]).collect();
    let request = format!(
        "{method} /apisix/admin/configs HTTP/1.1\r\nHost: {}\r\nX-API-KEY: {ADMIN_KEY}\r\nContent-Length: {}\r\n\
         {lines}Connection: close\r\n\r\n{body}",
        gateway.admin,
        body.len()
    );
    let mut connection = Connection::open(gateway.admin);
    connection.send(request).expect("the gateway reads");
    connection.try_reply_to(method).expect("the gateway answers").expect("the gateway answers")
}

fn put(gateway: &Gateway, digest: &str, configuration: &Value) -> Reply {
    call(gateway, "PUT", &[&format!("X-Digest: {digest}")], &configuration.to_string())
}

fn get(gateway: &Gateway) -> Value {
    serde_json::from_slice(&call(gateway, "GET", &[], "").body).expect("it is JSON")
}

fn why(reply: &Reply) -> String {
    let body: Value = serde_json::from_slice(&reply.body).expect("it is JSON");
    body["error_msg"].as_str().unwrap_or_default().to_owned()
}

fn route(id: &str, uri: &str, upstream: &Upstream) -> Value {
    json!({"id": id, "uri": uri, "upstream": {"type": "roundrobin", "nodes": {upstream.node(): 1}}})
}

#[test]
fn a_configuration_is_replaced_as_a_whole() {
    let (gateway, upstream) = (gateway(), Upstream::fixed("here"));
    let empty = call(&gateway, "GET", &[], "");
    assert_eq!((empty.status, empty.get("x-digest")), (200, None));
    assert_eq!(get(&gateway)["routes_conf_version"], 0);
    assert_eq!(gateway.status_get("/status/ready").status, 503, "nobody has said what to serve");

    let sent = json!({"routes": [route("r1", "/r1", &upstream)]});
    let first = put(&gateway, "one", &sent);
    assert_eq!((first.status, first.get("x-digest")), (202, Some("one")), "{}", first.text());
    assert!(first.get("x-last-modified").unwrap().parse::<u64>().unwrap() > 1_700_000_000);
    assert_eq!(gateway.get("/r1").text(), "here");
    assert_eq!(gateway.status_get("/status/ready").status, 200);
    assert_eq!(put(&gateway, "one", &json!({})).status, 204, "the same digest says the same");
    let head = call(&gateway, "HEAD", &[], "");
    assert_eq!((head.status, head.get("x-digest"), head.body.len()), (200, Some("one"), 0));
    let shown = get(&gateway);
    assert_eq!((&shown["routes"], &shown["routes_conf_version"]), (&sent["routes"], &json!(1)));
    assert_eq!(shown["ssls_conf_version"], 1);

    let yaml = format!("routes:\n  - {}\n", route("r2", "/r2", &upstream));
    let second = call(&gateway, "PUT", &["X-Digest: two", "Content-Type: application/yaml"], &yaml);
    assert_eq!(second.status, 202, "{}", second.text());
    assert_eq!((gateway.get("/r1").status, gateway.get("/r2").status), (404, 200));
    let shown = call(&gateway, "GET", &["Accept: application/yaml"], "");
    assert_eq!(shown.get("content-type"), Some("application/yaml"));
    assert!(shown.text().contains("routes:") && shown.text().contains("id: r2"), "{}", shown.text());
    assert_eq!(put(&gateway, "three", &json!({})).status, 202);
    assert_eq!(gateway.get("/r2").status, 404);
}

#[test]
fn versions_say_what_is_new() {
    let (gateway, upstream) = (gateway(), Upstream::fixed("here"));
    let routes = |version: u64, uri: &str| json!({"routes_conf_version": version, "routes": [route("r", uri, &upstream)]});
    assert_eq!(put(&gateway, "1", &routes(10, "/a")).status, 202);
    assert_eq!(put(&gateway, "2", &routes(10, "/b")).status, 202);
    assert_eq!(
        (gateway.get("/a").status, gateway.get("/b").status),
        (200, 404),
        "the same version is the same"
    );
    let stale = put(&gateway, "3", &routes(9, "/b"));
    assert_eq!(
        (stale.status, why(&stale).as_str()),
        (400, "routes_conf_version must be greater than or equal to (10)")
    );
    assert_eq!(put(&gateway, "4", &routes(11, "/b")).status, 202);
    assert_eq!((gateway.get("/a").status, gateway.get("/b").status), (404, 200));
    assert_eq!(get(&gateway)["upstreams_conf_version"], 3, "a list without a version counts");
}

#[test]
fn a_resource_is_the_same_while_its_index_is() {
    let (gateway, upstream) = (gateway(), Upstream::fixed("here"));
    let indexed = |index: u64, uri: &str| {
        let mut route = route("r", uri, &upstream);
        route["modifiedIndex"] = json!(index);
        json!({"routes": [route]})
    };
    for (digest, index, uri) in [("1", 1, "/a"), ("2", 1, "/b")] {
        assert_eq!(put(&gateway, digest, &indexed(index, uri)).status, 202);
    }
    assert_eq!((gateway.get("/a").status, gateway.get("/b").status), (200, 404));
    assert_eq!(put(&gateway, "3", &indexed(2, "/b")).status, 202);
    assert_eq!((gateway.get("/a").status, gateway.get("/b").status), (404, 200));
}

#[test]
fn what_is_wrong_changes_nothing() {
    let (gateway, upstream) = (gateway(), Upstream::fixed("here"));
    assert_eq!(put(&gateway, "good", &json!({"routes": [route("r", "/a", &upstream)]})).status, 202);
    let refused = |headers: &[&str], body: &str| {
        let reply = call(&gateway, "PUT", headers, body);
        assert_eq!(reply.status, 400, "{}", reply.text());
        why(&reply)
    };
    assert_eq!(refused(&[], "{}"), "missing digest header");
    let digest = "X-Digest: bad";
    assert_eq!(refused(&[digest], ""), "invalid request body: empty request body");
    assert!(refused(&[digest], "{").starts_with("invalid request body: "));
    let yaml = [digest, "Content-Type: application/yaml"];
    assert_eq!(refused(&yaml, "a: ["), "invalid request body: invalid yaml request body");
    assert_eq!(refused(&[digest], r#"{"routes_conf_version": "x"}"#), "routes_conf_version must be a number");
    let twice = json!({"routes": [route("r", "/a", &upstream), route("r", "/b", &upstream)]}).to_string();
    assert_eq!(refused(&[digest], &twice), "found duplicate id r in routes");
    let unknown = r#"{"routes": [{"id": "r", "uri": "/", "plugins": {"nonesuch": {}}}]}"#;
    assert_eq!(refused(&[digest], unknown), "unknown plugin [nonesuch]");
    assert_eq!(gateway.get("/a").text(), "here");
    let (status, one) = gateway.admin("PUT", "/routes/1", json!({"uri": "/b"}));
    assert_eq!(status, 405, "{one}");
    assert_eq!(gateway.admin("GET", "/routes/r", Value::Null).0, 200, "but it can be looked at");
}

#[test]
fn a_gateway_with_a_store_of_its_own_has_no_such_call() {
    let gateway = Gateway::start();
    assert_eq!(put(&gateway, "1", &json!({})).status, 404);
}
