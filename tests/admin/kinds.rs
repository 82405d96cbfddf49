//! The kinds of resource and their pages: each command is run as printed, each field has its row.

use std::path::Path;

use lockgate_tests::{ADMIN_KEY, Gateway, sh};
use serde_json::{Value, json};

/// The kinds with a page of their own.
const PAGES: [&str; 11] = [
    "routes",
    "services",
    "upstreams",
    "ssls",
    "global_rules",
    "plugin_configs",
    "consumers",
    "credentials",
    "consumer_groups",
    "secrets",
    "protos",
];

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/admin-api/{name}.md"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_commands_on_each_page_work_as_printed() {
    assert!(sh("openssl version").is_success, "install openssl");
    for kind in PAGES.into_iter().chain(["README"]) {
        let gateway = Gateway::start();
        let page = page(kind);
        let blocks: Vec<&str> =
            page.split("```shell\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(!blocks.is_empty(), "{kind}: no commands");
        for block in blocks {
            let block = block.replace("http://127.0.0.1:9180", &format!("http://{}", gateway.admin));
            let home = gateway.home().display();
            let run = sh(&format!("cd '{home}' && ADMIN_KEY={ADMIN_KEY} && set -e\n{block}"));
            assert!(run.is_success, "{kind}: {block}\n{run:?}");
            let refused = ["error_msg", "warnings", "HTTP/1.1 4", "HTTP/1.1 5"];
            assert!(!refused.iter().any(|bad| run.output.contains(bad)), "{kind}: {block}\n{run:?}");
        }
    }
}

#[test]
fn every_field_of_every_kind_is_on_its_page_with_its_default() {
    let gateway = Gateway::start();
    let common = page("README");
    for kind in PAGES {
        let (status, schema) = gateway.admin("GET", &format!("/schema/{kind}"), Value::Null);
        assert_eq!(status, 200, "{kind}");
        let page = page(kind);
        for (name, field) in schema["properties"].as_object().expect("fields by name") {
            let is_row = |line: &&str| line.starts_with("| `") && line.contains(&format!("`{name}`"));
            let row = page.lines().find(is_row).or_else(|| common.lines().find(is_row));
            let row = row.unwrap_or_else(|| panic!("{kind}: no row for {name}"));
            if let Some(default) = field.get("default") {
                assert!(row.contains(&format!("`{default}`")), "{kind}: {name}: {row}");
            }
        }
    }
}

#[test]
fn every_kind_survives_a_crash_with_its_key() {
    let mut gateway = Gateway::start();
    let resources = [
        ("/upstreams/u", json!({"nodes": {"127.0.0.1:1": 1}})),
        ("/services/s", json!({"upstream_id": "u"})),
        ("/plugin_configs/p", json!({"plugins": {}})),
        ("/routes/r", json!({"uri": "/", "service_id": "s", "plugin_config_id": "p"})),
        ("/global_rules/g", json!({"plugins": {}})),
        ("/consumer_groups/g", json!({"plugins": {}})),
        ("/consumers", json!({"username": "anna", "group_id": "g"})),
        ("/consumers/anna/credentials/c", json!({"desc": "first"})),
        ("/secrets/vault/v", json!({"uri": "http://127.0.0.1:1", "prefix": "kv", "token": "$ENV://TOKEN"})),
        ("/protos/p", json!({"content": "syntax = \"proto3\";"})),
    ];
    let keys: Vec<String> = resources
        .into_iter()
        .map(|(path, body)| gateway.put(path, body)["key"].as_str().expect("a key").to_owned())
        .collect();
    gateway.crash_and_restart();
    for key in keys {
        let path = key.strip_prefix("/apisix").expect("the key of a resource");
        let (status, read) = gateway.admin("GET", path, Value::Null);
        assert_eq!((status, &read["key"]), (200, &json!(key)));
    }
    let (_, health) = gateway.admin("GET", "/status", Value::Null);
    assert_eq!(health["refused"], json!([]));
    let (status, answer) = gateway.admin("DELETE", "/consumer_groups/g", Value::Null);
    let words = "can not delete this consumer group, consumer [anna] is still using it now";
    assert_eq!((status, answer["error_msg"].as_str()), (400, Some(words)));
    assert_eq!(gateway.admin("DELETE", "/consumers/anna", Value::Null).0, 200);
    assert_eq!(gateway.admin("GET", "/consumers/anna/credentials/c", Value::Null).0, 404);
}
