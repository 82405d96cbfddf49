//! What each variable writes for one request.

use std::rc::Rc;
use std::time::Duration;

use http::Method;
use lockgate_http::ConnectionInfo;

use super::*;
use crate::UpstreamTrace;

const TARGET: &str = "/a%20b//c?name=json&n=1%2B1+2&flag&name=again&%6eum=7&e=&hex=0x1F";

pub(crate) fn request() -> (Request, RequestContext) {
    let mut request = Request::new(Method::POST, TARGET).unwrap();
    for (name, value) in [
        ("Host", "API.Example.com:9080"),
        ("X-Api-Key", "k"),
        ("Content-Type", "text/x"),
        ("Accept", "a/b"),
        ("accept", "c/d"),
        ("Cookie", "one=1; two=2=2"),
        ("cookie", "three=3;one=other"),
        ("Authorization", "Basic amFuZTpzZWNyZXQ="),
    ] {
        request.headers.append(name, value.as_bytes()).unwrap();
    }
    request.upgrade = Some("websocket".into());
    let connection =
        ConnectionInfo::new("10.1.2.3:4567".parse().unwrap(), "10.0.0.1:9080".parse().unwrap(), false);
    let mut cx = RequestContext::new(Rc::new(connection), Method::POST);
    cx.set_route_id("r1");
    cx.normal_path = Some("/a b/c".into());
    cx.params = vec![("id".into(), "5".into())];
    cx.upstream.address = Some("127.0.0.1:80".parse().unwrap());
    cx.upstream.status = 201;
    cx.upstream.duration = Some(Duration::from_millis(1500));
    (cx.status, cx.body_bytes_sent, cx.duration) = (200, 42, Duration::from_micros(12_600));
    (request, cx)
}

fn value(name: &str) -> Option<String> {
    let (request, cx) = request();
    let mut out = b"before".to_vec();
    let is_present = Variable::parse(name).unwrap().write(&request, &cx, &mut out);
    is_present.then(|| String::from_utf8(out.split_off(6)).unwrap())
}

#[test]
fn every_variable_writes_what_nginx_writes() {
    for (name, expected) in [
        ("arg_name", "json"),
        ("arg_n", "1+1 2"),
        ("arg_flag", ""),
        ("arg_num", "7"),
        ("arg_e", ""),
        ("http_x_api_key", "k"),
        ("http_accept", "a/b, c/d"),
        ("http_host", "API.Example.com:9080"),
        ("cookie_two", "2=2"),
        ("cookie_three", "3"),
        ("cookie_one", "1"),
        ("uri", "/a b/c"),
        ("request_uri", TARGET),
        ("host", "api.example.com"),
        ("remote_addr", "10.1.2.3"),
        ("remote_port", "4567"),
        ("server_addr", "10.0.0.1"),
        ("server_port", "9080"),
        ("request_method", "POST"),
        ("scheme", "http"),
        ("args", "name=json&n=1%2B1+2&flag&name=again&%6eum=7&e=&hex=0x1F"),
        ("query_string", "name=json&n=1%2B1+2&flag&name=again&%6eum=7&e=&hex=0x1F"),
        ("is_args", "?"),
        ("server_protocol", "HTTP/1.1"),
        ("route_id", "r1"),
        ("uri_param_id", "5"),
        ("status", "200"),
        ("upstream_addr", "127.0.0.1:80"),
        ("upstream_status", "201"),
        ("balancer_ip", "127.0.0.1"),
        ("balancer_port", "80"),
        ("document_uri", "/a b/c"),
        ("content_type", "text/x"),
        ("server_name", "_"),
        ("upstream_response_time", "1.500"),
        ("request_time", "0.012"),
        ("body_bytes_sent", "42"),
        ("remote_user", "jane"),
        ("http_upgrade", "websocket"),
    ] {
        assert_eq!(value(name).as_deref(), Some(expected), "{name}");
    }
    for name in ["time_local", "time_iso8601", "msec"] {
        assert!(value(name).is_some_and(|text| text.len() >= 14), "{name}");
    }
    assert!(
        value("request")
            .is_some_and(|line| line.starts_with("POST /a%20b//c?") && line.ends_with(" HTTP/1.1"))
    );
}

#[test]
fn what_a_request_does_not_have_is_absent() {
    for name in [
        "arg_Name",
        "arg_nam",
        "http_nope",
        "cookie_on",
        "cookie_Two",
        "uri_param_nope",
        "request_length",
        "sent_http_x",
        "upstream_http_x",
        "ssl_cipher",
        "consumer_name",
        "content_length",
    ] {
        assert_eq!(value(name), None, "{name}");
    }
    let (_, mut cx) = request();
    (cx.status, cx.upstream) = (0, UpstreamTrace::default());
    cx.set_route_id("");
    let bare = Request::new(Method::GET, "/").unwrap();
    for name in [
        "status",
        "upstream_addr",
        "upstream_status",
        "upstream_response_time",
        "route_id",
        "host",
        "remote_user",
    ] {
        let variable = Variable::parse(name).unwrap();
        assert!(!variable.write(&bare, &cx, &mut Vec::new()), "{name}");
    }
}

#[test]
fn the_length_of_a_body_is_known_until_it_is_answered() {
    let (mut request, mut cx) = request();
    request.body = lockgate_http::Body::full("12345");
    let mut out = Vec::new();
    assert!(!Variable::ContentLength.write(&request, &cx, &mut Vec::new()));
    cx.status = 0;
    assert!(Variable::ContentLength.write(&request, &cx, &mut out));
    assert_eq!(out, b"5");
}

#[test]
fn a_name_that_nothing_has_is_not_a_variable() {
    for name in ["", "nope", "arg_", "http_", "$uri", "URI"] {
        assert_eq!(Variable::parse(name), None, "{name}");
    }
}

#[test]
fn a_host_loses_its_port_and_nothing_else() {
    for (host, expected) in [
        ("a:80", "a"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
        ("::1", "::1"),
        ("A.b", "a.b"),
        ("a:b", "a:b"),
    ] {
        let (mut request, cx) = request();
        request.headers.set("Host", host.as_bytes()).unwrap();
        let mut out = Vec::new();
        assert!(Variable::Host.write(&request, &cx, &mut out));
        assert_eq!(out, expected.as_bytes());
    }
}
