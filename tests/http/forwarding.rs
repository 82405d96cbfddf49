//! What is forwarded and what stops here: hop-by-hop headers, forwarded headers, framing, trailers.

use lockgate_tests::{FakeUpstream, Gateway, Settings, Then, curl};
use serde_json::json;

fn answering(response: &'static str) -> (Gateway, FakeUpstream) {
    let upstream = FakeUpstream::start(move |_, connection| connection.send(response).map(|()| Then::Keep));
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    (gateway, upstream)
}

#[test]
fn an_expectation_is_passed_on_where_the_settings_say_so() {
    let upstream = FakeUpstream::raw(|_, mut connection| {
        let head = connection.read_head().expect("a head").expect("not closed");
        assert_eq!(head.get("Expect"), Some("100-continue"));
        let _ = connection.send("HTTP/1.1 100 Continue\r\n\r\n");
        let body = connection.read_exact(4).expect("the body");
        let _ = connection.answer("200 OK", &["Connection: close"], body);
    });
    let gateway = Gateway::with(Settings::new().set("lockgate.pass_expect", json!(true)));
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    let mut connection = gateway.connect();
    connection
        .send("POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        .expect("the gateway reads");
    let interim = connection.read_head().expect("an interim answer").expect("not closed");
    assert_eq!(interim.start, "HTTP/1.1 100 Continue");
    connection.send("body").expect("the gateway reads");
    assert_eq!(connection.reply().text(), "body");
}

#[test]
fn hop_by_hop_headers_of_a_request_stop_here() {
    let (gateway, upstream) = answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let headers = [
        "Connection: keep-alive, X-Hop",
        "X-Hop: 1",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "TE: gzip",
        "Upgrade: h2c",
        "X-Kept: 1",
    ];
    assert_eq!(gateway.request("GET", "/x", &headers, b"").status, 200);
    let head = upstream.next().head;
    for name in ["x-hop", "keep-alive", "proxy-connection", "upgrade"] {
        assert_eq!(head.get(name), None, "{name}");
    }
    assert_ne!(head.get("te"), Some("gzip"));
    assert_eq!(head.get("x-kept"), Some("1"));
}

#[test]
fn hop_by_hop_headers_of_a_response_stop_here() {
    let (gateway, _upstream) = answering(
        "HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Connection: keep-alive\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok",
    );
    let reply = gateway.get("/x");
    for name in ["x-hop", "keep-alive", "proxy-connection"] {
        assert_eq!(reply.get(name), None, "{name}");
    }
    assert_eq!(reply.head.all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(reply.text(), "ok");
}

#[test]
fn forwarded_headers_tell_the_upstream_who_called_and_how() {
    let (gateway, upstream) = answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    gateway.request("GET", "/x", &["Host: api.test:8080", "X-Forwarded-For: 192.0.2.7"], b"");
    let head = upstream.next().head;
    assert_eq!(head.get("x-forwarded-for"), Some("192.0.2.7, 127.0.0.1"));
    assert_eq!(head.get("x-forwarded-proto"), Some("http"));
    assert_eq!(head.get("x-forwarded-host"), Some("api.test:8080"));
    assert_eq!(head.get("x-forwarded-port"), Some(gateway.proxy.port().to_string().as_str()));
    assert_eq!(head.get("x-real-ip"), Some("127.0.0.1"));
}

#[test]
fn names_that_are_taken_for_framing_or_for_the_gateways_own_stop_here() {
    let lookalikes =
        ["Content_Length: 9", "Transfer_Encoding: chunked", "X_Forwarded-For: 192.0.2.7", "X.Real.IP: ::7"];
    let others = ["X_Custom: 1", "Content_Type: a", "X_Api_Key: k"];
    let name = |line: &str| line.split_once(": ").expect("a field").0.to_owned();
    let headers = [&lookalikes[..], &others].concat();
    for passes in [false, true] {
        let upstream = FakeUpstream::fixed("ok");
        let gateway =
            Gateway::with(Settings::new().set("lockgate", json!({"pass_lookalike_headers": passes})));
        gateway.route("1", json!({"uri": "/*"}), &upstream.node());
        assert_eq!(gateway.request("POST", "/x", &headers, b"body").status, 200);
        let url = gateway.url("/x");
        let mut command = vec!["--http2-prior-knowledge", &url];
        command.extend(headers.iter().flat_map(|line| ["-H", line]));
        assert_eq!(curl(&command).output, "ok");
        for received in [upstream.next(), upstream.next()] {
            for line in lookalikes {
                assert_eq!(received.head.get(&name(line)).is_some(), passes, "{line} of {:?}", received.head);
            }
            for line in others {
                assert!(received.head.get(&name(line)).is_some(), "{line} of {:?}", received.head);
            }
        }
    }
}

#[test]
fn the_server_header_names_lockgate_once() {
    let (gateway, _upstream) = answering("HTTP/1.1 200 OK\r\nServer: inner\r\nContent-Length: 0\r\n\r\n");
    let reply = gateway.get("/x");
    let servers = reply.head.all("server");
    assert!(servers.len() == 1 && servers[0].starts_with("lockgate/"), "{servers:?}");
}

#[test]
fn responses_without_a_body_have_none() {
    let cases = [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 200),
        ("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", 204),
        ("GET", "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nContent-Length: 1000\r\n\r\n", 304),
    ];
    for (method, response, status) in cases {
        let (gateway, _upstream) = answering(response);
        let mut connection = gateway.connect();
        for _ in 0..2 {
            let reply = connection.exchange(format!("{method} /x HTTP/1.1\r\nHost: h\r\n\r\n"));
            assert_eq!(reply.status, status, "{method} {response}");
        }
    }
    let (gateway, _upstream) = answering("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    let reply = gateway.connect().exchange("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(
        reply.get("content-length"),
        Some("1000"),
        "HEAD keeps the length of the answer it stands for"
    );
}

#[test]
fn a_204_has_neither_length_nor_coding() {
    let (gateway, _upstream) = answering("HTTP/1.1 204 No Content\r\n\r\n");
    let reply = gateway.get("/x");
    assert_eq!((reply.get("content-length"), reply.get("transfer-encoding")), (None, None));
}

#[test]
fn chunked_bodies_and_trailers_pass_both_ways() {
    let (gateway, upstream) = answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n",
    );
    let reply = gateway.connect().exchange(
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n2\r\nde\r\n0\r\nX-End: 1\r\n\r\n",
    );
    assert_eq!(reply.text(), "abc");
    assert_eq!(reply.trailers, [("X-Sum".to_owned(), "6".to_owned())]);
    let request = upstream.next();
    assert_eq!(request.text(), "de");
    assert_eq!(request.trailers, [("X-End".to_owned(), "1".to_owned())]);
}

#[test]
fn trailers_cannot_bring_framing_or_routing_headers() {
    let (gateway, upstream) = answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    for line in [
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
        "Host: evil",
        "X-Api-Key: k",
        "Authorization: x",
        "Content_Length: 5",
    ] {
        let mut connection = gateway.connect();
        let request =
            format!("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{line}\r\n\r\n");
        connection.send(request).expect("the gateway reads");
        let reply = connection.reply();
        if reply.status == 200 {
            assert!(upstream.next().trailers.is_empty(), "{line}");
        } else {
            assert_eq!(reply.status, 400, "{line}");
        }
    }
}

#[test]
fn expect_100_continue_is_answered_here() {
    let (gateway, upstream) = answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let mut connection = gateway.connect();
    connection
        .send("POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        .expect("the gateway reads");
    let interim = connection.read_head().expect("an answer").expect("not closed");
    assert!(interim.start.starts_with("HTTP/1.1 100"), "{}", interim.start);
    connection.send("body").expect("the gateway reads");
    assert_eq!(connection.reply().status, 200);
    let request = upstream.next();
    assert_eq!((request.head.get("expect"), request.text().as_str()), (None, "body"));
}

#[test]
fn a_refused_upload_is_not_invited() {
    let gateway = Gateway::start();
    let mut connection = gateway.connect();
    connection
        .send("POST /nowhere HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        .expect("the gateway reads");
    let head = connection.read_head().expect("an answer").expect("not closed");
    assert!(head.start.starts_with("HTTP/1.1 404"), "{}", head.start);
}

#[test]
fn a_body_over_client_max_body_size_is_refused_with_413() {
    let upstream = FakeUpstream::fixed("ok");
    let gateway = Gateway::with(Settings::new().set("nginx_config.http.client_max_body_size", json!("1k")));
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    assert_eq!(gateway.request("POST", "/x", &[], &[b'a'; 1024]).status, 200);
    assert_eq!(gateway.request("POST", "/x", &[], &[b'a'; 1025]).status, 413);
    let mut connection = gateway.connect();
    let chunk = "a".repeat(2048);
    let _ = connection.send(format!(
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n{chunk}\r\n0\r\n\r\n"
    ));
    assert_eq!(connection.reply().status, 413);
}

#[test]
fn an_unknown_method_and_a_strange_reason_are_passed_on() {
    let (gateway, upstream) = answering("HTTP/1.1 299 All Is Well\r\nContent-Length: 0\r\n\r\n");
    let reply = gateway.request("PURGE", "/x", &[], b"");
    assert_eq!(reply.status, 299);
    assert_eq!(upstream.next().method(), "PURGE");
}
