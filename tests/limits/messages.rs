//! How large the parts of a request, and of an answer, may be.

use lockgate_tests::{FakeUpstream, Gateway, Settings, Then};
use serde_json::{Value, json};

fn echo(settings: Settings) -> (Gateway, FakeUpstream) {
    let upstream = FakeUpstream::start(|request, connection| {
        connection.answer("200 OK", &[], request.text()).map(|()| Then::Keep)
    });
    let gateway = Gateway::with(settings);
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    (gateway, upstream)
}

/// Sends a request and gives the status of its answer.
fn status(gateway: &Gateway, request: &str) -> u16 {
    let mut connection = gateway.connect();
    connection.send(request).expect("the gateway reads");
    connection.reply().status
}

/// A request head with this target and these field lines.
fn head(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

#[test]
fn target_field_and_head_are_bounded_by_large_client_header_buffers() {
    let buffers = json!({"large_client_header_buffers": "3 1k"});
    let (gateway, _upstream) = echo(Settings::new().set("nginx_config.http", buffers));
    let target = |length: usize| format!("/{}", "a".repeat(length - 1));
    assert_eq!(status(&gateway, &head(&target(1024), "")), 200);
    assert_eq!(status(&gateway, &head(&target(1025), "")), 414);
    let field = |length: usize| format!("A: {}\r\n", "a".repeat(length - 5));
    assert_eq!(status(&gateway, &head("/", &field(1024))), 200);
    assert_eq!(status(&gateway, &head("/", &field(1025))), 431);
    assert_eq!(status(&gateway, &head("/", &field(700).repeat(4))), 200);
    assert_eq!(status(&gateway, &head("/", &field(700).repeat(5))), 431);
    // It is refused before its end has come.
    assert_eq!(status(&gateway, &format!("GET /{}", "a".repeat(2000))), 414);
    assert_eq!(status(&gateway, &format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(4000))), 431);
}

#[test]
fn the_number_of_header_fields_is_bounded() {
    let (gateway, _upstream) = echo(Settings::new().set("lockgate", json!({"limits": {"headers": 10}})));
    assert_eq!(status(&gateway, &head("/", &"A: b\r\n".repeat(9))), 200);
    assert_eq!(status(&gateway, &head("/", &"A: b\r\n".repeat(10))), 431);
}

#[test]
fn a_body_is_bounded_by_client_max_body_size() {
    let limit = json!({"client_max_body_size": "1k"});
    let (gateway, _upstream) = echo(Settings::new().set("nginx_config.http", limit));
    assert_eq!(gateway.request("POST", "/", &[], &[b'a'; 1024]).status, 200);
    assert_eq!(gateway.request("POST", "/", &[], &[b'a'; 1025]).status, 413);
}

#[test]
fn chunk_extensions_and_trailers_are_bounded_each_by_itself() {
    let limits = json!({"limits": {"chunk_extensions": 100, "trailers": 50}});
    let (gateway, _upstream) = echo(Settings::new().set("lockgate", limits));
    let chunked = |extension: usize, trailer: usize| {
        let (extension, trailer) = ("e".repeat(extension), "t".repeat(trailer));
        format!(
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
             3;{extension}\r\nabc\r\n0\r\nX: {trailer}\r\n\r\n"
        )
    };
    assert_eq!(status(&gateway, &chunked(90, 40)), 200);
    assert_eq!(status(&gateway, &chunked(110, 40)), 400);
    assert_eq!(status(&gateway, &chunked(90, 60)), 400);
}

/// A gateway in front of an upstream that answers with what it is sent.
struct Repeating {
    gateway: Gateway,
    _upstream: FakeUpstream,
}

impl Repeating {
    fn start(limits: &Value) -> Self {
        let upstream =
            FakeUpstream::start(|request, connection| connection.send(request.text()).map(|()| Then::Close));
        let gateway = Gateway::with(Settings::new().set("lockgate", json!({"limits": limits})));
        gateway.route("1", json!({"uri": "/*"}), &upstream.node());
        Self { gateway, _upstream: upstream }
    }

    /// What a client gets of an answer.
    fn passed_on(&self, answer: &str) -> String {
        let length = answer.len();
        let head =
            format!("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        let mut connection = self.gateway.connect();
        connection.send(format!("{head}{answer}")).expect("the gateway reads");
        String::from_utf8_lossy(&connection.try_read_to_close().unwrap_or_default()).into_owned()
    }
}

#[test]
fn heads_of_answers_are_bounded() {
    let limits = json!({"upstream_head": "3k", "upstream_header": "1k", "upstream_headers": 10});
    let upstream = Repeating::start(&limits);
    let status = |fields: String| {
        let answer = upstream.passed_on(&format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{fields}\r\n"));
        answer.get("HTTP/1.1 ".len()..)?.split(' ').next().map(str::to_owned)
    };
    let field = |length: usize| format!("A: {}\r\n", "a".repeat(length - 5));
    for (fields, expected) in [
        (field(1024), "200"),
        (field(1025), "502"),
        (field(700).repeat(4), "200"),
        (field(700).repeat(5), "502"),
        (field(6).repeat(9), "200"),
        (field(6).repeat(10), "502"),
    ] {
        assert_eq!(status(fields.clone()).as_deref(), Some(expected), "{} bytes of fields", fields.len());
    }
}

#[test]
fn what_is_beside_the_body_of_an_answer_is_bounded() {
    let upstream = Repeating::start(&json!({"chunk_extensions": 100, "trailers": 50, "upstream_headers": 4}));
    let is_whole = |extension: usize, trailers: &str| {
        let extension = "e".repeat(extension);
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = format!("{head}3;{extension}\r\nabc\r\n0\r\n{trailers}\r\n");
        upstream.passed_on(&answer).contains("\r\n0\r\n")
    };
    let (short, long) = (format!("X: {}\r\n", "t".repeat(40)), format!("X: {}\r\n", "t".repeat(60)));
    assert!(is_whole(90, &short));
    assert!(!is_whole(110, &short), "chunk extensions");
    assert!(!is_whole(90, &long), "trailers");
    assert!(is_whole(90, &"X: t\r\n".repeat(4)));
    assert!(!is_whole(90, &"X: t\r\n".repeat(5)), "trailer fields");
}

#[test]
fn http_2_has_the_same_bounds() {
    let settings = Settings::new()
        .set("nginx_config.http", json!({"large_client_header_buffers": "4 1k"}))
        .set("lockgate", json!({"limits": {"headers": 10}}));
    let (gateway, _upstream) = echo(settings);
    let ask = |target: &str, length: usize, fields: usize| {
        let mut command = vec!["-s", "-o", "/dev/null", "-w", "%{http_code}", "--http2-prior-knowledge"];
        let url = gateway.url(target);
        let lines: Vec<_> = (0..fields).map(|number| format!("x-{number}: {}", "a".repeat(length))).collect();
        for line in &lines {
            command.extend(["-H", line]);
        }
        command.push(&url);
        let end = std::process::Command::new("curl").args(command).output().expect("curl is installed");
        String::from_utf8_lossy(&end.stdout).into_owned()
    };
    assert_eq!(ask("/", 10, 5), "200");
    assert_eq!(ask(&format!("/{}", "a".repeat(1024)), 10, 5), "414");
    assert_eq!(ask("/", 1024, 1), "431");
    assert_eq!(ask("/", 10, 11), "431");
}
