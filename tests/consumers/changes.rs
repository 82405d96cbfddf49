//! What may be kept of consumers, and that changes of them are live at once and disturb nobody.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use lockgate_tests::{FakeUpstream, Gateway};
use serde_json::{Value, json};

fn key(key: &str) -> Value {
    json!({"key-auth": {"key": key}})
}

fn is_let_in(gateway: &Gateway, key: &str) -> bool {
    gateway.request("GET", "/", &[&format!("apikey: {key}")], b"").status == 200
}

/// A gateway whose only route asks for a key.
fn gateway() -> (Gateway, FakeUpstream) {
    let (gateway, upstream) = (Gateway::start(), FakeUpstream::fixed("passed"));
    gateway.route("1", json!({"uri": "/", "plugins": {"key-auth": {}}}), &upstream.node());
    (gateway, upstream)
}

#[test]
fn a_key_belongs_to_one_consumer_or_credential() {
    let (gateway, _upstream) = gateway();
    gateway.put("/consumers", json!({"username": "jack", "plugins": key("one")}));
    gateway.put("/consumers", json!({"username": "jack", "plugins": key("one"), "desc": "again"}));
    gateway.put("/consumers", json!({"username": "jill"}));
    gateway.put("/consumers/jill/credentials/c1", json!({"plugins": key("two")}));
    let refused = |path: &str, body: Value| {
        let (status, answer) = gateway.admin("PUT", path, body);
        assert_eq!(status, 400, "{answer}");
        answer["error_msg"].as_str().unwrap_or_default().to_owned()
    };
    let of_jack = "duplicate key of plugin key-auth found with consumer: jack";
    assert_eq!(refused("/consumers", json!({"username": "jill", "plugins": key("one")})), of_jack);
    assert_eq!(refused("/consumers/jill/credentials/c2", json!({"plugins": key("one")})), of_jack);
    let of_jill = "duplicate key of plugin key-auth found with credential: c1 of consumer: jill";
    assert_eq!(refused("/consumers", json!({"username": "jack", "plugins": key("two")})), of_jill);
    assert_eq!(refused("/consumers/jack/credentials/c1", json!({"plugins": key("two")})), of_jill);
    gateway.put("/consumers", json!({"username": "jack", "plugins": key("three")}));
    gateway.put("/consumers/jill/credentials/c2", json!({"plugins": key("one")}));
}

#[test]
fn what_is_no_credential_is_refused() {
    let (gateway, _upstream) = gateway();
    let refused = |path: &str, body: Value| {
        let (status, answer) = gateway.admin("PUT", path, body);
        assert_eq!(status, 400, "{answer}");
        answer["error_msg"].as_str().unwrap_or_default().to_owned()
    };
    let missing = "invalid plugins configuration: failed to check the configuration of plugin key-auth err: \
                   property \"key\" is required";
    assert_eq!(refused("/consumers", json!({"username": "jack", "plugins": {"key-auth": {}}})), missing);
    gateway.put("/consumers", json!({"username": "jack"}));
    assert_eq!(refused("/consumers/jack/credentials/1", json!({"plugins": {"key-auth": {}}})), missing);
    let function = json!({"azure-functions": {"function_uri": "http://127.0.0.1:9/"}});
    assert_eq!(
        refused("/consumers/jack/credentials/1", json!({"plugins": function})),
        "only supports auth type plugins in consumer credential"
    );
    assert!(refused("/consumers", json!({"username": "joe", "group_id": "none"})).contains("consumer group"));
}

#[test]
fn keys_come_go_and_move_with_the_change_that_says_so() {
    let (gateway, _upstream) = gateway();
    gateway.put("/consumers", json!({"username": "jack", "plugins": key("old")}));
    assert!(is_let_in(&gateway, "old"));
    gateway.put("/consumers", json!({"username": "jack", "plugins": key("new")}));
    assert!(is_let_in(&gateway, "new") && !is_let_in(&gateway, "old"));
    gateway.put("/consumers/jack/credentials/c", json!({"plugins": key("more")}));
    assert!(is_let_in(&gateway, "more"));
    assert_eq!(gateway.admin("DELETE", "/consumers/jack/credentials/c", Value::Null).0, 200);
    assert!(!is_let_in(&gateway, "more") && is_let_in(&gateway, "new"));
    gateway.put("/consumers/jack/credentials/c", json!({"plugins": key("more")}));
    assert_eq!(gateway.admin("DELETE", "/consumers/jack", Value::Null).0, 200);
    assert!(!is_let_in(&gateway, "new") && !is_let_in(&gateway, "more"), "its credentials go with it");
}

#[test]
fn a_key_rests_sealed_and_is_shown_to_those_who_may_read() {
    let (gateway, _upstream) = gateway();
    let kept = gateway.put("/consumers", json!({"username": "jack", "plugins": key("a-secret-key")}));
    assert_ne!(kept["value"]["plugins"]["key-auth"]["key"], json!("a-secret-key"));
    let (_, read) = gateway.admin("GET", "/consumers/jack", Value::Null);
    assert_eq!(read["value"]["plugins"]["key-auth"]["key"], json!("a-secret-key"));
    let (_, schema) = gateway.admin("GET", "/schema/plugins/key-auth?schema_type=consumer", Value::Null);
    assert_eq!((&schema["required"], &schema["encrypt_fields"]), (&json!(["key"]), &json!(["key"])));
}

#[test]
fn thousands_of_consumers_are_known_after_a_restart_and_changes_disturb_nobody() {
    let (mut gateway, _upstream) = gateway();
    for number in 0..2000 {
        let name = format!("user{number}");
        gateway.put("/consumers", json!({"username": name, "plugins": key(&format!("key{number}"))}));
    }
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let hammer = scope.spawn(|| {
            let mut count = 0;
            while !is_done.load(Ordering::Relaxed) || count == 0 {
                assert!(is_let_in(&gateway, "key1999"));
                count += 1;
            }
        });
        for number in 0..100 {
            gateway
                .put("/consumers", json!({"username": "user7", "plugins": key(&format!("other{number}"))}));
            assert!(is_let_in(&gateway, &format!("other{number}")));
        }
        is_done.store(true, Ordering::Relaxed);
        hammer.join().expect("no request is refused meanwhile");
    });
    gateway.crash_and_restart();
    for number in [0, 1000, 1999] {
        assert!(is_let_in(&gateway, &format!("key{number}")), "{number}");
    }
    assert!(is_let_in(&gateway, "other99") && !is_let_in(&gateway, "key7"));
}
