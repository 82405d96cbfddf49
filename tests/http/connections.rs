//! Connections: kept, shared by pipelined requests, closed when asked, and timed out when slow.

use lockgate_tests::{FakeUpstream, Gateway, Settings, Then};
use serde_json::json;

fn echo() -> (Gateway, FakeUpstream) {
    let upstream = FakeUpstream::start(|request, connection| {
        connection.answer("200 OK", &[], request.target()).map(|()| Then::Keep)
    });
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    (gateway, upstream)
}

#[test]
fn one_connection_carries_many_requests_and_so_does_the_upstreams() {
    let (gateway, upstream) = echo();
    let mut connection = gateway.connect();
    for number in 0..50 {
        let reply = connection.exchange(format!("GET /{number} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!(reply.text(), format!("/{number}"));
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let (gateway, upstream) = echo();
    let mut connection = gateway.connect();
    let burst: Vec<String> = (0..20)
        .map(|number| format!("POST /{number} HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"))
        .collect();
    connection.send(burst.concat()).expect("the gateway reads");
    for number in 0..20 {
        assert_eq!(connection.reply().text(), format!("/{number}"));
        let request = upstream.next();
        assert_eq!((request.target(), request.text().as_str()), (format!("/{number}").as_str(), "body"));
    }
}

#[test]
fn a_request_that_comes_byte_by_byte_is_understood() {
    let (gateway, upstream) = echo();
    let mut connection = gateway.connect();
    let request = "POST /slow HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n";
    connection.send_byte_by_byte(request).expect("the gateway reads");
    assert_eq!(connection.reply().text(), "/slow");
    assert_eq!(upstream.next().text(), "abcde");
    let reply = connection.exchange("GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(reply.text(), "/next");
}

#[test]
fn an_upstream_that_answers_byte_by_byte_is_understood() {
    let upstream = FakeUpstream::start(|_, connection| {
        let response =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        connection.send_byte_by_byte(response).map(|()| Then::Keep)
    });
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    assert_eq!(gateway.get("/x").text(), "abcde");
    assert_eq!(gateway.get("/y").text(), "abcde");
}

#[test]
fn connection_close_and_http_1_0_close_the_connection() {
    let (gateway, _upstream) = echo();
    for request in [
        "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        "GET /x HTTP/1.0\r\nHost: h\r\n\r\n",
        "GET /x HTTP/1.0\r\n\r\n",
    ] {
        let mut connection = gateway.connect();
        let reply = connection.exchange(request);
        assert_eq!((reply.status, reply.text().as_str()), (200, "/x"), "{request}");
        assert!(connection.read_to_close().is_empty());
    }
    let mut connection = gateway.connect();
    for _ in 0..2 {
        let reply = connection.exchange("GET /x HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!(reply.status, 200, "HTTP/1.0 may ask to keep the connection");
    }
}

#[test]
fn a_chunked_response_reaches_an_http_1_0_client_without_chunks() {
    let upstream = FakeUpstream::start(|_, connection| {
        connection
            .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
            .map(|()| Then::Keep)
    });
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    let mut connection = gateway.connect();
    connection.send("GET /x HTTP/1.0\r\nHost: h\r\n\r\n").expect("the gateway reads");
    let text = String::from_utf8_lossy(&connection.read_to_close()).into_owned();
    assert!(text.ends_with("\r\n\r\nabc") && !text.to_lowercase().contains("transfer-encoding"), "{text}");
}

#[test]
fn a_head_that_does_not_come_in_time_is_answered_with_408_or_a_closed_connection() {
    let gateway = Gateway::with(Settings::new().set("nginx_config.http.client_header_timeout", json!("1s")));
    let mut connection = gateway.connect();
    connection.send("GET /slow HTTP/1.1\r\nHost: h\r\n").expect("the gateway reads");
    let text = String::from_utf8_lossy(&connection.read_to_close()).into_owned();
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 408 "), "{text}");
}

#[test]
fn an_idle_connection_is_closed_after_the_keepalive_timeout() {
    let upstream = FakeUpstream::fixed("ok");
    let gateway = Gateway::with(Settings::new().set("nginx_config.http.keepalive_timeout", json!("1s")));
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    let mut connection = gateway.connect();
    assert_eq!(connection.exchange("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
    assert!(connection.read_to_close().is_empty());
}

#[test]
fn a_stale_upstream_connection_is_replaced_unseen() {
    let (gateway, upstream) = echo();
    for round in 0..20 {
        assert_eq!(gateway.get("/x").status, 200, "round {round}");
        upstream.close_connections();
    }
}

#[test]
fn the_request_after_an_error_is_served_on_the_same_connection() {
    let (gateway, _upstream) = echo();
    gateway.put("/routes/1", json!({"uri": "/found", "plugins": {}}));
    let mut connection = gateway.connect();
    assert_eq!(connection.exchange("GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n").status, 404);
    assert_eq!(connection.exchange("GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n").status, 404);
    let reply = connection.exchange("POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(reply.status, 404);
}
