//! The thirty shapes of requests that were measured with APISIX's signer, which fails on thirteen of them: each
//! through a running gateway, to every stand-in that checks signatures.

use lockgate_tests::{Gateway, Settings};
use serde_json::{Value, json};

use crate::{certificates, ministack, require};

/// What a client sends after the route's prefix, and what arrives where that is another target.
struct Shape {
    name: &'static str,
    target: &'static str,
    headers: &'static [&'static str],
    arrives: &'static str,
}

const fn target(name: &'static str, target: &'static str) -> Shape {
    Shape { name, target, headers: &[], arrives: target }
}

const fn turned(name: &'static str, target: &'static str, arrives: &'static str) -> Shape {
    Shape { name, target, headers: &[], arrives }
}

const fn headers(name: &'static str, headers: &'static [&'static str]) -> Shape {
    Shape { name, target: "/x", headers, arrives: "/x" }
}

const SHAPES: [Shape; 30] = [
    target("plain", "/test-apisix"),
    target("sorted query", "/x?b=2&a=1&a=0&B=3"),
    target("encoded query", "/x?k%20y=a%26b%3Dc&u=%7Ex&flag"),
    turned("plus in the query", "/x?q=a+b&r=%2B", "/x?q=a%20b&r=%2B"),
    target("utf-8 in the query", "/x?n=%c3%a9&m=%C3%A9"),
    turned("doubled slash", "/a//b", "/a/b"),
    turned("dot segment", "/a/./b", "/a/b"),
    turned("double-dot segment", "/a/../b", "/b"),
    target("unreserved characters", "/A-z_0.9~"),
    headers("empty header", &["X-Empty:"]),
    headers("te", &["TE: trailers"]),
    headers("expect", &["Expect: 100-continue"]),
    headers("trace id", &["X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793"]),
    headers("forwarded for", &["X-Forwarded-For: 192.0.2.1"]),
    headers("client's security token", &["X-Amz-Security-Token: slipped-in", "X-Amz-Date: 20000101T000000Z"]),
    headers("underscore header", &["x_my_header: 1"]),
    target("trailing slash", "/a/b/"),
    target("at sign", "/user@example.com"),
    target("colons", "/arn:aws:lambda:us-east-1:123456789012:function:f"),
    target("equals sign", "/a%3Db=c"),
    target("plus in the path", "/a+b"),
    target("comma, semicolon, dollar", "/a,b;c$d"),
    target("parentheses", "/f(x)!*'"),
    target("utf-8 in the path", "/caf%C3%A9/%e2%82%ac"),
    target("percent sign", "/100%25/a%2525"),
    headers("double space", &["X-Spaces: a  b   c ", "Content-Type: text/plain;  charset=utf-8"]),
    headers("tab", &["X-Tab: a\t \tb", "Content-Type: text/plain;\t \tcharset=utf-8"]),
    headers("double space in the user agent", &["User-Agent: curl  8  x"]),
    headers("repeated header", &["X-Dup: 1", "X-Dup: 2"]),
    target("escaped space", "/a%20b"),
];

#[test]
fn every_shape_is_signed_as_the_verifier_reads_it_and_arrives_as_it_was_sent() {
    let key = json!({"accesskey": "AKIDEXAMPLE", "secretkey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"});
    for (port, scheme) in [(8442, "http"), (8443, "https"), (8444, "https")] {
        require(&format!("127.0.0.1:{port}"));
        let settings = Settings::new().environment("SSL_CERT_FILE", certificates());
        let gateway = Gateway::with(settings.resolve(format!("localhost:{port}:127.0.0.1:{port}")));
        let uri = format!("{scheme}://localhost:{port}/default");
        gateway.lambda("1", "/s/*", json!({"function_uri": uri, "authorization": {"iam": key}}));
        for shape in SHAPES {
            let reply = gateway.request("POST", &format!("/s{}", shape.target), shape.headers, b"body");
            assert_eq!(reply.status, 200, "{port} {}: {}", shape.name, reply.text());
            let seen = reply.json();
            let text = |name: &str| seen[name].as_str().unwrap_or_default().to_owned();
            let query = Some(text("query")).filter(|query| !query.is_empty());
            let arrived = text("path") + &query.map(|query| format!("?{query}")).unwrap_or_default();
            assert_eq!(arrived, format!("/default{}", shape.arrives), "{port} {}", shape.name);
            assert_eq!(seen["sigv4"]["warnings"], json!([]), "{port} {}", shape.name);
            assert_eq!(text("body"), "body", "{port} {}", shape.name);
        }
    }
}

/// An endpoint of MiniStack.
struct Endpoint {
    uri: String,
    service: &'static str,
    /// The Invoke API has one path and one method: the shapes of paths have no meaning there.
    is_invoke: bool,
}

impl Endpoint {
    fn all(lab: &Value) -> [Self; 4] {
        let at = |name: &str, service| {
            let uri = lab["targets"][name].as_str().unwrap_or_else(|| panic!("no target {name}"));
            Self { uri: uri.to_owned(), service, is_invoke: name == "invoke" }
        };
        [
            at("rest_iam", "execute-api"),
            at("http_iam", "execute-api"),
            at("url_iam_echo", "lambda"),
            at("invoke", "lambda"),
        ]
    }

    /// Sends every shape, signed as this user, and with each method; answers with those that do not get `status`.
    fn wrong(&self, lab: &Value, user: &str, status: u16) -> Vec<String> {
        let [access, secret] = ["access", "secret"].map(|kind| &lab[format!("{user}{kind}_key")]);
        let iam = json!({"accesskey": access, "secretkey": secret, "service": self.service});
        let gateway = Gateway::start();
        let route = if self.is_invoke { "/s" } else { "/s/*" };
        gateway.lambda("1", route, json!({"function_uri": self.uri, "authorization": {"iam": iam}}));
        let shapes = SHAPES.iter().filter(|shape| !self.is_invoke || shape.target.starts_with("/x"));
        let mut wrong = Vec::new();
        for shape in shapes {
            let tail = if self.is_invoke { &shape.target[2..] } else { shape.target };
            for (method, body) in [("POST", r#"{"key": "value"}"#), ("GET", "")] {
                if self.is_invoke && method == "GET" {
                    continue;
                }
                let reply = gateway.request(method, &format!("/s{tail}"), shape.headers, body.as_bytes());
                if reply.status != status {
                    wrong.push(format!("{} {method} {tail}: {} {}", self.uri, reply.status, reply.text()));
                }
            }
        }
        wrong
    }
}

#[test]
fn every_shape_is_accepted_by_every_kind_of_endpoint() {
    let lab = ministack();
    for endpoint in Endpoint::all(&lab) {
        let wrong = endpoint.wrong(&lab, "", 200);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
fn every_shape_is_refused_without_a_policy() {
    let lab = ministack();
    for endpoint in Endpoint::all(&lab) {
        let wrong = endpoint.wrong(&lab, "denied_", 403);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
