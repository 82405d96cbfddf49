//! The path join of APISIX, with the client's encoding and the order of its query kept.

use lockgate_tests::{FakeUpstream, Gateway};

use crate::{at, received};

#[test]
fn the_tail_of_the_path_is_joined_to_function_uri() {
    let (gateway, function) = (Gateway::start(), FakeUpstream::fixed("ok"));
    let table = [
        ("/aws", "/default/test-apisix", "/aws?name=x", "/default/test-apisix?name=x"),
        ("/aws", "/default/test-apisix", "/aws", "/default/test-apisix"),
        ("/aws/*", "", "/aws/default/test-apisix", "/default/test-apisix"),
        ("/azure/*", "/api", "/azure/http/trigger", "/api/http/trigger"),
        ("/azure/*", "/api/", "/azure/http/trigger", "/api/http/trigger"),
        ("/azure/*", "/api", "/azure/", "/api/"),
        ("/aws", "", "/aws", "/"),
        ("/aws", "/", "/aws", "/"),
        ("/aws/*", "", "/aws/", "/"),
    ];
    for (uri, base, call, want) in table {
        assert_eq!(received(&gateway, &function, uri, base, call).target(), want, "{uri} {base} {call}");
    }
}

#[test]
fn the_clients_encoding_arrives_as_it_was_sent() {
    let (gateway, function) = (Gateway::start(), FakeUpstream::fixed("ok"));
    for tail in [
        "a%2Fb",
        "caf%C3%A9",
        "a%20b",
        "a%3Fb",
        "a%25b",
        "a%2fb",
        "a;b=1",
        "a+b",
        "a:b@c",
        "%41",
        "~a.b-c_d",
        "a%23b",
        "a,b",
    ] {
        let request = received(&gateway, &function, "/aws/*", "/base", &format!("/aws/{tail}"));
        assert_eq!(request.target(), format!("/base/{tail}"));
    }
}

#[test]
fn the_query_keeps_its_order_and_its_spelling() {
    let (gateway, function) = (Gateway::start(), FakeUpstream::fixed("ok"));
    for query in
        ["b=2&a=1&c=x+y&flag&a=0", "e=&f", "x=%20+%2B", "a=b=c", "q=caf%C3%A9", "&&a=1&", "a[]=1&a[]=2"]
    {
        let request = received(&gateway, &function, "/aws", "/base", &format!("/aws?{query}"));
        assert_eq!(request.target(), format!("/base?{query}"));
    }
}

#[test]
fn the_query_of_function_uri_is_merged_and_no_bare_question_mark_is_added() {
    let (gateway, function) = (Gateway::start(), FakeUpstream::fixed("ok"));
    let target =
        |call: &str| received(&gateway, &function, "/aws/*", "/base?code=secret", call).target().to_owned();
    assert_eq!(target("/aws/x"), "/base/x?code=secret");
    let merged = target("/aws/x?name=a");
    assert!(
        ["/base/x?code=secret&name=a", "/base/x?name=a&code=secret"].contains(&merged.as_str()),
        "{merged}"
    );
}

#[test]
fn no_path_climbs_out_of_function_uri() {
    let (gateway, function) = (Gateway::start(), FakeUpstream::fixed("ok"));
    gateway.lambda("1", "/aws/*", at(&function, "/base/inner"));
    let climbs = [
        "..",
        "../",
        "../x",
        "a/../../x",
        "%2e%2e/x",
        "%2E%2E/x",
        ".%2e/x",
        "%2e./x",
        "a/%2e%2e/%2e%2e/x",
        "..%2fx",
        "..%2Fx",
        "%2e%2e%2fx",
        "..%5cx",
        "..\\x",
        "%2e%2e%5cx",
        "a%2f..%2f..%2fx",
        "./../x",
        "..;/x",
        "..;a=b/x",
        "%252e%252e/x",
        "..%00/x",
    ];
    for tail in climbs {
        let reply = gateway.get(&format!("/aws/{tail}"));
        for request in function.pending() {
            let path = request.target().split('?').next().unwrap_or_default().to_owned();
            assert!(stays_inside(&path), "{tail} became {path}");
        }
        assert!([200, 400, 404].contains(&reply.status), "{tail}: {}", reply.status);
    }
}

/// Whether a lenient server, decoding once and taking `\` and `%2F` for `/`, still ends below `/base/inner`.
fn stays_inside(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let decoded = lower.replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").replace('\\', "/");
    let mut depth = Vec::new();
    for segment in decoded.split('/').filter(|segment| !segment.is_empty()) {
        match segment.split(';').next().unwrap_or_default() {
            ".." if depth.pop().is_none() => return false,
            "." | ".." => {}
            _ => depth.push(segment),
        }
    }
    depth.starts_with(&["base", "inner"])
}
