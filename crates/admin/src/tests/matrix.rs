//! Scenarios, as APISIX was recorded: a line that begins with `>` is a call, the next one what is answered.

use serde_json::{Value, json};

use super::harness::Api;

/// The times differ from run to run: they must be there, and are taken away.
fn timeless(mut answer: Value) -> Value {
    let mut strip = |value: &mut Value| {
        for name in ["create_time", "update_time"] {
            let time = value.as_object_mut().and_then(|fields| fields.shift_remove(name));
            assert!(
                time.is_some_and(|time| time.as_u64().is_some_and(|time| time > 1_700_000_000)),
                "{name}"
            );
        }
    };
    answer.get_mut("value").into_iter().for_each(&mut strip);
    for entry in answer.get_mut("list").and_then(Value::as_array_mut).into_iter().flatten() {
        strip(&mut entry["value"]);
    }
    answer
}

async fn play(scenario: &str) {
    let api = Api::new();
    let mut lines = scenario.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    while let Some(call) = lines.next() {
        let mut words = call.strip_prefix("> ").unwrap_or_else(|| panic!("{call} is no call")).splitn(3, ' ');
        let (method, path, body) =
            (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or_default());
        let expected =
            lines.next().and_then(|line| line.strip_prefix("< ")).unwrap_or_else(|| panic!("after {call}"));
        let (status, expected) = expected.split_once(' ').unwrap_or((expected, ""));
        let answer = api.call(method, &format!("/{path}"), body.to_owned()).await;
        assert_eq!(answer.status.as_str(), status, "{call}: {}", answer.text);
        match serde_json::from_str::<Value>(expected) {
            Ok(expected) => assert_eq!(timeless(answer.json()), expected, "{call}"),
            Err(_) => assert_eq!(answer.text, expected, "{call}"),
        }
    }
}

#[tokio::test]
async fn the_recorded_calls_of_the_matrix_are_answered_as_recorded() {
    play(include_str!("matrix.txt")).await;
}

#[tokio::test]
async fn spoilt_configurations_are_refused_as_recorded() {
    play(include_str!("invalid.txt")).await;
}

#[tokio::test]
async fn what_differs_from_apisix_on_purpose_is_as_decided() {
    play(include_str!("different.txt")).await;
}

#[tokio::test]
async fn every_kind_is_served_as_recorded() {
    play(include_str!("kinds.txt")).await;
}

#[tokio::test]
async fn answers_of_version_2_name_the_action_and_the_node() {
    let api = Api::with(|admin| admin.version = crate::ApiVersion::V2);
    let call = async |method: &str, path: &str, body: &'static str| {
        let answer = api.call(method, path, body).await;
        assert_eq!(answer.headers["x-api-version"], "v2");
        let mut json = answer.json();
        for place in ["/node/value", "/node/nodes/0/value"] {
            if let Some(Value::Object(fields)) = json.pointer_mut(place) {
                fields.retain(|name, _| !name.ends_with("_time"));
            }
        }
        json
    };
    let value = json!({"username": "joe"});
    let node = json!({"key": "/apisix/consumers/joe", "value": value});
    let written = call("PUT", "/consumers", r#"{"username":"joe"}"#).await;
    assert_eq!(written, json!({"action": "set", "node": node}));
    assert_eq!(call("GET", "/consumers/joe", "").await, json!({"action": "get", "node": node}));
    let listed =
        json!({"key": "/apisix/consumers/joe", "value": value, "createdIndex": 1, "modifiedIndex": 1});
    let all = json!({"dir": true, "key": "/apisix/consumers", "nodes": [listed]});
    assert_eq!(
        call("GET", "/consumers?page=7&page_size=10", "").await,
        json!({"action": "get", "node": all})
    );
    let deleted = json!({"action": "delete", "deleted": "1", "key": "/apisix/consumers/joe", "node": {}});
    assert_eq!(call("DELETE", "/consumers/joe", "").await, deleted);
    let posted =
        call("POST", "/routes", r#"{"uri":"/","plugins":{"aws-lambda":{"function_uri":"http://x","a":1}}}"#);
    let posted = posted.await;
    assert_eq!((&posted["action"], &posted["node"]["value"]["uri"]), (&json!("create"), &json!("/")));
    assert_eq!(posted["warnings"].as_array().map(Vec::len), Some(1));
    let id = posted["node"]["value"]["id"].as_str().unwrap().to_owned();
    assert_eq!(call("PATCH", &format!("/routes/{id}"), r#"{"uri":"/b"}"#).await["action"], "compareAndSwap");
}
