//! Ambiguous and broken responses of an upstream: never passed on as if they were whole.

use lockgate_tests::{FakeUpstream, Gateway, Then};
use serde_json::json;

fn behind(response: &'static [u8]) -> (Gateway, FakeUpstream) {
    let upstream = FakeUpstream::start(move |_, connection| connection.send(response).map(|()| Then::Close));
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    (gateway, upstream)
}

#[test]
fn a_response_with_unclear_framing_becomes_502() {
    let responses: [&[u8]; 9] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 2000 OK\r\nContent-Length: 3\r\n\r\nabc",
        b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
    ];
    let gateway = Gateway::start();
    for response in responses {
        let upstream =
            FakeUpstream::start(move |_, connection| connection.send(response).map(|()| Then::Close));
        gateway.route("1", json!({"uri": "/*"}), &upstream.node());
        let reply = gateway.get("/x");
        assert_eq!(reply.status, 502, "{}", String::from_utf8_lossy(response));
        assert!(reply.json()["error_msg"].is_string(), "{}", reply.text());
    }
}

/// Everything a client reads of the answer to a GET.
fn read_all(gateway: &Gateway) -> String {
    let mut connection = gateway.connect();
    connection.send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").expect("the gateway reads");
    let text = String::from_utf8_lossy(&connection.read_to_close()).into_owned();
    assert!(text.starts_with("HTTP/1.1 "), "a client is told something: {text:?}");
    text
}

#[test]
fn a_body_that_breaks_off_is_never_ended_as_if_it_were_whole() {
    let (gateway, _upstream) = behind(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    let text = read_all(&gateway);
    assert!(
        text.starts_with("HTTP/1.1 502") || (text.contains("abc") && !text.contains("0\r\n\r\n")),
        "{text}"
    );

    let (gateway, _upstream) = behind(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    let text = read_all(&gateway);
    let is_short = text.contains("Content-Length: 10") && text.ends_with("abc");
    assert!(text.starts_with("HTTP/1.1 502") || is_short, "{text}");
}

#[test]
fn garbage_in_a_chunked_body_ends_the_connection_without_a_last_chunk() {
    let (gateway, _upstream) =
        behind(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcXX\r\n0\r\n\r\n");
    let text = read_all(&gateway);
    assert!(text.starts_with("HTTP/1.1 502") || !text.contains("0\r\n\r\n"), "{text}");
}

#[test]
fn a_body_that_ends_with_its_connection_is_passed_on_whole() {
    let (gateway, _upstream) = behind(b"HTTP/1.1 200 OK\r\nX-Old: yes\r\n\r\nuntil the end");
    let reply = gateway.get("/x");
    assert_eq!((reply.status, reply.text().as_str()), (200, "until the end"));
    let (gateway, _upstream) = behind(b"HTTP/1.0 200 OK\r\n\r\nfrom 1.0");
    assert_eq!(gateway.get("/x").text(), "from 1.0");
}

#[test]
fn bytes_behind_a_response_are_not_taken_for_the_next_one() {
    let upstream = FakeUpstream::start(|request, connection| {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.target().len());
        let poison = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned";
        connection.send(format!("{answer}{}{poison}", request.target())).map(|()| Then::Keep)
    });
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    for number in 0..10 {
        let target = format!("/number-{number}");
        assert_eq!(gateway.get(&target).text(), target);
    }
}

#[test]
fn an_interim_response_does_not_end_the_exchange() {
    let (gateway, _upstream) = behind(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfinal",
    );
    let reply = gateway.get("/x");
    assert_eq!((reply.status, reply.text().as_str()), (200, "final"));
}
