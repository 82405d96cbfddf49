//! RFC 9113 §4: frames and field blocks.

use lockgate_tests::wire::*;

use super::{Case, Then, begun_get, begun_in_chunks, forwarded};

/// A GET as it arrives upstream.
fn plain() -> Then {
    forwarded("GET /p", "Host: h\r\n@\r\n", "")
}

pub(crate) fn unknown() -> Vec<Case> {
    let reserved = {
        let mut bytes = get(1);
        bytes[5] |= 0x80;
        bytes
    };
    vec![
        ("9113 §4.1", "an unknown kind of frame", [frame(0x42, 0xff, 0, "abc"), get(1)].concat(), plain()),
        ("9113 §4.1", "an unknown kind on a stream", [frame(0xff, 0, 7, "abc"), get(1)].concat(), plain()),
        ("9113 §4.1", "unknown flags", [frame(PING, 0xfe, 0, b"lockgate"), get(1)].concat(), plain()),
        ("9113 §4.1", "a reserved bit before the stream", reserved, plain()),
        ("9113 §5.5", "an unknown setting", [settings(setting(0xff, 1)), get(1)].concat(), plain()),
        // In one write: a farewell while no stream is open may end the connection.
        (
            "9113 §7",
            "an unknown error code",
            [frame(GOAWAY, 0, 0, [0, 0, 0, 0, 0, 0, 9, 9]), get(1)].concat(),
            plain(),
        ),
    ]
}

pub(crate) fn sizes() -> Vec<Case> {
    let largest = "x".repeat(16_384);
    let body = format!("4000\r\n{largest}\r\n0\r\n\r\n");
    let fields = "Host: h\r\n@\r\nTransfer-Encoding: chunked\r\n";
    vec![
        (
            "9113 §4.2",
            "the largest frame of data",
            [post(1), data(1, END_STREAM, &largest)].concat(),
            forwarded("POST /p", fields, &body),
        ),
        (
            "9113 §4.2",
            "a frame of data one byte too long",
            [post(1), data(1, END_STREAM, "x".repeat(16_385))].concat(),
            begun_in_chunks(Then::Reset(1, &[code::FRAME_SIZE]), ""),
        ),
        (
            "9113 §4.2",
            "a head one byte too long",
            headers(1, WHOLE, with(&GET, &[("x", &"x".repeat(16_385))])),
            Then::Closed(&[code::FRAME_SIZE]),
        ),
        (
            "9113 §4.2",
            "a frame of 64 kB of an unknown kind",
            frame(0x42, 0, 0, vec![0; 0x1_0000]),
            Then::Closed(&[code::FRAME_SIZE]),
        ),
    ]
}

pub(crate) fn field_blocks() -> Vec<Case> {
    // RFC 9113 §4.3 names COMPRESSION_ERROR; the `h2` crate says PROTOCOL_ERROR.
    const BROKEN: Then = Then::Closed(&[code::COMPRESSION, code::PROTOCOL]);
    let end = |tail: &[u8]| headers(1, WHOLE, [block(&GET), tail.to_vec()].concat());
    vec![
        ("9113 §4.3", "index zero", end(&[0x80]), BROKEN),
        ("9113 §4.3", "an index beyond both tables", end(&[0xbf]), BROKEN),
        ("9113 §4.3", "an index without end", end(&[0xff; 12]), BROKEN),
        ("9113 §4.3", "a field cut short", end(b"\0\x05abc"), BROKEN),
        ("9113 §4.3", "a name without a value", end(b"\0\x01a"), BROKEN),
        ("9113 §4.3", "a table larger than granted", end(&[0x3f, 0xe2, 0x1f]), BROKEN),
        ("9113 §4.3", "a table resized behind a field", end(&[0x20]), BROKEN),
        ("9113 §4.3", "padding of eight bits", end(b"\0\x01a\x82\x1f\xff"), BROKEN),
        ("9113 §4.3", "padding that is not of ones", end(b"\0\x01a\x81\x18"), BROKEN),
        ("9113 §4.3", "the end symbol inside a text", end(b"\0\x01a\x84\xff\xff\xff\xff"), BROKEN),
    ]
}

pub(crate) fn parts() -> Vec<Case> {
    const BROKEN: Then = Then::Closed(&[code::PROTOCOL]);
    let open = headers(1, END_STREAM, block(&GET));
    let then = |frame: Vec<u8>| [open.clone(), frame].concat();
    let end = |stream| frame(CONTINUATION, END_HEADERS, stream, field("a", "b"));
    vec![
        (
            "9113 §4.3",
            "a priority between the parts of a head",
            then(frame(PRIORITY, 0, 1, [0, 0, 0, 0, 1])),
            BROKEN,
        ),
        ("9113 §4.3", "data between the parts of a head", then(data(1, 0, "x")), BROKEN),
        ("9113 §4.3", "another head between the parts of a head", then(get(3)), BROKEN),
        ("9113 §4.3", "a reset between the parts of a head", then(reset(1, code::CANCEL)), BROKEN),
        ("9113 §4.3", "settings between the parts of a head", then(settings([])), BROKEN),
        ("9113 §4.3", "a ping between the parts of a head", then(ping(0)), BROKEN),
        ("9113 §4.3", "a window update between the parts of a head", then(window(0, 1)), BROKEN),
        ("9113 §5.5", "an unknown frame between the parts of a head", then(frame(0x42, 0, 1, "x")), BROKEN),
        ("9113 §6.10", "a continuation of another stream", then(end(3)), BROKEN),
        ("9113 §6.10", "a continuation of no stream", then(end(0)), BROKEN),
        (
            "9113 §6.10",
            "a continuation of nothing",
            [get(1), end(1)].concat(),
            begun_get(Then::Reset(1, &[code::PROTOCOL])),
        ),
        (
            "9113 §6.10",
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
    ]
}
