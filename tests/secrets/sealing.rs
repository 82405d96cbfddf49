//! Secret fields rest sealed, and keys rotate by being put in front.

use lockgate_tests::{Authority, Function, Gateway, Settings};
use serde_json::{Value, json};

const OLD: &str = "qeddd145sfvddff3";
const NEW: &str = "edd1c9f0985e76a2";

fn keyring(keys: &[&str]) -> Settings {
    Settings::new().set("apisix.data_encryption", json!({"enable_encrypt_fields": true, "keyring": keys}))
}

fn holds(gateway: &Gateway, secret: &str) -> bool {
    let bytes = std::fs::read(gateway.data().join("lockgate.redb")).expect("the store is there");
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

#[test]
fn the_store_holds_no_secret_of_any_kind_and_keys_rotate() {
    let function = Function::start();
    let mut gateway = Gateway::with(keyring(&[OLD]));
    let (cert, key) = Authority::new().pair("a.example");
    let config = json!({"function_uri": format!("http://{}/", function.node()),
        "authorization": {"apikey": Function::KEY}});
    let plugins = json!({"aws-lambda": config});
    gateway.put("/plugin_configs/1", json!({"plugins": plugins}));
    gateway.put("/routes/1", json!({"uri": "/hello", "plugins": plugins}));
    gateway.put("/ssls/1", json!({"cert": cert, "key": key, "snis": ["a.example"]}));
    let tls = json!({"client_cert": cert, "client_key": key});
    let nodes = json!({"127.0.0.1:1": 1});
    let upstream = json!({"type": "roundrobin", "scheme": "https", "nodes": nodes, "tls": tls});
    gateway.put("/upstreams/1", upstream);
    let line = key.lines().nth(1).expect("a line of base64").to_owned();
    for secret in [Function::KEY, &line] {
        assert!(!holds(&gateway, secret), "{secret} is readable in the store");
    }
    gateway.rewrite(&keyring(&[NEW, OLD]));
    gateway.crash_and_restart();
    assert_eq!(gateway.get("/hello").status, 200, "the key behind opens");
    gateway.put("/routes/1", json!({"uri": "/hello", "plugins": plugins}));
    gateway.put("/ssls/1", json!({"cert": cert, "key": key, "snis": ["a.example"]}));
    gateway.rewrite(&keyring(&[NEW]));
    gateway.crash_and_restart();
    assert_eq!(gateway.get("/hello").status, 200, "the key in front sealed it");
    let (_, status) = gateway.admin("GET", "/status", Value::Null);
    let refused = status["refused"].as_array().expect("a list");
    let told: Vec<_> = refused.iter().map(|one| (&one["key"], &one["reason"])).collect();
    let why = json!("the private key is no PEM, and no key of apisix.data_encryption.keyring opens it");
    assert_eq!(told, [(&json!("/apisix/upstreams/1"), &why)], "what was not written anew");
}
