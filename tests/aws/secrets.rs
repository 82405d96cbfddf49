//! Secrets Manager as MiniStack has it: calls that are signed by the gateway, and what comes of them.

use lockgate_tests::{Function, Gateway, curl, eventually};
use serde_json::{Value, json};

use crate::{ministack, require};

const ADDRESS: &str = "http://127.0.0.1:4566";
/// Who may do everything at MiniStack as `up.sh` starts it.
const ROOT: (&str, &str) = ("LABROOTKEY", "lab-root-secret");

/// Makes a secret, signed by curl.
fn create(body: &Value) {
    let user = format!("{}:{}", ROOT.0, ROOT.1);
    let made = curl(&[
        "--fail-with-body",
        "--aws-sigv4",
        "aws:amz:us-east-1:secretsmanager",
        "--user",
        &user,
        "-H",
        "X-Amz-Target: secretsmanager.CreateSecret",
        "-H",
        "Content-Type: application/x-amz-json-1.1",
        "-d",
        &body.to_string(),
        ADDRESS,
    ]);
    assert!(made.is_success, "{made:?}");
}

fn manager((id, secret): (&str, &str)) -> Value {
    json!({"access_key_id": id, "secret_access_key": secret, "region": "us-east-1", "endpoint_url": ADDRESS})
}

fn call(gateway: &Gateway, function: &Function, reference: &str) -> Value {
    let config = json!({"function_uri": format!("http://{}/", function.node()),
        "authorization": {"apikey": reference}});
    gateway.put("/routes/1", json!({"uri": "/hello", "plugins": {"aws-lambda": config}}))
}

#[test]
fn a_secret_is_read_whole_by_its_field_and_out_of_bytes() {
    require("127.0.0.1:4566");
    let (function, gateway) = (Function::start(), Gateway::start());
    let name = format!("lockgate/{}", gateway.proxy.port());
    let text = json!({"auth-key": Function::KEY, "other": "x"}).to_string();
    create(&json!({"Name": format!("{name}/object"), "SecretString": text}));
    create(&json!({"Name": format!("{name}/text"), "SecretString": Function::KEY}));
    let bytes = "a2V5LW9mLXRoZS1mdW5jdGlvbg==";
    create(&json!({"Name": format!("{name}/bytes"), "SecretBinary": bytes}));
    gateway.put("/secrets/aws/1", manager(ROOT));
    for below in ["object/auth-key", "text", "bytes"] {
        let reply = call(&gateway, &function, &format!("$secret://aws/1/{name}/{below}"));
        assert_eq!(reply.get("warnings"), None, "{below}: {reply}");
        assert_eq!(gateway.get("/hello").status, 200, "{below}");
    }
    let reply = call(&gateway, &function, &format!("$secret://aws/1/{name}/object/none"));
    let said = reply["warnings"].to_string();
    assert!(said.contains("the secret has no text under none"), "{said}");
    let reply = call(&gateway, &function, "$secret://aws/1/lockgate-has-no-such-secret");
    let said = reply["warnings"].to_string();
    assert!(said.contains("Secrets Manager has no such secret"), "{said}");
}

#[test]
fn a_user_without_rights_is_told_of_until_there_is_another() {
    require("127.0.0.1:4566");
    let (function, gateway) = (Function::start(), Gateway::start());
    let name = format!("lockgate-{}", gateway.proxy.port());
    create(&json!({"Name": name, "SecretString": Function::KEY}));
    let lab = ministack();
    let user = ["access_key", "secret_key"].map(|name| lab[name].as_str().expect("up.sh makes a user"));
    gateway.put("/secrets/aws/1", manager((user[0], user[1])));
    let reply = call(&gateway, &function, &format!("$secret://aws/1/{name}"));
    let said = reply["warnings"].to_string();
    assert!(said.contains("Secrets Manager answers 4") && !said.contains(user[1]), "{said}");
    gateway.put("/secrets/aws/1", manager(ROOT));
    eventually("the route should be served", || (gateway.get("/hello").status == 200).then_some(()));
}
