//! Secrets that are kept elsewhere: in Vault, in the environment; and those that rest sealed.
//!
//! Vault is stood in for by a script that answers reads of its key-value engine as Vault's documentation has them: the
//! real one is not among the packages that tests are given. Secrets Manager is in the suite `aws`.

mod sealing;
mod vault;

use lockgate_tests::{Authority, FakeUpstream, Function, Gateway, Settings, eventually, sh};
use serde_json::{Value, json};

use vault::Vault;

const FUNCTION_KEY: &str = "$secret://vault/1/functions/hello/key";

/// A gateway that asks for secrets again soon.
fn gateway() -> Gateway {
    let secrets = json!({"ttl": "100ms", "negative_ttl": "1s", "timeout": "2s"});
    Gateway::with(Settings::new().set("lockgate.secrets", secrets).environment("TOKEN", vault::TOKEN))
}

fn call(gateway: &Gateway, function: &Function) -> Value {
    let config = json!({"function_uri": format!("http://{}/", function.node()),
        "authorization": {"apikey": FUNCTION_KEY}});
    gateway.put("/routes/1", json!({"uri": "/hello", "plugins": {"aws-lambda": config}}))
}

fn refused(gateway: &Gateway) -> Vec<String> {
    let (_, status) = gateway.admin("GET", "/status", Value::Null);
    let refused = status["refused"].as_array().cloned().unwrap_or_default();
    refused.iter().map(|one| one["reason"].as_str().unwrap_or_default().to_owned()).collect()
}

fn answers(gateway: &Gateway, status: u16) {
    eventually("the route should answer so", || (gateway.get("/hello").status == status).then_some(()));
}

#[test]
fn a_plugin_has_what_vault_has_and_keeps_it_while_vault_is_away() {
    let (vault, function, gateway) = (Vault::start(), Function::start(), gateway());
    vault.has("functions/hello", &json!({"key": Function::KEY}));
    gateway.put("/secrets/vault/1", vault.resource());
    let reply = call(&gateway, &function);
    assert_eq!(reply.get("warnings"), None, "{reply}");
    assert_eq!(gateway.get("/hello").status, 200);
    assert!(vault.asked().iter().all(|target| target == "/v1/kv/apisix/functions/hello"));
    vault.has("functions/hello", &json!({"key": "of-somebody-else"}));
    answers(&gateway, 403);
    vault.has("functions/hello", &json!({"key": Function::KEY}));
    answers(&gateway, 200);
    vault.is_away(true);
    vault.asked();
    eventually("Vault should be asked in vain", || (!vault.asked().is_empty()).then_some(()));
    assert_eq!(gateway.get("/hello").status, 200);
    assert_eq!(refused(&gateway), Vec::<String>::new());
}

#[test]
fn what_was_never_had_is_left_out_and_named_until_it_can_be_had() {
    let (vault, function, gateway) = (Vault::start(), Function::start(), gateway());
    let place = format!("plugins.aws-lambda.authorization.apikey refers to {FUNCTION_KEY}, but ");
    let reply = call(&gateway, &function);
    let why = format!("{place}there is no secret manager vault/1");
    assert_eq!(reply["warnings"], json!([format!("the change is kept, but cannot be made live: {why}")]));
    assert_eq!((gateway.get("/hello").status, refused(&gateway)), (404, vec![why]));
    gateway.put("/secrets/vault/1", vault.resource());
    assert_eq!(refused(&gateway), [format!("{place}Vault has no such secret")]);
    gateway.put(
        "/routes/2",
        json!({"uri": "/other", "plugins": {"aws-lambda": {"function_uri": "http://127.0.0.1:1"}}}),
    );
    assert_eq!(gateway.get("/other").status, 503, "others are served meanwhile");
    vault.has("functions/hello", &json!({"key": Function::KEY}));
    answers(&gateway, 200);
    assert_eq!(refused(&gateway), Vec::<String>::new());
    gateway.admin("DELETE", "/secrets/vault/1", Value::Null);
    eventually("the fault should be told", || (!refused(&gateway).is_empty()).then_some(()));
    assert_eq!(gateway.get("/hello").status, 200, "its last good form is served");
}

#[test]
fn a_token_that_is_not_good_is_told_of_and_no_secret_is_shown() {
    let (vault, function, gateway) = (Vault::start(), Function::start(), gateway());
    vault.has("functions/hello", &json!({"key": Function::KEY}));
    let mut wrong = vault.resource();
    wrong["token"] = json!("wrong-token-of-nobody");
    gateway.put("/secrets/vault/1", wrong);
    call(&gateway, &function);
    let said = refused(&gateway).join("");
    assert!(said.ends_with("Vault answers 403 permission denied"), "{said}");
    gateway.put("/secrets/vault/1", vault.resource());
    answers(&gateway, 200);
    let (_, shown) = gateway.admin("GET", "/routes/1", Value::Null);
    assert_eq!(shown["value"]["plugins"]["aws-lambda"]["authorization"]["apikey"], FUNCTION_KEY);
    assert!(!gateway.output().contains(Function::KEY) && !gateway.output().contains("wrong-token"));
}

#[test]
fn a_consumer_is_found_by_a_key_that_vault_has() {
    let (vault, upstream, gateway) = (Vault::start(), FakeUpstream::fixed("hello"), gateway());
    vault.has("jack", &json!({"key": "key-of-jack"}));
    gateway.put("/secrets/vault/1", vault.resource());
    let jack = json!({"username": "jack", "plugins": {"key-auth": {"key": "$secret://vault/1/jack/key"}}});
    let reply = gateway.put("/consumers", jack);
    assert_eq!(reply.get("warnings"), None, "{reply}");
    gateway.route("1", json!({"uri": "/hello", "plugins": {"key-auth": {}}}), &upstream.node());
    let status = |key: &str| gateway.request("GET", "/hello", &[&format!("apikey: {key}")], b"").status;
    assert_eq!((status("key-of-jack"), status("$secret://vault/1/jack/key")), (200, 401));
    vault.has("jack", &json!({"key": "another-of-jack"}));
    eventually("the other key should be his", || (status("another-of-jack") == 200).then_some(()));
    assert_eq!(status("key-of-jack"), 401);
}

#[test]
fn a_malformed_reference_and_one_to_gcp_are_told_of() {
    let (function, gateway) = (Function::start(), gateway());
    let uri = format!("http://{}/", function.node());
    let account = json!({"client_email": "a@b", "private_key": "k", "project_id": "p"});
    gateway.put("/secrets/gcp/1", json!({"auth_config": account}));
    for (reference, why) in [
        ("$secret://vault", "$secret://vault is not $secret://MANAGER/ID/KEY"),
        ("$secret://gcp/1/name/key", "secrets of gcp are not fetched yet"),
    ] {
        gateway.lambda("1", "/hello", json!({"function_uri": uri, "authorization": {"apikey": reference}}));
        assert!(refused(&gateway).join("").ends_with(why), "{:?}", refused(&gateway));
    }
}

#[test]
fn a_certificate_may_be_in_vault_and_in_the_environment() {
    let ports = lockgate_tests::Ports::take();
    let (vault, authority) = (Vault::start(), Authority::new());
    let (cert, key) = authority.pair("in-vault.example");
    let (other_cert, other_key) = authority.pair("in-env.example");
    vault.has("certs/one", &json!({"cert": cert, "key": key}));
    let listen = json!({"listen": [{"ip": "127.0.0.1", "port": ports.get(0)}]});
    let settings = Settings::new().set("apisix.ssl", listen).environment("TOKEN", vault::TOKEN);
    let pair = json!({"cert": other_cert, "key": other_key}).to_string();
    let gateway = Gateway::with(settings.environment("PAIR", pair));
    gateway.put("/secrets/vault/1", vault.resource());
    let [cert, key] = ["cert", "key"].map(|name| format!("$secret://vault/1/certs/one/{name}"));
    let first = gateway.put("/ssls/1", json!({"cert": cert, "key": key, "snis": ["in-vault.example"]}));
    let pair = json!({"cert": "$env://PAIR/cert", "key": "$ENV://PAIR/key", "snis": ["in-env.example"]});
    let second = gateway.put("/ssls/2", pair);
    assert!(first.get("warnings").is_none() && second.get("warnings").is_none(), "{first} {second}");
    for name in ["in-vault.example", "in-env.example"] {
        let (ca, port) = (authority.file(), ports.get(0));
        let shown = sh(&format!(
            "curl -s -o /dev/null -w '%{{http_code}}' --cacert {} --resolve {name}:{port}:127.0.0.1 https://{name}:{port}/",
            ca.display()
        ));
        assert!(shown.output.contains("404"), "{name}: {shown:?}");
    }
    vault.has("certs/one", &json!({"cert": "no certificate", "key": "k"}));
    let wrong = json!({"cert": cert, "key": "$env://NONE", "snis": ["in-vault.example"]});
    gateway.put("/ssls/1", wrong);
    assert_eq!(refused(&gateway), ["key refers to $env://NONE, but there is no such variable"]);
}
