//! One prefix for APISIX and Lockgate: each kind under the other's key, in the other's JSON.

use lockgate_tests::{Authority, FakeUpstream as Upstream, Gateway, eventually};
use serde_json::{Value, json};

use crate::gateways::settings;
use crate::process::Etcd;

/// What APISIX writes: every kind under its key, with the times and ids that its Admin API adds.
fn written_by_apisix(node: &str) -> Vec<(&'static str, Value)> {
    let (cert, key) = Authority::new().pair("layout.test");
    let times = |mut value: Value| {
        value["create_time"] = json!(1_700_000_000);
        value["update_time"] = json!(1_700_000_001);
        value
    };
    vec![
        (
            "/upstreams/1",
            times(json!({
                "id": "1", "type": "roundrobin", "hash_on": "vars", "scheme": "http", "pass_host": "pass",
                "nodes": [{"host": node.split(':').next(), "port": port(node), "weight": 1, "priority": 0}],
            })),
        ),
        ("/services/1", times(json!({"id": "1", "upstream_id": "1", "enable_websocket": false}))),
        ("/plugin_configs/1", times(json!({"id": "1", "plugins": {}}))),
        (
            "/routes/1",
            times(json!({
                "id": "1", "uri": "/by-apisix", "service_id": "1", "plugin_config_id": "1", "priority": 0, "status": 1,
            })),
        ),
        // An id is a number where its user wrote one.
        (
            "/routes/00000000000000000042",
            times(json!({
                "id": "00000000000000000042", "uri": "/posted", "upstream_id": 1, "priority": 0, "status": 1,
            })),
        ),
        ("/global_rules/1", times(json!({"id": "1", "plugins": {}}))),
        ("/consumer_groups/g", times(json!({"id": "g", "plugins": {}}))),
        ("/consumers/joe", times(json!({"username": "joe", "group_id": "g"}))),
        ("/consumers/joe/credentials/c1", times(json!({"id": "c1", "plugins": {}}))),
        ("/plugin_metadata/azure-functions", json!({"id": "azure-functions", "master_apikey": "k"})),
        (
            "/secrets/vault/1",
            times(json!({
                "id": "vault/1", "uri": "http://127.0.0.1:8200", "prefix": "kv/apisix", "token": "root",
            })),
        ),
        ("/protos/1", times(json!({"id": "1", "content": "syntax = \"proto3\";"}))),
        (
            "/ssls/1",
            times(json!({
                "id": "1", "type": "server", "status": 1, "snis": ["layout.test"], "cert": cert, "key": key,
            })),
        ),
    ]
}

fn port(node: &str) -> Option<u16> {
    node.rsplit(':').next()?.parse().ok()
}

#[test]
fn what_apisix_has_written_is_served_and_what_is_no_resource_is_passed_over() {
    let (etcd, upstream) = (Etcd::start(), Upstream::fixed("here"));
    let resources = written_by_apisix(&upstream.node());
    for (key, value) in &resources {
        etcd.put(&format!("/apisix{key}"), &value.to_string());
    }
    let others = [
        ("/apisix/data_plane/server_info/5d8f0a1e", r#"{"id":"5d8f0a1e","version":"3.11.0","hostname":"a"}"#),
        ("/apisix/plugins", r#"[{"name":"key-auth"},{"name":"mqtt-proxy","stream":true}]"#),
        ("/apisix/routes/", "init_dir"),
        ("/apisix/upstreams/", "init_dir"),
    ];
    for (key, value) in others {
        etcd.put(key, value);
    }
    let gateway = Gateway::with(settings(etcd.port));
    assert_eq!(
        (gateway.get("/by-apisix").text(), gateway.get("/posted").text()),
        ("here".into(), "here".into())
    );
    for (key, value) in &resources {
        let (status, shown) = gateway.admin("GET", key, Value::Null);
        assert_eq!((status, &shown["key"]), (200, &json!(format!("/apisix{key}"))), "{shown}");
        if !key.contains("ssls") && !key.contains("metadata") {
            assert_eq!(&shown["value"], value, "{key}");
        }
    }
    let (_, status) = gateway.admin("GET", "/status", Value::Null);
    assert_eq!(status["refused"], json!([]), "{status}");
    etcd.put("/apisix/data_plane/server_info/5d8f0a1e", r#"{"id":"5d8f0a1e","up_time":1}"#);
    etcd.put("/apisix/routes/1", &json!({"id": "1", "uri": "/moved", "service_id": "1"}).to_string());
    eventually("the watch goes on", || (gateway.get("/moved").status == 200).then_some(()));
}

#[test]
fn what_is_written_here_has_apisixs_keys_and_values() {
    let (etcd, upstream) = (Etcd::start(), Upstream::fixed("here"));
    let gateway = Gateway::with(settings(etcd.port));
    for (key, value) in written_by_apisix(&upstream.node()) {
        let mut sent = value.clone();
        let fields = sent.as_object_mut().expect("resources are objects");
        fields.retain(|name, _| !matches!(name.as_str(), "create_time" | "update_time" | "id"));
        let path = if key == "/consumers/joe" { "/consumers" } else { key };
        gateway.put(path, sent);
        let kept: Value = serde_json::from_str(&etcd.get(&format!("/apisix{key}"))).expect("a value is JSON");
        if key.contains("metadata") {
            assert_eq!(kept["id"], "azure-functions", "{kept}");
            continue;
        }
        assert_eq!(kept.get("id"), value.get("id"), "{key}");
        assert!(kept["create_time"].is_u64() && kept["update_time"].is_u64(), "{key}: {kept}");
        for (name, field) in value.as_object().expect("resources are objects") {
            if !matches!(name.as_str(), "create_time" | "update_time" | "key") {
                assert_eq!(&kept[name], field, "{key}: {name}");
            }
        }
    }
    let keys = etcd.run(&["get", "--prefix", "--keys-only", "/"]);
    assert!(keys.lines().filter(|key| !key.is_empty()).all(|key| key.starts_with("/apisix/")), "{keys}");
}

#[test]
fn a_burst_of_a_thousand_changes_costs_a_few_compilations_and_three_gateways_agree() {
    let (etcd, upstream) = (Etcd::start(), Upstream::fixed("here"));
    let gateways: Vec<_> = (0..3).map(|_| Gateway::with(settings(etcd.port))).collect();
    let node = upstream.node();
    gateways[0]
        .put("/routes/first", json!({"uri": "/*", "upstream": {"type": "roundrobin", "nodes": {node: 1}}}));
    let status = |gateway: &Gateway| gateway.admin("GET", "/status", Value::Null).1;
    let compilations = |gateway: &Gateway| status(gateway)["compilations"].as_u64().expect("it is counted");
    for gateway in &gateways {
        eventually("it is served", || (gateway.get("/x").status == 200).then_some(()));
    }
    let before: Vec<u64> = gateways.iter().map(compilations).collect();
    etcd.fill(1000);
    let total = |gateway: &Gateway| {
        gateway.admin("GET", "/routes?page=1&page_size=10", Value::Null).1["total"].clone()
    };
    let mut revisions = Vec::new();
    for (gateway, before) in gateways.iter().zip(before) {
        // The total first: the status that is asked for after it cannot be one from before the last transaction.
        let live = eventually("all of it is live", || {
            let all = total(gateway) == 1001;
            let status = status(gateway);
            (all && status["live"] == status["revision"]).then(|| status["live"].clone())
        });
        let cost = compilations(gateway) - before;
        assert!(cost <= 60, "1,000 changes in ten transactions took {cost} compilations");
        revisions.push(live);
    }
    assert_eq!(revisions[0], revisions[1]);
    assert_eq!(revisions[1], revisions[2]);
}

/// With APISIX's own default keys, in the value that `etcdctl` shows.
#[test]
fn secrets_rest_sealed_as_apisix_seals_them() {
    let etcd = Etcd::start();
    let keyring = json!(["qeddd145sfvddff3", "edd1c9f0985e76a2"]);
    let gateway = Gateway::with(settings(etcd.port).set("apisix.data_encryption.keyring", keyring));
    gateway.put("/consumers", json!({"username": "jack", "plugins": {"key-auth": {"key": "auth-one"}}}));
    let (cert, key) = Authority::new().pair("sealed.test");
    gateway.put("/ssls/1", json!({"snis": ["sealed.test"], "cert": cert, "key": key}));
    let kept = |key: &str| etcd.run(&["get", "--print-value-only", &format!("/apisix{key}")]);
    let consumer: Value = serde_json::from_str(&kept("/consumers/jack")).expect("JSON");
    // As the real APISIX answered it.
    assert_eq!(consumer["plugins"]["key-auth"]["key"], json!("4y+JvURBE6ZwRbbgaryrhg=="));
    let ssl = kept("/ssls/1");
    assert!(!ssl.contains("PRIVATE KEY") && ssl.contains("BEGIN CERTIFICATE"), "{ssl}");
    let (_, read) = gateway.admin("GET", "/consumers/jack", Value::Null);
    assert_eq!(read["value"]["plugins"]["key-auth"]["key"], json!("auth-one"));
}
