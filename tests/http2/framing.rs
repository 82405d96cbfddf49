//! RFC 9113 §3.4 to §4.3: how a connection begins, frames and field blocks.

use crate::bench::{Bench, Then, forwarded};
use crate::wire::*;

/// A GET as it arrives upstream.
fn plain() -> Then {
    forwarded("GET /p", "Host: h\r\n@\r\n", "")
}

#[test]
fn a_connection_begins_with_preface_and_settings() {
    let bench = Bench::new();
    let starts = [
        ("a preface with another last word", b"PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n".to_vec()),
        ("a preface of HTTP/2.1", b"PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n".to_vec()),
        ("a preface in lower case", b"pri * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
    ];
    for (what, start) in starts {
        let mut client = Client::bare(&bench.gateway);
        client.send([start, settings([]), get(1)].concat());
        let text = String::from_utf8_lossy(&client.bytes()).into_owned();
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 "), "§3.4: {what}: {text}");
        bench.has_nothing(what);
    }
    let firsts = [
        ("a request before the settings", [get(1), settings([])].concat()),
        ("an acknowledgement before the settings", frame(SETTINGS, ACK, 0, [])),
        ("a ping before the settings", ping(0)),
        ("an unknown frame before the settings", frame(0x42, 0, 0, "x")),
    ];
    for (what, first) in firsts {
        let mut client = Client::bare(&bench.gateway);
        client.send(PREFACE);
        client.send(first);
        bench.check(&format!("§3.4: {what}"), &mut client, &Then::Closed(&[code::PROTOCOL]));
    }
}

#[test]
fn bytes_that_come_one_by_one_mean_the_same() {
    let bench = Bench::new();
    let mut client = Client::bare(&bench.gateway);
    let body = [data(1, 0, "ab"), frame(DATA, END_STREAM | PADDED, 1, b"\x02cd\0\0")].concat();
    client.send_byte_by_byte([PREFACE, &settings([]), &post(1), &body].concat());
    let answer = client.until("§3.4: byte by byte", |frame| frame.kind == HEADERS);
    assert_eq!(answer.status(), 200);
    let received = bench.upstream.next();
    assert_eq!(received.text(), "abcd");
}

#[test]
fn frames_of_unknown_kinds_and_flags_are_passed_over() {
    let bench = Bench::new();
    let reserved = {
        let mut bytes = get(1);
        bytes[5] |= 0x80;
        bytes
    };
    bench.play(vec![
        ("4.1", "an unknown kind of frame", [frame(0x42, 0xff, 0, "abc"), get(1)].concat(), plain()),
        ("4.1", "an unknown kind on a stream", [frame(0xff, 0, 7, "abc"), get(1)].concat(), plain()),
        ("4.1", "unknown flags", [frame(PING, 0xfe, 0, b"lockgate"), get(1)].concat(), plain()),
        ("4.1", "a reserved bit before the stream", reserved, plain()),
        ("5.5", "an unknown setting", [settings(setting(0xff, 1)), get(1)].concat(), plain()),
        (
            "7",
            "an unknown error code",
            [frame(GOAWAY, 0, 0, [0, 0, 0, 0, 0, 0, 9, 9])].concat(),
            Then::Ignored,
        ),
    ]);
}

#[test]
fn frames_keep_to_the_largest_size() {
    let bench = Bench::new();
    let largest = "x".repeat(16_384);
    let body = format!("4000\r\n{largest}\r\n0\r\n\r\n");
    let fields = "Host: h\r\n@\r\nTransfer-Encoding: chunked\r\n";
    bench.play(vec![
        (
            "4.2",
            "the largest frame of data",
            [post(1), data(1, END_STREAM, &largest)].concat(),
            forwarded("POST /p", fields, &body),
        ),
        (
            "4.2",
            "a frame of data one byte too long",
            [post(1), data(1, END_STREAM, "x".repeat(16_385))].concat(),
            Then::Reset(1, &[code::FRAME_SIZE]),
        ),
        (
            "4.2",
            "a head one byte too long",
            headers(1, WHOLE, with(&GET, &[("x", &"x".repeat(16_385))])),
            Then::Closed(&[code::FRAME_SIZE]),
        ),
        (
            "4.2",
            "a frame of sixteen megabytes",
            frame(0x42, 0, 0, vec![0; 0x1_0000]),
            Then::Closed(&[code::FRAME_SIZE]),
        ),
    ]);
}

#[test]
fn a_broken_field_block_ends_the_connection() {
    // RFC 9113 §4.3 names COMPRESSION_ERROR; the `h2` crate says PROTOCOL_ERROR.
    const BROKEN: Then = Then::Closed(&[code::COMPRESSION, code::PROTOCOL]);
    let bench = Bench::new();
    let end = |tail: &[u8]| headers(1, WHOLE, [block(&GET), tail.to_vec()].concat());
    bench.play(vec![
        ("4.3", "index zero", end(&[0x80]), BROKEN),
        ("4.3", "an index beyond both tables", end(&[0xbf]), BROKEN),
        ("4.3", "an index without end", end(&[0xff; 12]), BROKEN),
        ("4.3", "a field cut short", end(b"\0\x05abc"), BROKEN),
        ("4.3", "a name without a value", end(b"\0\x01a"), BROKEN),
        ("4.3", "a table larger than granted", end(&[0x3f, 0xe2, 0x1f]), BROKEN),
        ("4.3", "a table resized behind a field", end(&[0x20]), BROKEN),
        ("4.3", "padding of eight bits", end(b"\0\x01a\x82\x1f\xff"), BROKEN),
        ("4.3", "padding that is not of ones", end(b"\0\x01a\x81\x18"), BROKEN),
        ("4.3", "the end symbol inside a text", end(b"\0\x01a\x84\xff\xff\xff\xff"), BROKEN),
    ]);
}

#[test]
fn nothing_comes_between_the_parts_of_a_field_block() {
    const BROKEN: Then = Then::Closed(&[code::PROTOCOL]);
    let bench = Bench::new();
    let open = headers(1, END_STREAM, block(&GET));
    let then = |frame: Vec<u8>| [open.clone(), frame].concat();
    let end = |stream| frame(CONTINUATION, END_HEADERS, stream, field("a", "b"));
    bench.play(vec![
        ("4.3", "a priority", then(frame(PRIORITY, 0, 1, [0, 0, 0, 0, 1])), BROKEN),
        ("4.3", "data", then(data(1, 0, "x")), BROKEN),
        ("4.3", "another head", then(get(3)), BROKEN),
        ("4.3", "a reset", then(reset(1, code::CANCEL)), BROKEN),
        ("4.3", "settings", then(settings([])), BROKEN),
        ("4.3", "a ping", then(ping(0)), BROKEN),
        ("4.3", "a window update", then(window(0, 1)), BROKEN),
        ("5.5", "an unknown frame", then(frame(0x42, 0, 1, "x")), BROKEN),
        ("6.10", "a continuation of another stream", then(end(3)), BROKEN),
        ("6.10", "a continuation of no stream", then(end(0)), BROKEN),
        ("6.10", "a continuation of nothing", [get(1), end(1)].concat(), Then::Reset(1, &[code::PROTOCOL])),
        (
            "6.10",
            "a block in five parts",
            [
                headers(1, END_STREAM, block(&GET)),
                frame(CONTINUATION, 0, 1, field("a", "1")),
                frame(CONTINUATION, 0, 1, []),
                frame(CONTINUATION, 0, 1, b"\0\x01b"),
                frame(CONTINUATION, END_HEADERS, 1, b"\x012"),
            ]
            .concat(),
            forwarded("GET /p", "Host: h\r\na: 1\r\nb: 2\r\n@\r\n", ""),
        ),
    ]);
}
