//! IAM as MiniStack has it: users with rights, without, and roles, on every kind of endpoint.

use lockgate_tests::{Gateway, Settings};
use serde_json::{Value, json};

use crate::{certificates, event, ministack, require};

/// The pair of a user: `""` has every right to call, `"denied_"` has none.
fn user(lab: &Value, prefix: &str) -> Value {
    json!({"accesskey": lab[format!("{prefix}access_key")], "secretkey": lab[format!("{prefix}secret_key")]})
}

fn target(lab: &Value, name: &str) -> String {
    lab["targets"][name].as_str().unwrap_or_else(|| panic!("no target {name}")).to_owned()
}

/// PUTs `/iam`, signed by a pair for a service.
fn route(gateway: &Gateway, uri: &str, service: &str, mut iam: Value) {
    iam["service"] = json!(service);
    gateway.lambda("1", "/iam", json!({"function_uri": uri, "authorization": {"iam": iam}}));
}

const ENDPOINTS: [(&str, &str); 3] =
    [("rest_iam", "execute-api"), ("http_iam", "execute-api"), ("url_iam", "lambda")];

#[test]
fn a_user_with_rights_is_answered_by_every_kind_of_endpoint() {
    let lab = ministack();
    let gateway = Gateway::start();
    for (name, service) in ENDPOINTS {
        route(&gateway, &target(&lab, name), service, user(&lab, ""));
        let reply = gateway.get("/iam?name=APISIX");
        assert_eq!((reply.status, reply.text().as_str()), (200, "\"Hello, APISIX!\""), "{name}");
    }
}

#[test]
fn a_user_without_rights_and_a_wrong_secret_are_refused_by_every_kind_of_endpoint() {
    let lab = ministack();
    let gateway = Gateway::start();
    for (name, service) in ENDPOINTS {
        let mut wrong = user(&lab, "");
        wrong["secretkey"] = json!("wrong");
        for (why, iam) in [("no rights", user(&lab, "denied_")), ("wrong secret", wrong)] {
            route(&gateway, &target(&lab, name), service, iam);
            assert_eq!(gateway.get("/iam?name=APISIX").status, 403, "{name}: {why}");
        }
        gateway.lambda("1", "/iam", json!({"function_uri": target(&lab, name)}));
        assert_eq!(gateway.get("/iam").status, 403, "{name}: not signed");
    }
}

#[test]
fn a_signed_function_url_sees_path_query_and_body() {
    let lab = ministack();
    let gateway = Gateway::start();
    let mut iam = user(&lab, "");
    iam["service"] = json!("lambda");
    gateway.lambda(
        "1",
        "/iam/*",
        json!({"function_uri": target(&lab, "url_iam_echo"), "authorization": {"iam": iam}}),
    );
    let path = "/iam/a%20b/%2F/%C3%BC/(x)@:+,;$/%25/?k=2&k=1&e=&z&n=%C3%BC";
    let event =
        event(&gateway.request("POST", path, &["Content-Type: text/plain", "X-D: 1", "X-D: 2"], b"hi"));
    assert_eq!(event["rawPath"], json!("/a b///ü/(x)@:+,;$/%/"));
    assert_eq!(event["queryStringParameters"]["k"], json!("2,1"));
    assert_eq!(event["body"], json!("hi"));
    let twice = event["headers"]["x-d"].as_str().expect("joined values");
    assert_eq!(twice.replace(' ', ""), "1,2");
}

#[test]
fn a_signed_rest_api_sees_what_the_route_did_not_match() {
    let lab = ministack();
    let gateway = Gateway::start();
    let config = json!({"function_uri": target(&lab, "rest_iam"), "authorization": {"iam": user(&lab, "")}});
    gateway.lambda("1", "/iam/*", config);
    let event = event(&gateway.request("POST", "/iam/sub/path/?k=2&k=1", &[], b"body"));
    assert_eq!(event["multiValueQueryStringParameters"]["k"], json!(["2", "1"]));
    assert_eq!(event["body"], json!("body"));
}

#[test]
fn the_invoke_api_is_called_with_the_clients_body() {
    let lab = ministack();
    let gateway = Gateway::start();
    route(&gateway, &target(&lab, "invoke"), "lambda", user(&lab, ""));
    let payload = br#"{"queryStringParameters":{"name":"Invoke"}}"#;
    let reply = gateway.request("POST", "/iam", &["Content-Type: application/json"], payload);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["body"], json!("\"Hello, Invoke!\""));
    assert!(reply.get("x-amz-executed-version").is_some());
    route(&gateway, &target(&lab, "invoke"), "lambda", user(&lab, "denied_"));
    assert_eq!(gateway.request("POST", "/iam", &[], payload).status, 403);
}

#[test]
fn hosts_over_tls_are_signed_with_their_port() {
    let lab = ministack();
    require("127.0.0.1:4567");
    for (name, path, service) in [("rest", "/default/iam", "execute-api"), ("url", "/", "lambda")] {
        let host = lab["targets"]["hosts"][name].as_str().expect("a host");
        let settings = Settings::new().environment("SSL_CERT_FILE", certificates());
        let gateway = Gateway::with(settings.resolve(format!("{host}:4567:127.0.0.1:4567")));
        route(&gateway, &format!("https://{host}:4567{path}"), service, user(&lab, ""));
        let reply = gateway.get("/iam?name=APISIX");
        assert_eq!((reply.status, reply.text().as_str()), (200, "\"Hello, APISIX!\""), "{name}");
    }
}

#[test]
fn temporary_credentials_are_signed_with_their_token() {
    let lab = ministack();
    let gateway = Gateway::start();
    // STS is called through the gateway, which signs for any service.
    route(&gateway, lab["endpoint"].as_str().expect("an endpoint"), "sts", user(&lab, ""));
    let role = lab["role"].as_str().expect("a role").replace(':', "%3A").replace('/', "%2F");
    let form = format!("Action=AssumeRole&Version=2011-06-15&RoleSessionName=test&RoleArn={role}");
    let reply = gateway.request(
        "POST",
        "/iam",
        &["Content-Type: application/x-www-form-urlencoded"],
        form.as_bytes(),
    );
    assert_eq!(reply.status, 200, "{}", reply.text());
    let text = reply.text();
    let field = |name: &str| {
        let (_, rest) =
            text.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {text}"));
        json!(rest.split('<').next())
    };
    let mut iam = json!({"accesskey": field("AccessKeyId"), "secretkey": field("SecretAccessKey")});
    route(&gateway, &target(&lab, "url_iam"), "lambda", iam.clone());
    assert_eq!(gateway.get("/iam").status, 403, "without its token");
    iam["session_token"] = field("SessionToken");
    route(&gateway, &target(&lab, "url_iam"), "lambda", iam);
    let reply = gateway.get("/iam?name=Role");
    assert_eq!((reply.status, reply.text().as_str()), (200, "\"Hello, Role!\""));
}
