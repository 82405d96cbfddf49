//! Private keys go in, and never come out: not in answers, not in the store, not in logs.

use lockgate_tests::{Authority, Gateway};
use serde_json::{Value, json};

#[test]
fn a_private_key_is_in_no_answer_and_not_in_the_store() {
    let authority = Authority::new();
    let (cert, key) = authority.files("a.example");
    let read = |path| std::fs::read_to_string(path).expect("just written");
    let (cert, key) = (read(cert), read(key));
    let telling = key.lines().nth(1).expect("a line of the key").to_owned();
    let mut gateway = Gateway::start();
    let ssl = json!({"sni": "a.example", "cert": cert, "key": key, "certs": [cert], "keys": [key]});
    let client = json!({"type": "client", "cert": cert, "key": key});
    let upstream = json!({"nodes": {"127.0.0.1:1": 1}, "scheme": "https", "tls": {"client_cert": cert, "client_key": key}});
    let calls = [
        ("PUT", "/ssls/1", ssl),
        ("PUT", "/ssls/2", client),
        ("PUT", "/upstreams/1", upstream.clone()),
        ("PUT", "/services/1", json!({"upstream": upstream})),
        ("PUT", "/routes/1", json!({"uri": "/a", "upstream": upstream})),
        ("PATCH", "/ssls/1", json!({"desc": "d"})),
        ("PUT", "/ssls/3", json!({"sni": "b.example", "cert": key, "key": cert})),
        ("PUT", "/ssls/3", json!({"sni": "b.example", "cert": cert, "key": key, "bogus": key})),
        ("GET", "/ssls", Value::Null),
        ("GET", "/ssls/1", Value::Null),
        ("GET", "/upstreams/1", Value::Null),
        ("GET", "/services", Value::Null),
        ("GET", "/routes/1", Value::Null),
        ("GET", "/status", Value::Null),
    ];
    for (method, path, body) in calls {
        let (status, answer) = gateway.admin(method, path, body);
        assert!(!answer.to_string().contains(&telling), "{method} {path}: {status} {answer}");
        assert!(status < 500, "{method} {path}: {answer}");
    }
    for path in ["/v1/routes", "/v1/services", "/v1/upstreams", "/v1/schema"] {
        assert!(!gateway.control_get(path).text().contains(&telling), "{path}");
    }
    gateway.crash();
    let store = std::fs::read(gateway.data().join("lockgate.redb")).expect("the store is there");
    let has = |text: &str| store.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("BEGIN CERTIFICATE") && !has(&telling));
}
