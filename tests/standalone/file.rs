//! `apisix.yaml` and `apisix.json` beside the settings.

use lockgate_tests::{Authority, FakeUpstream as Upstream, Gateway, Settings, eventually};
use serde_json::{Value, json};

fn data_plane(format: &str) -> Settings {
    Settings::new()
        .set("deployment.role", json!("data_plane"))
        .set("deployment.role_data_plane.config_provider", json!(format))
        .without_admin()
}

fn read_only() -> Settings {
    Settings::new().set("deployment.role_traditional.config_provider", json!("yaml"))
}

fn route(uri: &str, node: &str) -> String {
    format!(
        "routes:\n  - id: 1\n    uri: {uri}\n    upstream: {{type: roundrobin, nodes: {{\"{node}\": 1}}}}\n#END\n"
    )
}

/// Waits until a path has this status.
fn becomes(gateway: &Gateway, path: &str, status: u16) {
    eventually(path, || (gateway.get(path).status == status).then_some(()));
}

#[test]
fn a_data_plane_serves_what_the_file_says_and_follows_it() {
    let upstream = Upstream::fixed("here");
    let gateway = Gateway::with(data_plane("yaml").beside("apisix.yaml", route("/a", &upstream.node())));
    assert_eq!(gateway.get("/a").text(), "here");
    assert_eq!(gateway.status_get("/status/ready").status, 200);
    assert!(std::net::TcpStream::connect(gateway.admin).is_err(), "a data plane cannot be told anything");
    gateway.write("apisix.yaml", &route("/b", &upstream.node()));
    becomes(&gateway, "/b", 200);
    assert_eq!(gateway.get("/a").status, 404);
}

#[test]
fn a_data_plane_without_its_file_is_not_ready() {
    let upstream = Upstream::fixed("here");
    let gateway = Gateway::with(data_plane("yaml"));
    let ready = gateway.status_get("/status/ready");
    assert_eq!(ready.status, 503);
    assert!(ready.text().contains("apisix.yaml: cannot be read"), "{}", ready.text());
    gateway.write("apisix.yaml", &route("/a", &upstream.node()));
    becomes(&gateway, "/a", 200);
    eventually("it is ready", || (gateway.status_get("/status/ready").status == 200).then_some(()));
}

#[test]
fn a_bad_file_keeps_the_last_good_state_and_says_what_is_wrong_and_where() {
    let upstream = Upstream::fixed("here");
    let good = route("/a", &upstream.node());
    let gateway = Gateway::with(read_only().beside("apisix.yaml", &good));
    let rows = [
        (good.replace("#END\n", ""), "#END"),
        ("routes:\n  - uri: [\n#END".to_owned(), "line"),
        (
            format!("{good}#END").replace("uri: /a", "uri: 7"),
            "routes[0]: invalid configuration: property \"uri\"",
        ),
        (good.replace("#END", "    plugins: {nonesuch: {}}\n#END"), "routes[0]: unknown plugin [nonesuch]"),
        (good.replace("#END", "    service_id: gone\n#END"), "routes[0]: failed to fetch service info"),
        ("routes: 7\n#END".to_owned(), "routes: expected a list"),
        (good.replace("/a", "${{NONESUCH}}"), "line 3: the environment variable NONESUCH is not set"),
    ];
    for (text, why) in rows {
        gateway.write("apisix.yaml", &text);
        eventually(why, || {
            let (_, status) = gateway.admin("GET", "/status", Value::Null);
            status["store"]["trouble"].as_str().filter(|trouble| trouble.contains(why)).map(drop)
        });
        assert_eq!(gateway.get("/a").text(), "here");
    }
    gateway.write("apisix.yaml", &route("/c", &upstream.node()));
    becomes(&gateway, "/c", 200);
    eventually("nothing is wrong any more", || {
        gateway.admin("GET", "/status", Value::Null).1.get("store").is_none().then_some(())
    });
}

#[test]
fn the_admin_api_shows_what_the_file_says_and_changes_nothing() {
    let upstream = Upstream::fixed("here");
    let gateway = Gateway::with(read_only().beside("apisix.yaml", route("/a", &upstream.node())));
    let (status, shown) = gateway.admin("GET", "/routes/1", Value::Null);
    assert_eq!((status, &shown["value"]["uri"]), (200, &json!("/a")));
    for (method, path) in
        [("PUT", "/routes/2"), ("DELETE", "/routes/1"), ("PATCH", "/routes/1"), ("POST", "/routes")]
    {
        let (status, refused) = gateway.admin(method, path, json!({"uri": "/b"}));
        let why = refused["error_msg"].as_str().unwrap_or_default();
        assert_eq!(status, 405, "{method}: {refused}");
        assert!(why.contains("apisix.yaml: change them there"), "{why}");
    }
    assert_eq!(gateway.admin("PUT", "/configs", json!({})).0, 404, "nor by one call");
}

#[test]
fn an_unchanged_resource_keeps_its_record() {
    let upstream = Upstream::fixed("here");
    let two = |uri: &str| {
        let node = upstream.node();
        format!(
            "upstreams:\n  - {{id: u, type: roundrobin, nodes: {{\"{node}\": 1}}}}\nroutes:\n  \
             - {{id: a, uri: /a, upstream_id: u}}\n  - {{id: b, uri: {uri}, upstream_id: u}}\n#END\n"
        )
    };
    let gateway = Gateway::with(read_only().beside("apisix.yaml", two("/b")));
    let modified =
        |id: &str| gateway.admin("GET", &format!("/routes/{id}"), Value::Null).1["modifiedIndex"].clone();
    let before = (modified("a"), modified("b"));
    gateway.write("apisix.yaml", &two("/c"));
    becomes(&gateway, "/c", 200);
    assert_eq!(modified("a"), before.0);
    assert_ne!(modified("b"), before.1);
}

/// One of every kind; `NODE` and `NAME` are of the environment.
fn every_kind() -> String {
    let (cert, key) = Authority::new().pair("file.test");
    let indented = |pem: &str| pem.trim_end().replace('\n', "\n      ");
    format!(
        "routes:
  - {{uri: /bare, service_id: 1, labels: {{by: \"${{{{NAME:=nobody}}}}\"}}}}
  - {{id: 2, uri: /configured, plugin_config_id: 1, upstream_id: 2}}
services:
  - {{id: 1, upstream_id: 2}}
upstreams:
  - id: 2
    type: roundrobin
    nodes: {{\"${{{{NODE}}}}\": 1}}
plugin_configs:
  - {{id: 1, plugins: {{}}}}
global_rules:
  - {{id: 1, plugins: {{}}}}
consumer_groups:
  - {{id: g, plugins: {{}}}}
consumers:
  - {{username: joe, group_id: g}}
plugin_metadata:
  - {{id: azure-functions, master_apikey: key-of-every-function}}
secrets:
  - {{id: vault/1, prefix: kv/apisix, token: root, uri: \"http://127.0.0.1:8200\"}}
protos:
  - {{id: p, content: 'syntax = \"proto3\";'}}
ssls:
  - id: s
    snis: [file.test]
    cert: |
      {}
    key: |
      {}
plugins:
  - name: key-auth
stream_routes:
  - {{server_port: 1985, upstream_id: 2}}
# The end.
#END
",
        indented(&cert),
        indented(&key)
    )
}

#[test]
fn every_kind_may_be_in_the_file_with_the_environment_in_it() {
    let upstream = Upstream::fixed("here");
    let settings = read_only().environment("NODE", upstream.node()).beside("apisix.yaml", every_kind());
    let gateway = Gateway::with(settings);
    let (_, status) = gateway.admin("GET", "/status", Value::Null);
    assert!(status.get("store").is_none() && status["refused"] == json!([]), "{status}");
    assert_eq!(gateway.get("/bare").text(), "here");
    assert_eq!(gateway.get("/configured").text(), "here");
    let (_, unnamed) = gateway.admin("GET", "/routes/arr_1", Value::Null);
    assert_eq!(unnamed["value"]["labels"]["by"], "nobody");
    for path in [
        "/services/1",
        "/upstreams/2",
        "/plugin_configs/1",
        "/global_rules/1",
        "/consumer_groups/g",
        "/consumers/joe",
        "/plugin_metadata/azure-functions",
        "/secrets/vault/1",
        "/protos/p",
        "/ssls/s",
    ] {
        let (status, shown) = gateway.admin("GET", path, Value::Null);
        assert_eq!(status, 200, "{path}: {shown}");
    }
    assert!(!gateway.output().contains("PRIVATE KEY"), "{}", gateway.output());
}

#[test]
fn json_is_read_from_a_file_of_its_own() {
    let upstream = Upstream::fixed("here");
    let file = |uri: &str| {
        let nodes = json!({"${{NODE}}": 1});
        let upstream = json!({"type": "roundrobin", "nodes": nodes});
        json!({"routes": [{"id": 1, "uri": uri, "upstream": upstream, "priority": "${{PRIORITY:=3}}"}]})
            .to_string()
    };
    let settings = data_plane("json").environment("NODE", upstream.node()).beside("apisix.json", file("/a"));
    let gateway = Gateway::with(settings);
    assert_eq!(gateway.get("/a").text(), "here");
    gateway.write("apisix.json", &file("/b"));
    becomes(&gateway, "/b", 200);
}

#[test]
fn a_consumer_of_the_file_shows_a_key_of_the_file() {
    let upstream = Upstream::fixed("here");
    let yaml = format!(
        "routes:
  - uri: /a
    plugins: {{key-auth: {{}}}}
    upstream: {{type: roundrobin, nodes: {{\"{}\": 1}}}}
consumers:
  - id: rose/credentials/c1
    plugins: {{key-auth: {{key: \"${{{{ROSE_KEY}}}}\"}}}}
  - {{id: rose, username: rose}}
#END
",
        upstream.node()
    );
    let settings = data_plane("yaml").environment("ROSE_KEY", "key-of-rose").beside("apisix.yaml", &yaml);
    let gateway = Gateway::with(settings);
    let ask = |key: &str| gateway.request("GET", "/a", &[&format!("apikey: {key}")], b"").status;
    assert_eq!((ask("key-of-rose"), ask("another")), (200, 401));
    gateway.write("apisix.yaml", &yaml.replace("${{ROSE_KEY}}", "another"));
    eventually("the key is another", || (ask("another") == 200).then_some(()));
    assert_eq!(ask("key-of-rose"), 401);
}
