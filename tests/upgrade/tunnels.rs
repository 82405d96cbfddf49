//! A tunnel that is open while one gateway hands over to the next.

use lockgate_tests::wire::{DATA, END_HEADERS, END_STREAM, Frames, block, data, headers};
use lockgate_tests::{Connection, FakeUpstream, Settings};
use serde_json::json;

use crate::generations::Generations;

const ASK: &str = "GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// An upstream that goes over and sends back what it gets until its client ends, then a last word.
fn upstream() -> FakeUpstream {
    FakeUpstream::raw(|_, mut connection| {
        if !matches!(connection.read_head(), Ok(Some(_))) {
            return;
        }
        let _ = connection.send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        );
        while let Ok(byte) = connection.read_exact(1) {
            let _ = connection.send(byte);
        }
        let _ = connection.send("bye");
        connection.close();
    })
}

fn gateways(upstream: &FakeUpstream) -> Generations {
    let gateways = Generations::start(Settings::new());
    gateways.first.route("1", json!({"uri": "/chat", "enable_websocket": true}), &upstream.node());
    gateways
}

fn echoes(tunnel: &mut Connection, text: &str) {
    tunnel.send(text).expect("the gateway reads");
    assert_eq!(tunnel.read_exact(text.len()).expect("the same back"), text.as_bytes());
}

#[test]
fn a_tunnel_goes_on_both_ways_across_upgrades_until_its_end() {
    let upstream = upstream();
    let mut gateways = gateways(&upstream);
    let mut tunnel = gateways.first.connect();
    tunnel.send(ASK).expect("the gateway reads");
    assert_eq!(tunnel.reply().status, 101);
    echoes(&mut tunnel, "before");
    for number in 0..2 {
        gateways.upgrade();
        let mut fresh = gateways.first.connect();
        fresh.send(ASK).expect("the next gateway reads");
        assert_eq!(fresh.reply().status, 101, "the next gateway has tunnels of its own");
        for _ in 0..50 {
            echoes(&mut tunnel, "behind upgrade");
            echoes(&mut fresh, "of the next one");
        }
        assert!(gateways.first.ended().is_none(), "it waits for the tunnel: upgrade {number}");
    }
    tunnel.finish();
    assert_eq!(tunnel.read_to_close(), b"bye", "what follows a half-close passes too");
    gateways.wait_for_first();
}

#[test]
fn a_tunnel_on_a_stream_of_http2_goes_on_across_an_upgrade() {
    let upstream = FakeUpstream::raw(|_, mut connection| {
        let Ok(Some(head)) = connection.read_head() else { return };
        let key = head.get("Sec-WebSocket-Key").unwrap_or_default();
        let script = "import base64,hashlib,sys\n\
                      key=sys.argv[1]+'258EAFA5-E914-47DA-95CA-C5AB0DC85B11'\n\
                      print(base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())";
        let output = std::process::Command::new("python3").args(["-c", script, key]).output();
        let accept = output.expect("python3 is installed (package python3)").stdout;
        let _ = connection.send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            String::from_utf8_lossy(&accept).trim()
        ));
        while let Ok(byte) = connection.read_exact(1) {
            let _ = connection.send(byte);
        }
        connection.close();
    });
    let mut gateways = gateways(&upstream);
    let mut client = Frames::open(&gateways.first);
    let connect = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", "/chat"),
        (":authority", "h"),
        ("sec-websocket-version", "13"),
    ];
    client.send(headers(1, END_HEADERS, block(&connect)));
    assert_eq!(client.status(1), 200);
    gateways.upgrade();
    for _ in 0..50 {
        client.send(data(1, 0, "x"));
        let echo = client.until("an echo", |frame| frame.kind == DATA);
        assert_eq!((echo.stream, echo.payload.as_slice()), (1, b"x".as_slice()));
    }
    assert!(gateways.first.ended().is_none(), "it waits for the tunnel");
    client.send(data(1, END_STREAM, ""));
    client.until("the end", |frame| frame.stream == 1 && frame.flags & END_STREAM != 0);
    drop(client);
    gateways.wait_for_first();
}
