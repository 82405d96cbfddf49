//! Plugins of consumers and their groups, over those of routes.

use lockgate_tests::{FakeUpstream, Gateway};
use serde_json::{Value, json};

fn function(upstream: &FakeUpstream) -> Value {
    json!({"aws-lambda": {"function_uri": format!("http://{}/f", upstream.node())}})
}

fn with_key(mut plugins: Value, key: &str) -> Value {
    plugins["key-auth"] = json!({"key": key});
    plugins
}

#[test]
fn of_one_plugin_that_of_the_consumer_runs_then_of_its_group_then_of_the_route() {
    let gateway = Gateway::start();
    let (node, of_route) = (FakeUpstream::fixed("node"), FakeUpstream::fixed("route"));
    let (of_group, of_consumer) = (FakeUpstream::fixed("group"), FakeUpstream::fixed("consumer"));
    gateway.route("1", json!({"uri": "/plain", "plugins": {"key-auth": {}}}), &node.node());
    let mut plugins = function(&of_route);
    plugins["key-auth"] = json!({});
    gateway.route("2", json!({"uri": "/function", "plugins": plugins}), &node.node());
    gateway.put("/consumer_groups/g", json!({"plugins": function(&of_group)}));
    let disabled = json!({"aws-lambda": {"function_uri": "http://127.0.0.1:1/", "_meta": {"disable": true}}});
    let consumers = [
        ("bare", None, json!({})),
        ("grouped", Some("g"), json!({})),
        ("own", None, function(&of_consumer)),
        ("both", Some("g"), function(&of_consumer)),
        ("without", Some("g"), disabled),
    ];
    for (name, group, plugins) in consumers {
        let mut body = json!({"username": name, "plugins": with_key(plugins, name)});
        if let Some(group) = group {
            body["group_id"] = json!(group);
        }
        gateway.put("/consumers", body);
    }
    let answer = |uri: &str, key: &str| gateway.request("GET", uri, &[&format!("apikey: {key}")], b"").text();
    let rows = [
        ("bare", "node", "route"),
        ("grouped", "group", "group"),
        ("own", "consumer", "consumer"),
        ("both", "consumer", "consumer"),
        ("without", "node", "node"),
    ];
    for (key, plain, function) in rows {
        assert_eq!(
            (answer("/plain", key).as_str(), answer("/function", key).as_str()),
            (plain, function),
            "{key}"
        );
        assert_eq!(
            (answer("/plain", key).as_str(), answer("/function", key).as_str()),
            (plain, function),
            "{key}"
        );
    }
    gateway.put("/consumer_groups/g", json!({"plugins": {}}));
    assert_eq!(
        (answer("/plain", "grouped").as_str(), answer("/function", "grouped").as_str()),
        ("node", "route")
    );
}

#[test]
fn a_group_in_use_is_not_deleted_and_one_that_is_not_there_not_referred_to() {
    let gateway = Gateway::start();
    let jack = json!({"username": "jack", "group_id": "g"});
    let (status, refused) = gateway.admin("PUT", "/consumers", jack.clone());
    assert_eq!(status, 400, "{refused}");
    gateway.put("/consumer_groups/g", json!({"plugins": {}}));
    gateway.put("/consumers", jack);
    let (status, refused) = gateway.admin("DELETE", "/consumer_groups/g", Value::Null);
    let why = "can not delete this consumer group, consumer [jack] is still using it now";
    assert_eq!((status, &refused["error_msg"]), (400, &json!(why)));
}

#[test]
fn a_credential_takes_one_plugin_of_authentication_only() {
    let gateway = Gateway::start();
    gateway.put("/consumers", json!({"username": "jack"}));
    let body = json!({"plugins": {"aws-lambda": {"function_uri": "http://127.0.0.1:1/"}}});
    let (status, refused) = gateway.admin("PUT", "/consumers/jack/credentials/c1", body);
    let why = "only supports auth type plugins in consumer credential";
    assert_eq!((status, &refused["error_msg"]), (400, &json!(why)));
}

#[test]
fn a_consumer_hashes_to_one_node() {
    let gateway = Gateway::start();
    let nodes = [FakeUpstream::fixed("a"), FakeUpstream::fixed("b"), FakeUpstream::fixed("c")];
    let weights: serde_json::Map<_, _> = nodes.iter().map(|node| (node.node(), json!(1))).collect();
    let upstream = json!({"type": "chash", "hash_on": "consumer", "nodes": weights});
    gateway.put("/routes/1", json!({"uri": "/", "plugins": {"key-auth": {}}, "upstream": upstream}));
    let mut seen = std::collections::BTreeSet::new();
    for name in (0..12).map(|number| format!("c{number}")) {
        gateway.put("/consumers", json!({"username": name, "plugins": {"key-auth": {"key": name}}}));
        let field = format!("apikey: {name}");
        let answers: Vec<_> = (0..3).map(|_| gateway.request("GET", "/", &[&field], b"").text()).collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        seen.insert(answers[0].clone());
    }
    assert!(seen.len() > 1, "{seen:?}");
}
