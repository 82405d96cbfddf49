//! Conditions: operators and variables of `vars`, those of the body among them, and what a PUT refuses.

use lockgate_tests::{FakeUpstream, Gateway, Reply, Settings, Then};
use serde_json::{Value, json};

/// A gateway with one route that has these conditions, and the upstream behind it.
fn with_vars(settings: Settings, vars: &Value) -> (Gateway, FakeUpstream) {
    let upstream = FakeUpstream::fixed("yes");
    let gateway = Gateway::with(settings);
    gateway.route("1", json!({"uri": "/*", "vars": vars}), &upstream.node());
    (gateway, upstream)
}

/// Whether the route answered.
fn has_matched(reply: &Reply) -> bool {
    match reply.status {
        200 => true,
        404 => false,
        other => panic!("{other}: {}", reply.text()),
    }
}

#[test]
fn every_operator_decides_which_route_answers() {
    let gateway = Gateway::start();
    let upstream = FakeUpstream::fixed("yes");
    for (vars, yes, no) in [
        (json!([["arg_a", "==", "x"]]), "/?a=x", "/?a=X"),
        (json!([["arg_a", "==", 7]]), "/?a=7.0", "/?a=x"),
        (json!([["arg_a", "~=", "x"]]), "/", "/?a=x"),
        (json!([["arg_a", ">", 7]]), "/?a=10", "/?a=7"),
        (json!([["arg_a", ">=", "7"]]), "/?a=7", "/?a=6.9"),
        (json!([["arg_a", "<", 7]]), "/?a=-1", "/"),
        (json!([["arg_a", "<=", 7]]), "/?a=7", "/?a=7.1"),
        (json!([["arg_a", "~~", "^[a-c]+$"]]), "/?a=abc", "/?a=ABC"),
        (json!([["arg_a", "~*", "^[a-c]+$"]]), "/?a=ABC", "/?a=d"),
        (json!([["arg_a", "IN", ["x", "y"]]]), "/?a=y", "/?a=z"),
        (json!([["arg_a", "!", "in", ["x"]]]), "/?a=y", "/?a=x"),
        (json!([["arg_a", "!", "HAS", "x"]]), "/?a=x", "/none/of/them"),
        (json!([["arg_ip", "ipmatch", ["10.0.0.0/8", "::1"]]]), "/?ip=10.1.2.3", "/?ip=11.1.2.3"),
        (json!(["OR", ["arg_a", "==", "x"], ["arg_b", "==", "y"]]), "/?b=y", "/?b=x"),
        (json!(["!OR", ["arg_a", "==", "x"], ["arg_b", "==", "y"]]), "/?b=x", "/?b=y"),
        (json!(["!AND", ["arg_a", "==", "x"], ["arg_b", "==", "y"]]), "/?a=x", "/?a=x&b=y"),
        (
            json!([
                ["arg_a", "==", "x"],
                ["OR", ["arg_b", ">", 1], ["AND", ["arg_c", "==", "1"], ["arg_d", "==", "2"]]]
            ]),
            "/?a=x&d=2&c=1",
            "/?a=x&c=1",
        ),
    ] {
        gateway.route("1", json!({"uri": "/", "vars": vars}), &upstream.node());
        assert!(has_matched(&gateway.get(yes)), "{vars} should hold for {yes}");
        assert!(!has_matched(&gateway.get(no)), "{vars} should not hold for {no}");
    }
}

#[test]
fn variables_are_of_the_request_as_it_came() {
    let gateway = Gateway::start();
    let upstream = FakeUpstream::fixed("yes");
    let port = gateway.url("").rsplit(':').next().unwrap_or_default().to_owned();
    let headers = ["Host: API.test:9", "X-Tenant: red", "Cookie: a=1; group=b", "Content-Type: text/x"];
    for (name, value) in [
        ("uri", "/a b/c"),
        ("request_uri", "/a%20b//c?q=1%202"),
        ("args", "q=1%202"),
        ("arg_q", "1 2"),
        ("http_x_tenant", "red"),
        ("http_host", "API.test:9"),
        ("cookie_group", "b"),
        ("host", "api.test"),
        ("remote_addr", "127.0.0.1"),
        ("server_addr", "127.0.0.1"),
        ("server_port", &port),
        ("request_method", "PUT"),
        ("scheme", "http"),
        ("content_type", "text/x"),
    ] {
        gateway.route("1", json!({"uri": "/*", "vars": [[name, "==", value]]}), &upstream.node());
        let reply = gateway.request("PUT", "/a%20b//c?q=1%202", &headers, b"");
        assert!(has_matched(&reply), "{name} should be {value}");
    }
}

#[test]
fn a_form_decides_and_reaches_the_upstream_whole() {
    let (gateway, upstream) = with_vars(Settings::new(), &json!([["post_arg_name", "==", "jane doe"]]));
    let form = "Content-Type: application/x-www-form-urlencoded; charset=utf-8";
    for (header, body, expected) in [
        (form, "x=1&name=jane+doe", true),
        (form, "n%61me=jane%20doe&name=other", true),
        (form, "name=jane", false),
        (form, "", false),
        ("Content-Type: text/plain", "name=jane+doe", false),
    ] {
        let reply = gateway.request("POST", "/f", &[header], body.as_bytes());
        assert_eq!(has_matched(&reply), expected, "{header} {body}");
        if expected {
            assert_eq!(upstream.next().body, body.as_bytes());
        }
    }
}

#[test]
fn fields_of_json_decide_by_their_path() {
    let gateway = Gateway::start();
    let upstream = FakeUpstream::fixed("yes");
    let body = json!({"model": "m", "user": {"age": 41, "is_admin": true}, "tags": ["a", "b"],
        "messages": [{"type": "text"}, {"type": "image"}]})
    .to_string();
    for (vars, expected) in [
        (json!([["post_arg.model", "==", "m"]]), true),
        (json!([["post_arg.user.age", ">", 40]]), true),
        (json!([["post_arg.user.age", "==", "41"]]), false),
        (json!([["post_arg.user.is_admin", "==", true]]), true),
        (json!([["post_arg.tags", "has", "b"]]), true),
        (json!([["post_arg.tags", "has", "c"]]), false),
        (json!([["post_arg.messages[*].type", "has", "image"]]), true),
        (json!([["post_arg.messages[0].type", "has", "image"]]), false),
        (json!([["post_arg.user.nope", "==", null]]), true),
        (json!([["post_arg.model", "==", "x"]]), false),
    ] {
        gateway.route("1", json!({"uri": "/*", "vars": vars}), &upstream.node());
        let reply = gateway.request("POST", "/j", &["Content-Type: application/json"], body.as_bytes());
        assert_eq!(has_matched(&reply), expected, "{vars}");
        if expected {
            assert_eq!(upstream.next().body, body.as_bytes());
        }
    }
}

#[test]
fn parts_of_a_multipart_form_decide() {
    let (gateway, upstream) = with_vars(Settings::new(), &json!([["post_arg.name", "==", "jane"]]));
    let body = "--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n\0\r\n--x\r\n\
                --xx\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\njane\r\n--xx--\r\n";
    let header = "Content-Type: multipart/form-data; boundary=xx";
    assert!(has_matched(&gateway.request("POST", "/m", &[header], body.as_bytes())));
    assert_eq!(upstream.next().body, body.as_bytes());
    let other = body.replace("jane", "joe");
    assert!(!has_matched(&gateway.request("POST", "/m", &[header], other.as_bytes())));
}

#[test]
fn a_body_in_chunks_decides_as_one_of_a_length_does() {
    let (gateway, upstream) = with_vars(Settings::new(), &json!([["post_arg.a", "==", "b"]]));
    let mut connection = gateway.connect();
    let head = "POST /c HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n";
    let reply = connection.exchange(format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n3\r\n{{\"a\r\n6\r\n\":\"b\"}}\r\n0\r\n\r\n"
    ));
    assert!(has_matched(&reply));
    assert_eq!(upstream.next().body, br#"{"a":"b"}"#);
    // The connection is as good as before.
    let reply = connection.exchange(format!("{head}Content-Length: 9\r\n\r\n{{\"a\":\"b\"}}"));
    assert!(has_matched(&reply));
}

#[test]
fn a_client_that_waits_to_be_told_so_sends_the_body_that_decides() {
    let (gateway, upstream) = with_vars(Settings::new(), &json!([["post_arg.a", "==", "b"]]));
    let mut connection = gateway.connect();
    let head = "POST /e HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 9\r\n";
    connection.send(format!("{head}Expect: 100-continue\r\n\r\n")).unwrap();
    let interim = connection.read_head().unwrap().unwrap();
    assert!(interim.raw.starts_with(b"HTTP/1.1 100 "));
    assert!(has_matched(&connection.exchange(br#"{"a":"b"}"#)));
    assert_eq!(upstream.next().body, br#"{"a":"b"}"#);
}

#[test]
fn a_body_that_is_too_long_to_be_read_decides_nothing_and_passes_whole() {
    let upstream = FakeUpstream::start(|request, connection| {
        connection.answer("200 OK", &[], request.body.len().to_string()).map(|()| Then::Keep)
    });
    let gateway = Gateway::start();
    gateway.route("post", json!({"uri": "/*", "vars": [["post_arg.a", "==", "b"]]}), &upstream.node());
    gateway.route("rest", json!({"uri": "/*", "priority": -1}), &upstream.node());
    let body = format!(r#"{{"a":"b","long":"{}"}}"#, "x".repeat(2 << 20));
    let json = "Content-Type: application/json";
    let reply = gateway.request("POST", "/x", &[json], body.as_bytes());
    assert_eq!((reply.status, reply.text()), (200, body.len().to_string()));
}

#[test]
fn a_graphql_operation_decides() {
    let vars = json!([
        ["graphql_operation", "==", "query"],
        ["graphql_name", "==", "getRepo"],
        ["graphql_root_fields", "has", "owner"]
    ]);
    let (gateway, upstream) = with_vars(Settings::new(), &vars);
    let document = "query getRepo { owner { name } repo { created } }";
    let graphql = "Content-Type: application/graphql";
    let json = "Content-Type: application/json";
    let wrapped = json!({"query": document}).to_string();
    for (header, body, expected) in [
        (graphql, document, true),
        (json, wrapped.as_str(), true),
        (graphql, "mutation getRepo { owner { name } }", false),
        (graphql, "query other { owner { name } }", false),
        (graphql, "query getRepo { repo { owner } }", false),
        (graphql, "query getRepo { owner", false),
        (json, r#"{"query": 1}"#, false),
    ] {
        let reply = gateway.request("POST", "/graphql", &[header], body.as_bytes());
        assert_eq!(has_matched(&reply), expected, "{body}");
        if expected {
            assert_eq!(upstream.next().body, body.as_bytes());
        }
    }
    let query = document.replace(' ', "%20");
    assert!(has_matched(&gateway.get(&format!("/graphql?query={query}"))));
}

#[test]
fn what_a_condition_cannot_be_is_refused_by_put() {
    let gateway = Gateway::start();
    for (vars, why) in [
        (json!([["arg_a", "bad", "x"]]), "invalid operator 'bad'"),
        (
            json!([["arg_a", "~~", "a(?=b)"]]),
            "look-around, including look-ahead and look-behind, is not supported",
        ),
        (json!([["arg_a", "~~", r"(a)\1"]]), "backreferences are not supported"),
        (json!([["arg_a", "ipmatch", ["nope"]]]), "invalid ip address: nope"),
    ] {
        let route = json!({"uri": "/", "vars": vars, "upstream": {"type": "roundrobin", "nodes": {"127.0.0.1:1": 1}}});
        let (status, body) = gateway.admin("PUT", "/routes/1", route);
        let text = body["error_msg"].as_str().unwrap_or_default();
        assert_eq!(status, 400, "{vars}: {body}");
        assert!(
            text.starts_with("failed to validate the 'vars' expression: ") && text.ends_with(why),
            "{text}"
        );
    }
}
