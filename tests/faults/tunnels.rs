//! WebSocket whose either end is cut off behind any byte that follows the 101.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use lockgate_tests::{DEADLINE, Gateway};
use serde_json::json;

use crate::support::{End, Upstream, are_logged, connect, end, head, is_well, rest};

const GONE_OVER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
/// Two frames.
const FRAMES: &[u8] = b"\x81\x85\x01\x02\x03\x04Ig`ln\x81\x85\x01\x02\x03\x04Ig`ln";

/// An upstream that goes over and hands the connection out, and one that is well.
fn upstreams() -> (Upstream, Receiver<TcpStream>, Upstream) {
    let (sender, tunnels) = channel();
    let upstream = Upstream::start(move |mut socket| {
        if head(&mut socket).is_some() && socket.write_all(GONE_OVER.as_bytes()).is_ok() {
            let _ = sender.send(socket);
        }
    });
    let well = Upstream::start(|mut socket| {
        while head(&mut socket).is_some() {
            let _ = socket.write_all(crate::support::WELL.as_bytes());
        }
    });
    (upstream, tunnels, well)
}

fn gateway(upstream: &Upstream, well: &Upstream) -> Gateway {
    let gateway = Gateway::start();
    gateway.route("ws", json!({"uri": "/ws/*", "enable_websocket": true}), &upstream.address.to_string());
    gateway.route("well", json!({"uri": "/well"}), &well.address.to_string());
    gateway
}

/// Both ends of a new tunnel.
fn open(gateway: &Gateway, target: &str, tunnels: &Receiver<TcpStream>) -> (TcpStream, TcpStream) {
    let mut client = connect(gateway.proxy);
    let ask = format!(
        "GET {target} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    client.write_all(ask.as_bytes()).expect("the gateway reads");
    assert!(head(&mut client).is_some_and(|head| head.starts_with("HTTP/1.1 101 ")), "{target}");
    let upstream = tunnels.recv_timeout(DEADLINE).expect("the upstream went over");
    (client, upstream)
}

/// Sends some bytes on one end, cuts it off there, and reads the other to its end.
fn cut(mut from: TcpStream, mut to: TcpStream, count: usize, how: End, what: &str) {
    from.write_all(&FRAMES[..count]).expect("the gateway reads");
    if how == End::Close {
        end(from, how);
        let mut all = Vec::new();
        let read = to.read_to_end(&mut all);
        assert!(read.is_ok() && all == FRAMES[..count], "{what}: {read:?} {}", all.escape_ascii());
    } else {
        // A reset may overtake what was sent before it.
        let mut first = vec![0; count];
        to.read_exact(&mut first).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(first, &FRAMES[..count], "{what}");
        end(from, how);
        assert_eq!(rest(&mut to), "", "{what}");
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[test]
fn a_tunnel_that_either_end_cuts_off_at_any_byte_ends_at_the_other() {
    let (upstream, tunnels, well) = upstreams();
    let gateway = gateway(&upstream, &well);
    let mut asked = Vec::new();
    for (how, name) in [(End::Close, "close"), (End::Reset, "reset")] {
        for who in ["client", "upstream"] {
            for count in 0..=FRAMES.len() {
                let target = format!("/ws/{who}-{name}-{count}");
                let (client, upstream) = open(&gateway, &target, &tunnels);
                let (from, to) = if who == "client" { (client, upstream) } else { (upstream, client) };
                cut(from, to, count, how, &target);
                is_well(&mut connect(gateway.proxy), &target);
                asked.push(target);
            }
        }
    }
    are_logged(&gateway, &asked, &["101"]);
}
