//! Signatures as a verifier reads them that was not written for this gateway: every shape a client can send.

use lockgate_tests::{Gateway, Reply, Settings, eventually};
use serde_json::{Value, json};

use crate::{KEY, certificates, require};

const ACCESS_KEY: &str = "AKIDEXAMPLE";
const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const VERIFIER: &str = "http://127.0.0.1:8442/default";

fn iam() -> Value {
    json!({"accesskey": ACCESS_KEY, "secretkey": SECRET_KEY})
}

/// A gateway whose `/v/*` is signed for the verifier.
fn gateway(authorization: &Value) -> Gateway {
    require("127.0.0.1:8442");
    let gateway = Gateway::start();
    gateway.lambda("1", "/v/*", json!({"function_uri": VERIFIER, "authorization": authorization}));
    gateway
}

/// The request as the verifier saw it, once the signature held.
fn seen(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

fn sent<'a>(seen: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = seen["headers"].as_array().expect("the verifier lists headers");
    let named = headers.iter().filter(|pair| pair[0].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)));
    named.filter_map(|pair| pair[1].as_str()).collect()
}

#[test]
fn a_path_of_any_shape_is_signed_as_it_is_sent() {
    let gateway = gateway(&json!({"iam": iam()}));
    for path in [
        "/",
        "/plain",
        "/trailing/",
        "/a@b:c+d,e;f$g",
        "/(in)/brackets!*'",
        "/arn:aws:lambda:us-east-1:123456789012:function:f/invocations",
        "/arn%3Aaws%3Alambda",
        "/a%25b/%2525",
        "/a%20b/%2Fc%2fd",
        "/caf%C3%A9/%e2%82%ac",
        "/=/a=b&c",
        "/~tilde/-._",
        "/.hidden/...",
    ] {
        let seen = seen(&gateway.get(&format!("/v{path}")));
        assert_eq!(seen["path"], json!(format!("/default{path}")));
        assert_eq!(seen["query"], Value::Null, "{path}");
        assert_eq!(seen["sigv4"]["warnings"], json!([]), "{path}");
    }
}

#[test]
fn doubled_slashes_and_dots_are_resolved_before_they_are_signed() {
    let gateway = gateway(&json!({"iam": iam()}));
    for (path, resolved) in
        [("/a//b", "/a/b"), ("//a/", "/a/"), ("/a/./b", "/a/b"), ("/a/../b", "/b"), ("/a/b/..", "/a/")]
    {
        let seen = seen(&gateway.get(&format!("/v{path}")));
        assert_eq!(seen["path"], json!(format!("/default{resolved}")), "{path}");
    }
}

#[test]
fn a_query_of_any_shape_is_signed_and_keeps_its_order() {
    let gateway = gateway(&json!({"iam": iam()}));
    for query in [
        "b=2&a=1",
        "a=2&a=1&A=3",
        "flag",
        "flag&other=&x",
        "name=%41%2b%20%26%3D",
        "q=caf%C3%A9&%E2%82%AC=1",
        "a=b=c&d=/e?f:g@h",
        "a-b=1&a=2&a%2Db=0",
        "percent=%25&tilde=~*'()",
    ] {
        let seen = seen(&gateway.get(&format!("/v/q?{query}")));
        assert_eq!(seen["query"], json!(query));
        assert_eq!(seen["sigv4"]["warnings"], json!([]), "{query}");
    }
    let seen = seen(&gateway.get("/v/q?name=a+b&c=%2B"));
    assert_eq!(seen["query"], json!("name=a%20b&c=%2B"), "a raw + is read in two ways, so it is never sent");
}

#[test]
fn headers_that_proxies_touch_do_not_break_the_signature() {
    let gateway = gateway(&json!({"iam": iam()}));
    let headers = [
        "X-Twice: 1",
        "X-Twice: 2",
        "X-Spaces: a   b\tc",
        "User-Agent: curl  8  ",
        "X-Empty:",
        "x_under_score: 1",
        "TE: trailers",
        "Expect: 100-continue",
        "X-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678",
        "X-Forwarded-For: 192.0.2.1",
        "Cookie: a=1; b=2",
    ];
    let seen = seen(&gateway.request("GET", "/v/h", &headers, b""));
    assert_eq!(sent(&seen, "x-twice"), ["1", "2"]);
    assert_eq!(sent(&seen, "x-spaces"), ["a   b\tc"], "spaces arrive as they were sent");
    assert_eq!(sent(&seen, "x-empty"), [""]);
    assert_eq!(sent(&seen, "host"), ["127.0.0.1:8442"]);
    let signed = seen["sigv4"]["signed_headers"].as_array().expect("a list");
    for header in ["user-agent", "x-forwarded-for", "x-amzn-trace-id", "te", "expect", "connection"] {
        assert!(!signed.contains(&json!(header)), "{header} may change on its way: {signed:?}");
    }
}

#[test]
fn bodies_and_methods_are_signed() {
    let gateway = gateway(&json!({"iam": iam()}));
    let long = vec![b'x'; 300_000];
    for (method, body) in [
        ("POST", b"{\"a\":1}".as_slice()),
        ("PUT", b"\x00\xff".as_slice()),
        ("PATCH", long.as_slice()),
        ("DELETE", b"".as_slice()),
        ("OPTIONS", b"".as_slice()),
    ] {
        let seen = seen(&gateway.request(method, "/v/b", &["Content-Type: application/json"], body));
        assert_eq!(seen["method"], json!(method));
        if let Some(text) = seen["body"].as_str() {
            assert!(text.as_bytes() == body, "{method}: {} bytes arrived of {}", text.len(), body.len());
        }
    }
    assert_eq!(gateway.request("HEAD", "/v/b", &[], b"").status, 200);
    let chunked = b"POST /v/b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
        3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let seen = seen(&gateway.connect().exchange(chunked));
    assert_eq!(seen["body"], json!("abcde"), "a body without a length is gathered to be signed");
}

#[test]
fn a_clients_own_authorization_is_moved_and_dropped_as_configured() {
    let headers =
        ["Authorization: Bearer theirs", "X-Amz-Date: 20000101T000000Z", "X-Amz-Security-Token: theirs"];
    let call = |gateway: &Gateway| gateway.request("GET", "/v/x", &headers, b"");
    let moved = seen(&call(&gateway(&json!({"iam": iam()}))));
    assert_eq!(sent(&moved, "x-original-authorization"), ["Bearer theirs"]);
    assert!(sent(&moved, "x-amz-security-token").is_empty(), "theirs would be refused");
    let dropped = seen(&call(&gateway(&json!({"iam": iam(), "client_authorization": "drop"}))));
    assert!(sent(&dropped, "x-original-authorization").is_empty());
    let passed = call(&gateway(&json!({"iam": iam(), "client_authorization": "passthrough"})));
    assert_eq!(passed.status, 403, "the verifier does not know their token");
    assert!(passed.text().contains("Bearer theirs"), "{}", passed.text());
}

#[test]
fn an_api_key_and_a_signature_go_together() {
    let gateway = gateway(&json!({"iam": iam(), "apikey": KEY}));
    let seen = seen(&gateway.get("/v/x"));
    assert_eq!(sent(&seen, "x-api-key"), [KEY]);
    assert_eq!(sent(&seen, "authorization").len(), 1);
}

#[test]
fn a_wrong_secret_is_refused_in_the_words_of_the_other_side() {
    let secret = "a-secret-that-is-not-theirs";
    let wrong = gateway(&json!({"iam": {"accesskey": ACCESS_KEY, "secretkey": secret}}));
    let reply = wrong.get("/v/x");
    assert_eq!(reply.status, 403);
    assert_eq!(reply.get("x-amzn-errortype"), Some("InvalidSignatureException"));
    let advice = "the signature is not what AWS makes of the request; see that authorization.iam.secretkey";
    eventually(advice, || wrong.output().contains(advice).then_some(()));
    assert!(!reply.text().contains(secret) && !wrong.output().contains(secret), "the secret stays here");
    let unknown = gateway(&json!({"iam": {"accesskey": "AKIDOTHER", "secretkey": SECRET_KEY}}));
    assert_eq!(unknown.get("/v/x").status, 403);
}

#[test]
fn connections_are_reused_over_tls_and_region_and_service_come_from_the_host() {
    require("127.0.0.1:8443");
    let hosts = ["localhost", "abc.lambda-url.us-east-1.on.aws", "abc.execute-api.eu-west-1.amazonaws.com"];
    let settings = Settings::new().environment("SSL_CERT_FILE", certificates());
    let settings =
        hosts.iter().fold(settings, |settings, host| settings.resolve(format!("{host}:8443:127.0.0.1:8443")));
    let gateway = Gateway::with(settings);
    let lambda = |host: &str, verify: bool| {
        let uri = format!("https://{host}:8443/default");
        gateway.lambda(
            "1",
            "/v/*",
            json!({"function_uri": uri, "ssl_verify": verify, "authorization": {"iam": iam()}}),
        );
    };
    lambda(hosts[0], true);
    let first = seen(&gateway.get("/v/x/"));
    let second = seen(&gateway.get("/v/x/"));
    assert_eq!(first["sigv4"]["service"], json!("execute-api"), "what APISIX takes");
    assert_eq!(first["connection"]["number"], second["connection"]["number"], "one connection for both");
    lambda(hosts[1], false);
    assert_eq!(seen(&gateway.get("/v/x"))["sigv4"]["service"], json!("lambda"));
    lambda(hosts[2], false);
    let refused = gateway.get("/v/x");
    assert_eq!(refused.status, 403, "the verifier is in another region");
    assert!(refused.text().contains("region"), "{}", refused.text());
}
