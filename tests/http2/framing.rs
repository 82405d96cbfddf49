//! RFC 9113 §3.4 to §4.3: how a connection begins, frames and field blocks.

use crate::bench::Bench;
use crate::sequences::{Then, begun_get};
use lockgate_tests::wire::*;

#[test]
fn a_connection_begins_with_preface_and_settings() {
    let bench = Bench::new();
    let starts = [
        ("a preface with another last word", b"PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n".to_vec()),
        ("a preface of HTTP/2.1", b"PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n".to_vec()),
        ("a preface in lower case", b"pri * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
    ];
    for (what, start) in starts {
        let mut client = Frames::bare(&bench.gateway);
        client.send([start, settings([]), get(1)].concat());
        let text = String::from_utf8_lossy(&client.bytes()).into_owned();
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 "), "§3.4: {what}: {text}");
        bench.has_nothing(what);
    }
    let closed = || Then::Closed(&[code::PROTOCOL]);
    let firsts = [
        ("a request before the settings", [get(1), settings([])].concat(), begun_get(closed())),
        ("an acknowledgement before the settings", frame(SETTINGS, ACK, 0, []), closed()),
        ("a ping before the settings", ping(0), closed()),
        ("an unknown frame before the settings", frame(0x42, 0, 0, "x"), closed()),
    ];
    for (what, first, then) in firsts {
        let mut client = Frames::bare(&bench.gateway);
        client.send(PREFACE);
        client.send(first);
        bench.check(&format!("§3.4: {what}"), &mut client, &then);
    }
}

#[test]
fn bytes_that_come_one_by_one_mean_the_same() {
    let bench = Bench::new();
    let mut client = Frames::bare(&bench.gateway);
    let body = [data(1, 0, "ab"), frame(DATA, END_STREAM | PADDED, 1, b"\x02cd\0\0")].concat();
    client.send_byte_by_byte([PREFACE, &settings([]), &post(1), &body].concat());
    let answer = client.until("§3.4: byte by byte", |frame| frame.kind == HEADERS);
    assert_eq!(answer.status(), 200);
    let received = bench.upstream.next();
    assert_eq!(received.text(), "abcd");
}
