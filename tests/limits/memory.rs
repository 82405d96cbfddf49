//! What connections cost: little memory where they are idle, a bounded amount where they are slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lockgate_tests::wire::{Frames, HEADERS, get};
use lockgate_tests::{Connection, FakeUpstream, Gateway, Settings, Then, eventually};
use serde_json::json;

const REQUEST: &str = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";

/// For so long nothing more may come before a stream counts as stalled.
const STILL: Duration = Duration::from_millis(500);

#[test]
fn an_idle_connection_costs_a_few_kilobytes() {
    const MANY: u64 = 500;
    let upstream = FakeUpstream::fixed("ok");
    let gateway = Gateway::with(Settings::new().set("nginx_config.http.access_log", json!("/dev/null")));
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    let open = || {
        let mut connection = gateway.connect();
        assert_eq!(connection.exchange(REQUEST).status, 200);
        connection
    };
    // The pools of the worker have what one request needs.
    let _warm: Vec<Connection> = (0..50).map(|_| open()).collect();
    let before = gateway.process().resident();
    let mut idle: Vec<Connection> = (0..MANY).map(|_| open()).collect();
    let cost = gateway.process().resident().saturating_sub(before);
    assert!(cost <= 8 * MANY, "{MANY} idle connections cost {cost} KiB");
    for connection in &mut idle {
        assert_eq!(connection.exchange(REQUEST).status, 200, "they are still served");
    }
    let cost = gateway.process().resident().saturating_sub(before);
    assert!(cost <= 8 * MANY, "{MANY} connections that were used again cost {cost} KiB");
}

/// An upstream that sends bodies without an end, and what it has sent.
fn large() -> (FakeUpstream, Arc<AtomicU64>) {
    let sent = Arc::<AtomicU64>::default();
    let count = sent.clone();
    let upstream = FakeUpstream::start(move |_, connection| {
        connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 1_u64 << 32))?;
        let piece = vec![b'x'; 1 << 16];
        loop {
            if connection.send(&piece).is_err() {
                return Ok(Then::Close);
            }
            count.fetch_add(1 << 16, Ordering::SeqCst);
        }
    });
    (upstream, sent)
}

/// Waits until the upstream can send no more.
fn is_still(sent: &AtomicU64) {
    let (mut before, mut since) = (0, Instant::now());
    eventually("the upstream should be held back", || {
        let now = sent.load(Ordering::SeqCst);
        if now != before {
            (before, since) = (now, Instant::now());
        }
        (now > 0 && since.elapsed() > STILL).then_some(())
    });
}

const MOST: u64 = 32 << 10;

#[test]
fn slow_readers_of_large_bodies_hold_back_their_upstreams() {
    let (upstream, sent) = large();
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    let before = gateway.process().resident();
    let mut slow: Vec<Connection> = (0..64).map(|_| gateway.connect()).collect();
    for connection in &mut slow {
        connection.send(REQUEST).expect("the gateway reads");
        let head = connection.read_head().expect("an answer").expect("not closed");
        assert!(head.start.starts_with("HTTP/1.1 200 "), "{}", head.start);
    }
    is_still(&sent);
    let cost = gateway.process().resident().saturating_sub(before);
    assert!(cost <= MOST, "64 slow readers cost {cost} KiB");
}

#[test]
fn slow_streams_of_http2_hold_back_their_upstreams() {
    let (upstream, sent) = large();
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    let before = gateway.process().resident();
    let mut slow: Vec<Frames> = (0..8).map(|_| Frames::open(&gateway)).collect();
    for client in &mut slow {
        client.send((0..8).flat_map(|number| get(2 * number + 1)).collect::<Vec<u8>>());
        for _ in 0..8 {
            assert_eq!(client.until("an answer", |frame| frame.kind == HEADERS).status(), 200);
        }
    }
    is_still(&sent);
    let cost = gateway.process().resident().saturating_sub(before);
    assert!(cost <= MOST, "64 slow streams cost {cost} KiB");
}
