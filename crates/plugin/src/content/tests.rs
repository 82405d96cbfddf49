//! What is read of bodies, by table.

use serde_json::json;

use super::*;

fn operation(document: &str) -> Option<(&'static str, String, Value)> {
    Operation::read(document).map(|operation| (operation.kind, operation.name, operation.root_fields))
}

#[test]
fn the_first_operation_of_a_document_is_read() {
    for (document, kind, name, fields) in [
        ("query{owner{name}}", "query", "", json!(["owner"])),
        ("{ a b }", "query", "", json!(["a", "b"])),
        ("# one\nquery repo { owner { name } , created }", "query", "repo", json!(["owner", "created"])),
        (
            "mutation m($a: T = {x: [1]}, $b: [I!]! = 2) @d(x: 1) { set(v: $a) { ok } }",
            "mutation",
            "m",
            json!(["set"]),
        ),
        ("{ alias: hero(name: \"}\") @include(if: true) { x } }", "query", "", json!(["hero"])),
        (
            "{ ... on Query { a, ... @skip(if: false) { b } } c ...rest }",
            "query",
            "",
            json!(["a", "b", "c", "rest"]),
        ),
        ("{ on { x } y(t: \"\"\"}\\\"\"\" {\"\"\") }", "query", "", json!(["on", "y"])),
        ("\u{feff}subscription s{a} fragment f on T { b }", "subscription", "s", json!(["a"])),
    ] {
        assert_eq!(operation(document), Some((kind, name.to_owned(), fields)), "{document}");
    }
}

#[test]
fn what_is_no_operation_has_none() {
    for document in [
        "",
        "{",
        "{}",
        "query",
        "{a}}",
        "{a(}",
        "{a]",
        "type T { a: Int }",
        "{ a \"b }",
        "{a} \\",
        "{a..b}",
        "é",
    ] {
        assert_eq!(operation(document), None, "{document}");
    }
    assert_eq!(operation(&"{".repeat(1 << 20)), None);
    assert!(operation(&format!("{}a{}", "{a ".repeat(100_000), "}".repeat(100_000))).is_some());
    assert_eq!(operation(&format!("{{{}}}", "a ".repeat(1001))), None);
}

#[test]
fn the_fields_of_a_body_are_read_by_its_type() {
    let form = "application/x-www-form-urlencoded; charset=utf-8";
    let parts = "multipart/form-data; boundary=\"x y\"";
    let body = "--x y\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
                --x y\r\ncontent-disposition: form-data; name=f; filename=\"n\"\r\nContent-Type: t/t\r\n\r\nline\r\n--x\r\n--x y--\r\n";
    for (content_type, body, expected) in [
        (form, "a=1+2&b=%C3%A9&c&a=3", Some(json!({"a": ["1 2", "3"], "b": "é", "c": ""}))),
        ("Application/JSON", r#"{"a": {"b": [1]}}"#, Some(json!({"a": {"b": [1]}}))),
        ("application/json", "{", None),
        (parts, body, Some(json!({"a": "1", "f": "line\r\n--x"}))),
        (parts, "", Some(json!({}))),
        ("multipart/form-data", body, None),
        ("text/plain", "a=1", None),
        ("", "a=1", None),
    ] {
        assert_eq!(form::fields(content_type, body.as_bytes()), expected, "{content_type}: {body}");
    }
}

#[tokio::test]
async fn a_condition_asks_for_content_once_and_compares_it_as_it_is() {
    let mut request = Request::new(Method::POST, "/").unwrap();
    request.headers.append("Content-Type", b"application/json").unwrap();
    let body = r#"{"model": "x", "n": 7, "deep": {"on": true, "list": ["a", 1]}, "nil": null}"#;
    request.body = lockgate_http::Body::full(body);
    let (_, mut cx) = crate::variable::tests::request();
    let holds = |condition: Value, request: &Request, cx: &RequestContext| {
        let condition = crate::Condition::parse(&condition).unwrap();
        assert!(condition.asks_content());
        condition.holds(request, cx)
    };
    assert!(!holds(json!([["post_arg.model", "==", "x"]]), &request, &cx));
    assert!(cx.asks_content());
    cx.read_content(&mut request, ContentLimits::default()).await;
    assert!(!cx.asks_content());
    for condition in [
        json!([["post_arg.model", "==", "x"]]),
        json!([["post_arg.n", "==", 7], ["post_arg.n", "in", [7]], ["post_arg.n", ">", "6"]]),
        json!([["post_arg.deep.on", "==", true]]),
        json!([["post_arg.deep.list", "has", "a"], ["post_arg.deep.list", "has", 1]]),
        json!([["post_arg.deep.list[*]", "has", "a"], ["post_arg..list[1]", "has", 1]]),
        json!([["post_arg.deep.list[*]", "!", "has", "1"], ["post_arg.nope[*]", "==", null]]),
        json!([["post_arg.deep.nope", "==", null], ["post_arg.model.x", "==", null]]),
        json!([["post_arg_model", "==", null], ["graphql_name", "==", null]]),
    ] {
        assert!(holds(condition.clone(), &request, &cx), "{condition}");
    }
    for condition in [json!([["post_arg.n", "==", "7"]]), json!([["post_arg.deep", "==", "x"]])] {
        assert!(!holds(condition.clone(), &request, &cx), "{condition}");
    }
    assert_eq!(request.body.collect(1000).await.unwrap(), body);
    let error = crate::Condition::parse(&json!([["post_arg.a[1:2]", "==", 1]])).unwrap_err();
    assert_eq!(
        error,
        "'post_arg.a[1:2]' is not supported: a path in a body is of names, [N], [*] and one .."
    );
}

#[tokio::test]
async fn what_is_longer_than_the_limit_has_no_fields_and_is_sent_on_whole() {
    let mut request = Request::new(Method::POST, "/").unwrap();
    request.headers.append("Content-Type", b"application/x-www-form-urlencoded").unwrap();
    request.body = lockgate_http::Body::full("a=1&b=2");
    let (_, mut cx) = crate::variable::tests::request();
    cx.read_content(&mut request, ContentLimits { post_args: 6, graphql: 0 }).await;
    assert_eq!(cx.fields(&request), None);
    assert_eq!(request.body.collect(7).await.unwrap(), "a=1&b=2");
}

#[tokio::test]
async fn one_side_of_a_conversation_is_not_waited_for() {
    struct Silent;

    impl lockgate_http::BodyStream for Silent {
        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<bool, lockgate_http::BodyError>> {
            std::task::Poll::Pending
        }

        fn data(&self) -> &[u8] {
            &[]
        }

        fn consume(&mut self, _: usize) {}

        fn length(&self) -> Option<u64> {
            None
        }
    }

    for (method, content_type) in [(Method::POST, "application/grpc+proto"), (Method::CONNECT, "")] {
        let mut request = Request::new(method, "/").unwrap();
        request.headers.append("Content-Type", content_type.as_bytes()).unwrap();
        request.body = lockgate_http::Body::stream(Silent);
        let (_, mut cx) = crate::variable::tests::request();
        cx.read_content(&mut request, ContentLimits::default()).await;
        assert_eq!(cx.fields(&request), None);
    }
}

#[test]
fn a_body_of_a_type_without_fields_is_not_read_for_them() {
    let condition = crate::Condition::parse(&json!([["post_arg.a", "==", null]])).unwrap();
    for (content_type, is_asked) in
        [("application/octet-stream", false), ("", false), ("application/json; charset=utf-8", true)]
    {
        let mut request = Request::new(Method::POST, "/").unwrap();
        request.headers.append("Content-Type", content_type.as_bytes()).unwrap();
        let (_, cx) = crate::variable::tests::request();
        assert!(condition.holds(&request, &cx));
        assert_eq!(cx.asks_content(), is_asked, "{content_type}");
    }
}
