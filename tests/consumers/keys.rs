//! `key-auth`: where the key may be, what is kept from nodes, and whom they are told of.

use lockgate_tests::{FakeUpstream, Gateway};
use serde_json::{Value, json};

fn guarded(config: &Value) -> (Gateway, FakeUpstream) {
    let (gateway, upstream) = (Gateway::start(), FakeUpstream::fixed("served"));
    gateway.route("1", json!({"uri": "/*", "plugins": {"key-auth": config}}), &upstream.node());
    (gateway, upstream)
}

fn consumer(gateway: &Gateway, name: &str, key: &str) {
    gateway.put("/consumers", json!({"username": name, "plugins": {"key-auth": {"key": key}}}));
}

#[test]
fn a_key_is_asked_for_in_the_words_of_apisix() {
    let (gateway, _upstream) = guarded(&json!({"realm": "house"}));
    let missing = gateway.get("/a");
    assert_eq!(
        (missing.status, missing.text()),
        (401, "{\"message\":\"Missing API key in request\"}\n".into())
    );
    assert_eq!(missing.get("WWW-Authenticate"), Some("apikey realm=\"house\""));
    let wrong = gateway.request("GET", "/a", &["apikey: nope"], b"");
    assert_eq!((wrong.status, wrong.text()), (401, "{\"message\":\"Invalid API key in request\"}\n".into()));
}

#[test]
fn a_key_is_taken_from_the_header_or_the_query_and_goes_on_to_the_node() {
    let (gateway, upstream) = guarded(&json!({}));
    consumer(&gateway, "jack", "auth one");
    assert_eq!(gateway.request("GET", "/a", &["apikey: auth one"], b"").status, 200);
    assert_eq!(upstream.next().head.get("apikey"), Some("auth one"));
    assert_eq!(gateway.get("/a?b=1&apikey=auth+one").status, 200);
    assert_eq!(upstream.next().target(), "/a?b=1&apikey=auth+one");
    // The header goes first, also where only the query is right.
    assert_eq!(gateway.request("GET", "/a?apikey=auth+one", &["apikey: nope"], b"").status, 401);
}

#[test]
fn a_key_can_be_named_otherwise_and_kept_from_the_node() {
    let (gateway, upstream) = guarded(&json!({"header": "X-Key", "query": "k", "hide_credentials": true}));
    consumer(&gateway, "jack", "one");
    assert_eq!(gateway.request("GET", "/a?k=stays", &["X-Key: one"], b"").status, 200);
    let received = upstream.next();
    assert_eq!((received.head.get("x-key"), received.target()), (None, "/a?k=stays"));
    assert_eq!(gateway.get("/a?b=%2F&%6b=one&c").status, 200);
    assert_eq!(upstream.next().target(), "/a?b=%2F&c");
    assert_eq!(gateway.get("/a?k=one").status, 200);
    assert_eq!(upstream.next().target(), "/a");
}

#[test]
fn nodes_are_told_who_calls_and_never_by_the_client() {
    let (gateway, upstream) = guarded(&json!({}));
    gateway.put("/consumers", json!({"username": "jack", "labels": {"custom_id": "4711"}}));
    gateway.put("/consumers/jack/credentials/c1", json!({"plugins": {"key-auth": {"key": "one"}}}));
    consumer(&gateway, "jill", "two");
    let forged = [
        "X-Consumer-Username: root",
        "X_Consumer_Username: root",
        "X-Credential-Identifier: root",
        "X-Consumer-Custom-Id: 0",
    ];
    let told = |key: &str| {
        let key = format!("apikey: {key}");
        let fields: Vec<_> = forged.into_iter().chain([key.as_str()]).collect();
        assert_eq!(gateway.request("GET", "/a", &fields, b"").status, 200);
        let received = upstream.next();
        assert_eq!(received.head.get("X_Consumer_Username"), None, "many programs take it for the other");
        ["X-Consumer-Username", "X-Credential-Identifier", "X-Consumer-Custom-Id"]
            .map(|name| received.head.get(name).map(str::to_owned))
    };
    assert_eq!(told("one"), [Some("jack".into()), Some("c1".into()), Some("4711".into())]);
    assert_eq!(told("two"), [Some("jill".into()), None, None]);
}

#[test]
fn who_has_no_key_is_the_anonymous_consumer_where_there_is_one() {
    let (gateway, upstream) = guarded(&json!({"anonymous_consumer": "guest", "hide_credentials": true}));
    let nobody = gateway.get("/a");
    assert_eq!(
        (nobody.status, nobody.text()),
        (401, "{\"message\":\"Invalid user authorization\"}\n".into())
    );
    gateway.put("/consumers", json!({"username": "guest"}));
    assert_eq!(gateway.request("GET", "/a?apikey=x&b", &["apikey: nope"], b"").status, 200);
    let received = upstream.next();
    assert_eq!(received.head.get("X-Consumer-Username"), Some("guest"));
    assert_eq!((received.head.get("apikey"), received.target()), (None, "/a?b"));
}

#[test]
fn a_key_is_good_from_the_answer_of_its_change_to_that_of_its_deletion() {
    let (gateway, _upstream) = guarded(&json!({}));
    let status = |key: &str| gateway.request("GET", "/a", &[&format!("apikey: {key}")], b"").status;
    consumer(&gateway, "jack", "one");
    assert_eq!((status("one"), status("two")), (200, 401));
    consumer(&gateway, "jack", "two");
    assert_eq!((status("one"), status("two")), (401, 200));
    gateway.put("/consumers/jack/credentials/c1", json!({"plugins": {"key-auth": {"key": "three"}}}));
    assert_eq!(status("three"), 200);
    assert_eq!(gateway.admin("DELETE", "/consumers/jack", Value::Null).0, 200);
    assert_eq!((status("two"), status("three")), (401, 401));
}

#[test]
fn keys_of_others_are_refused() {
    let gateway = Gateway::start();
    consumer(&gateway, "jack", "one");
    gateway.put("/consumers/jack/credentials/c1", json!({"plugins": {"key-auth": {"key": "two"}}}));
    let rows = [
        ("/consumers/jill", "one", "consumer: jack"),
        ("/consumers/jill", "two", "credential: c1 of consumer: jack"),
        ("/consumers/jack/credentials/c2", "one", "consumer: jack"),
        ("/consumers/jack/credentials/c2", "two", "credential: c1 of consumer: jack"),
    ];
    for (path, key, owner) in rows {
        let mut body = json!({"plugins": {"key-auth": {"key": key}}});
        if path == "/consumers/jill" {
            body["username"] = json!("jill");
        }
        let why = format!("duplicate key of plugin key-auth found with {owner}");
        assert_eq!(gateway.admin("PUT", path, body), (400, json!({"error_msg": why})));
    }
    consumer(&gateway, "jack", "one");
    consumer(&gateway, "jack", "two");
}

#[test]
fn changes_of_a_consumer_lose_no_request_of_another() {
    let (gateway, _upstream) = guarded(&json!({}));
    consumer(&gateway, "jack", "one");
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut served = 0;
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                let reply = gateway.request("GET", "/a", &["apikey: one"], b"");
                assert_eq!(reply.status, 200, "{}", reply.text());
                served += 1;
            }
            served
        });
        for number in 0..50 {
            let labels = json!({"custom_id": number.to_string()});
            let plugins = json!({"key-auth": {"key": "one"}});
            gateway.put("/consumers", json!({"username": "jack", "labels": labels, "plugins": plugins}));
            consumer(&gateway, "jill", &format!("key {number}"));
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(load.join().expect("no request was lost") > 0);
    });
}
