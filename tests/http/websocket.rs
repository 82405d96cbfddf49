//! WebSocket: a route that allows it passes the hand-shake on, and then every byte (`enable_websocket`).

use lockgate_tests::{Connection, FakeUpstream, Gateway};
use serde_json::{Value, json};

const ASK: &str = "GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// An upstream that goes over to WebSocket and sends back what it gets, until the client ends; to whoever does not
/// ask it says so.
fn upstream() -> FakeUpstream {
    FakeUpstream::raw(|_, mut connection| {
        let Ok(Some(head)) = connection.read_head() else { return };
        if !head.get("Upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket")) {
            let _ = connection.answer("426 Upgrade Required", &[], "");
            return;
        }
        assert_eq!(head.get("Connection"), Some("upgrade"));
        assert_eq!(head.get("Sec-WebSocket-Version"), Some("13"));
        let _ = connection.send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        );
        while let Ok(byte) = connection.read_exact(1) {
            let _ = connection.send(byte);
        }
        connection.close();
    })
}

fn ask(route: Value) -> (Gateway, FakeUpstream, Connection) {
    let (gateway, upstream) = (Gateway::start(), upstream());
    gateway.put("/services/s", json!({"enable_websocket": true}));
    gateway.route("1", route, &upstream.node());
    let mut connection = gateway.connect();
    connection.send(ASK).expect("the gateway reads");
    (gateway, upstream, connection)
}

#[test]
fn a_route_that_allows_it_passes_every_byte() {
    for route in
        [json!({"uri": "/chat", "enable_websocket": true}), json!({"uri": "/chat", "service_id": "s"})]
    {
        let (_gateway, _upstream, mut connection) = ask(route);
        let head = connection.read_head().expect("an answer").expect("not closed");
        assert!(head.start.starts_with("HTTP/1.1 101 "), "{}", head.start);
        assert_eq!(head.get("Upgrade"), Some("WebSocket"));
        assert_eq!(head.get("Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        connection.send(b"\x81\x05Hello").expect("the gateway reads");
        assert_eq!(connection.read_exact(7).expect("the same back"), b"\x81\x05Hello");
        connection.finish();
        assert!(connection.read_to_close().is_empty());
    }
}

#[test]
fn a_route_that_does_not_allow_it_passes_an_ordinary_request() {
    let (_gateway, _upstream, mut connection) = ask(json!({"uri": "/chat"}));
    assert_eq!(connection.reply().status, 426);
}
