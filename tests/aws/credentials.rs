//! Credentials from everywhere, as MiniStack hands them out: roles, web identities, profiles, metadata.

use std::fmt::Write;

use lockgate_tests::{FakeUpstream, Gateway, Settings, eventually};
use serde_json::{Value, json};

use crate::{certificates, ministack, require};

const STS: &str = "http://127.0.0.1:4566";
/// A token as Kubernetes writes one: header, claims (`sub` is `system:serviceaccount:lab:gateway`), signature.
const WEB_TOKEN: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL29pZGMubGFiIiwic3ViIjoic3lzdGVtOnNlcnZpY2VhY2NvdW50OmxhYjpnYXRld2F5IiwiYXVkIjoic3RzLmFtYXpvbmF3cy5jb20iLCJleHAiOjQxMDI0NDQ4MDB9.c2lnbmF0dXJl";

/// A gateway that finds nothing of this machine's own credentials.
fn bare() -> Settings {
    ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"]
        .into_iter()
        .fold(Settings::new(), |settings, name| settings.environment(name, "/nonexistent"))
}

fn of_user(lab: &Value, prefix: &str) -> Value {
    json!({"accesskey": lab[format!("{prefix}access_key")], "secretkey": lab[format!("{prefix}secret_key")]})
}

/// PUTs `/iam` to the function that asks for IAM, and calls it.
fn call(gateway: &Gateway, lab: &Value, mut iam: Value) -> (u16, String) {
    iam["service"] = json!("lambda");
    gateway.lambda(
        "1",
        "/iam",
        json!({"function_uri": lab["targets"]["url_iam"], "authorization": {"iam": iam}}),
    );
    let reply = gateway.get("/iam?name=Role");
    (reply.status, reply.text())
}

fn hello() -> (u16, String) {
    (200, "\"Hello, Role!\"".to_owned())
}

/// Calls the API of IAM as root, through a gateway that signs for it.
fn administer(action: &str, fields: &[(&str, &str)]) -> String {
    let gateway = Gateway::with(bare());
    let root = json!({"accesskey": "LABROOTKEY", "secretkey": "lab-root-secret", "service": "iam"});
    gateway.lambda("iam", "/iam", json!({"function_uri": STS, "authorization": {"iam": root}}));
    let mut form = format!("Action={action}&Version=2010-05-08");
    for (name, value) in fields {
        let _ = write!(form, "&{name}=");
        for byte in value.bytes() {
            let _ = write!(form, "%{byte:02X}");
        }
    }
    let headers = ["Content-Type: application/x-www-form-urlencoded"];
    let reply = gateway.request("POST", "/iam", &headers, form.as_bytes());
    assert!(
        reply.status == 200 || reply.text().contains("EntityAlreadyExists"),
        "{action}: {}",
        reply.text()
    );
    reply.text()
}

/// Makes a role that may invoke, and answers with its ARN.
fn role(name: &str, trust: &Value) -> String {
    let trust = json!({"Version": "2012-10-17", "Statement": [trust]}).to_string();
    let _ = administer("CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", &trust)]);
    let _ = administer("UpdateAssumeRolePolicy", &[("RoleName", name), ("PolicyDocument", &trust)]);
    let rights = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["lambda:*", "sts:AssumeRole"], "Resource": "*"}]});
    let rights = rights.to_string();
    let _ =
        administer("PutRolePolicy", &[("RoleName", name), ("PolicyName", "p"), ("PolicyDocument", &rights)]);
    format!("arn:aws:iam::000000000000:role/{name}")
}

#[test]
fn a_role_is_assumed_and_one_through_another() {
    let lab = ministack();
    let first = lab["role"].as_str().expect("a role").to_owned();
    let trust = json!({"Effect": "Allow", "Principal": {"AWS": first}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "of-the-test"}}});
    let second = role("second", &trust);
    let gateway = Gateway::with(bare());
    let mut iam = of_user(&lab, "");
    iam["sts_endpoint"] = json!(STS);
    iam["role_arn"] = json!(first);
    iam["session_duration"] = json!(900);
    assert_eq!(call(&gateway, &lab, iam.clone()), hello());
    iam["role_arn"] = json!(second);
    iam["external_id"] = json!("of-the-test");
    let (status, text) = call(&gateway, &lab, iam.clone());
    assert_eq!(status, 503, "the user may not assume it: {text}");
    assert!(text.contains(&format!("no AWS credentials: tried assume_role {second}")), "{text}");
    iam["role_chain"] = json!([{"role_arn": first}]);
    assert_eq!(call(&gateway, &lab, iam.clone()), hello());
    iam["external_id"] = json!("of-another");
    assert_eq!(call(&gateway, &lab, iam).0, 503);
    let log = eventually("the refusal is in the log", || {
        Some(gateway.output()).filter(|log| log.contains("AccessDenied: User: "))
    });
    assert!(!log.contains(lab["secret_key"].as_str().expect("a secret")), "{log}");
}

#[test]
fn sts_is_reached_over_tls() {
    let lab = ministack();
    require("127.0.0.1:4567");
    let settings = bare().environment("SSL_CERT_FILE", certificates());
    let gateway = Gateway::with(settings.resolve("localhost:4567:127.0.0.1:4567"));
    let mut iam = of_user(&lab, "");
    iam["sts_endpoint"] = json!("https://localhost:4567");
    iam["role_arn"] = lab["role"].clone();
    assert_eq!(call(&gateway, &lab, iam), hello());
}

#[test]
fn keys_of_the_environment_and_references_to_it_are_used() {
    let lab = ministack();
    let text = |name: &str| lab[name].as_str().expect("a text");
    let settings = bare()
        .environment("AWS_ACCESS_KEY_ID", text("access_key"))
        .environment("AWS_SECRET_ACCESS_KEY", text("secret_key"));
    let gateway = Gateway::with(settings);
    for iam in [
        json!({"source": "env"}),
        json!({"source": "default"}),
        json!({"accesskey": "$env://AWS_ACCESS_KEY_ID", "secret_key": "$ENV://AWS_SECRET_ACCESS_KEY"}),
    ] {
        assert_eq!(call(&gateway, &lab, iam.clone()), hello(), "{iam}");
    }
}

#[test]
fn profiles_are_read_and_read_again() {
    let lab = ministack();
    let folder = tempfile::tempdir().expect("the temporary directory is writable");
    let text = |name: &str| lab[name].as_str().expect("a text");
    let credentials = format!(
        "[gw]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        text("access_key"),
        text("secret_key")
    );
    let config = format!("[profile through]\nrole_arn = {}\nsource_profile = gw\n", text("role"));
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("the temporary directory is writable");
        path.to_string_lossy().into_owned()
    };
    let settings = Settings::new()
        .environment("AWS_SHARED_CREDENTIALS_FILE", write("credentials", &credentials))
        .environment("AWS_CONFIG_FILE", write("config", &config))
        .environment("AWS_ENDPOINT_URL_STS", STS);
    let gateway = Gateway::with(settings);
    assert_eq!(call(&gateway, &lab, json!({"source": "profile", "profile": "gw"})), hello());
    assert_eq!(call(&gateway, &lab, json!({"source": "profile", "profile": "through"})), hello());
    let (status, text) = call(&gateway, &lab, json!({"source": "profile", "profile": "later"}));
    assert_eq!((status, text.contains("tried profile")), (503, true), "{text}");
    write("credentials", &credentials.replace("[gw]", "[later]"));
    eventually("the file is read again", || (gateway.get("/iam?name=Role").status == 200).then_some(()));
}

#[test]
fn a_web_identity_becomes_a_role() {
    let lab = ministack();
    let trust = json!({"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": "arn:aws:iam::000000000000:oidc-provider/oidc.lab"},
        "Condition": {"StringEquals": {"oidc.lab:sub": "system:serviceaccount:lab:gateway"}}});
    let web = role("web", &trust);
    let folder = tempfile::tempdir().expect("the temporary directory is writable");
    let token = folder.path().join("token");
    std::fs::write(&token, WEB_TOKEN).expect("the temporary directory is writable");
    let settings = bare()
        .environment("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_string_lossy())
        .environment("AWS_ROLE_ARN", web)
        .environment("AWS_REGION", "us-east-1")
        .environment("AWS_ENDPOINT_URL_STS", STS);
    let gateway = Gateway::with(settings);
    assert_eq!(call(&gateway, &lab, json!({"source": "web_identity"})), hello());
    assert_eq!(call(&gateway, &lab, json!({"source": "default"})), hello());
    let log = gateway.output();
    assert!(!log.contains(WEB_TOKEN), "{log}");
}

/// The access key and the session token that a function is called with.
fn seen(gateway: &Gateway, iam: &Value) -> (String, Option<String>) {
    let function = FakeUpstream::fixed("ok");
    let uri = format!("http://{}/", function.node());
    gateway.lambda("1", "/iam", json!({"function_uri": uri, "authorization": {"iam": iam}}));
    let reply = gateway.get("/iam");
    assert_eq!((reply.status, reply.text().as_str()), (200, "ok"));
    let head = function.next().head;
    let authorization = head.get("authorization").expect("it is signed").to_owned();
    let (_, key) = authorization.split_once("Credential=").expect("a scope");
    let key = key.split('/').next().expect("an access key").to_owned();
    (key, head.get("x-amz-security-token").map(str::to_owned))
}

#[test]
fn instance_metadata_is_asked_in_its_second_version() {
    ministack();
    let gateway = Gateway::with(bare().environment("AWS_EC2_METADATA_SERVICE_ENDPOINT", STS));
    for source in ["imds", "default"] {
        let (key, token) = seen(&gateway, &json!({"source": source}));
        assert!(key.starts_with("ASIA") && token.is_some(), "{source}: {key} {token:?}");
    }
}

#[test]
fn the_endpoint_of_a_container_is_asked() {
    ministack();
    let uri = format!("{STS}/v2/credentials/lab");
    let gateway = Gateway::with(bare().environment("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri));
    for source in ["container", "default"] {
        let (key, token) = seen(&gateway, &json!({"source": source}));
        assert!(key.starts_with("ASIA") && token.is_some(), "{source}: {key} {token:?}");
    }
}
