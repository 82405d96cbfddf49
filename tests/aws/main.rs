//! Against programs that stand in for AWS: serverless-offline, MiniStack, and a verifier of signatures.
//!
//! They are started by `../shared/lab/aws/up.sh serverless verifier ministack`; without them every test fails and
//! says so.

mod credentials;
mod iam;
mod secrets;
mod shapes;
mod verifier;

use lockgate_tests::{Gateway, Reply, lab};
use serde_json::{Value, json};

const KEY: &str = "lab-api-key-0123456789abcdef";
const SERVERLESS: &str = "http://127.0.0.1:3000";

fn require(address: &str) {
    let address: std::net::SocketAddr = address.parse().expect("an address");
    let up = std::net::TcpStream::connect_timeout(&address, std::time::Duration::from_secs(2)).is_ok();
    assert!(up, "nothing answers on {address}: start the AWS stand-ins with ../shared/lab/aws/up.sh");
}

/// The authority that the stand-ins' certificates are signed by.
fn certificates() -> String {
    lab().join("certs/ca.pem").to_string_lossy().into_owned()
}

/// A gateway with one `aws-lambda` route `/aws/*`.
fn gateway(function_uri: &str, key: Option<&str>) -> Gateway {
    let gateway = Gateway::start();
    let mut config = json!({"function_uri": function_uri});
    if let Some(key) = key {
        config["authorization"] = json!({"apikey": key});
    }
    gateway.lambda("1", "/aws/*", config);
    gateway
}

fn serverless(key: Option<&str>) -> Gateway {
    require("127.0.0.1:3000");
    gateway(SERVERLESS, key)
}

/// What `up.sh` wrote about MiniStack: its targets.
fn ministack() -> Value {
    require("127.0.0.1:4566");
    let path = lab().join("ministack.json");
    let text = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run ../shared/lab/aws/up.sh", path.display()));
    serde_json::from_slice(&text).expect("up.sh writes JSON")
}

fn event(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["event"].clone()
}

#[test]
fn serverless_refuses_without_the_key_and_answers_with_it() {
    assert_eq!(serverless(None).get("/aws/default/test-apisix?name=APISIX").status, 403);
    assert_eq!(serverless(Some("wrong")).get("/aws/default/test-apisix").status, 403);
    let reply = serverless(Some(KEY)).get("/aws/default/test-apisix?name=APISIX");
    assert_eq!((reply.status, reply.text().as_str()), (200, "\"Hello, APISIX!\""));
}

#[test]
fn serverless_sees_path_query_headers_and_body_as_sent() {
    let gateway = serverless(Some(KEY));
    let headers = ["X-Dup: 1", "X-Dup: 2", "Content-Type: text/plain"];
    let reply = gateway.request("POST", "/aws/default/secure/echo/a%20b/c?x=1&x=2&e=", &headers, b"hi");
    let event = event(&reply);
    assert_eq!(event["httpMethod"], json!("POST"));
    assert_eq!(event["pathParameters"]["proxy"], json!("a b/c"));
    assert_eq!(event["multiValueQueryStringParameters"]["x"], json!(["1", "2"]));
    assert_eq!(event["body"], json!("hi"));
    assert_eq!(event["multiValueHeaders"]["X-Dup"], json!(["1", "2"]));
    assert_eq!(event["multiValueHeaders"]["Host"], json!(["127.0.0.1:3000"]));
}

#[test]
fn serverless_answers_of_every_shape_come_through() {
    let gateway = serverless(Some(KEY));
    let reply = gateway.get("/aws/v2/shape?cookies=1&status=404");
    assert_eq!(reply.status, 404);
    assert_eq!(reply.head.all("set-cookie"), ["a=1; Path=/", "b=2; Path=/"]);
    let reply = gateway.get("/aws/default/open/shape?bin=1&bytes=70000");
    let expected: Vec<u8> = (0..70_000u32).map(|number| number.to_le_bytes()[0]).collect();
    assert!(reply.body == expected, "{} bytes", reply.body.len());
    assert_eq!(
        gateway.get("/aws/default/open/shape?err=1").status,
        502,
        "the function's own failure is passed on"
    );
    assert_eq!(gateway.get("/aws/default/open/hellopy?name=Py").text(), "\"Hello, Py!\"");
}

#[test]
fn a_slow_function_is_waited_for_and_one_too_slow_is_503() {
    let gateway = serverless(None);
    assert_eq!(gateway.get("/aws/default/open/shape?delay=500").status, 200);
    gateway.lambda("1", "/aws/*", json!({"function_uri": SERVERLESS, "timeout": 300}));
    let reply = gateway.get("/aws/default/open/shape?delay=1500");
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.json()["error_msg"].is_string());
}

#[test]
fn ministack_refuses_without_the_key_and_answers_with_it() {
    let lab = ministack();
    let target = lab["targets"]["rest_key"].as_str().expect("a target");
    assert_eq!(gateway(target, None).get("/aws/?name=APISIX").status, 403);
    let gateway = Gateway::start();
    gateway.lambda("1", "/aws", json!({"function_uri": target, "authorization": {"apikey": KEY}}));
    let reply = gateway.get("/aws?name=APISIX");
    assert_eq!((reply.status, reply.text().as_str()), (200, "\"Hello, APISIX!\""));
}

#[test]
fn ministack_sees_the_forwarded_path() {
    let lab = ministack();
    let target = lab["targets"]["rest_key"].as_str().expect("a target");
    let reply = gateway(target, Some(KEY)).request("POST", "/aws/sub/path?k=2&k=1", &[], b"body");
    let event = event(&reply);
    assert_eq!(event["pathParameters"]["proxy"], json!("sub/path"));
    assert_eq!(event["multiValueQueryStringParameters"]["k"], json!(["2", "1"]));
}

#[test]
fn ministack_over_tls_is_reached_by_its_host_name() {
    let lab = ministack();
    require("127.0.0.1:4567");
    let host = lab["targets"]["hosts"]["rest"].as_str().expect("a host");
    let gateway = Gateway::with(
        lockgate_tests::Settings::new()
            .environment("SSL_CERT_FILE", certificates())
            .resolve(format!("{host}:4567:127.0.0.1:4567")),
    );
    let uri = format!("https://{host}:4567/default/test-apisix");
    gateway.lambda("1", "/aws", json!({"function_uri": uri, "authorization": {"apikey": KEY}}));
    for _ in 0..3 {
        let reply = gateway.get("/aws?name=APISIX");
        assert_eq!((reply.status, reply.text().as_str()), (200, "\"Hello, APISIX!\""));
    }
}

#[test]
fn an_open_function_url_answers_without_a_key() {
    let lab = ministack();
    let target = lab["targets"]["url_open"].as_str().expect("a target");
    let gateway = Gateway::start();
    gateway.lambda("1", "/aws", json!({"function_uri": target}));
    assert_eq!(gateway.get("/aws?name=APISIX").text(), "\"Hello, APISIX!\"");
}
