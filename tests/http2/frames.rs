//! RFC 9113 §6: each kind of frame, and the settings and windows that it changes.

use crate::bench::{Bench, Then, forwarded};
use crate::wire::*;

const PROTOCOL: Then = Then::Closed(&[code::PROTOCOL]);
const FRAME_SIZE: Then = Then::Closed(&[code::FRAME_SIZE, code::PROTOCOL]);
const FLOW_CONTROL: Then = Then::Closed(&[code::FLOW_CONTROL, code::PROTOCOL]);

#[test]
fn data_and_heads_keep_to_their_form() {
    let bench = Bench::new();
    let padded =
        |padding: u8, text: &str| frame(DATA, END_STREAM | PADDED, 1, [&[padding], text.as_bytes()].concat());
    let padded_head = [&[3], block(&GET).as_slice(), &[0, 0, 0]].concat();
    let chunked = "Host: h\r\n@\r\nTransfer-Encoding: chunked\r\n";
    bench.play(vec![
        ("6.1", "data on stream 0", data(0, 0, "x"), PROTOCOL),
        ("6.1", "padding as long as the frame", [post(1), padded(5, "abcd")].concat(), PROTOCOL),
        ("6.1", "padding longer than the frame", [post(1), padded(200, "abcd")].concat(), PROTOCOL),
        ("6.1", "padding without its length", [post(1), frame(DATA, PADDED, 1, [])].concat(), FRAME_SIZE),
        (
            "6.1",
            "padding that is right",
            [post(1), padded(2, "ab\0\0")].concat(),
            forwarded("POST /p", chunked, "2\r\nab\r\n0\r\n\r\n"),
        ),
        ("6.2", "padding longer than the head", headers(1, WHOLE | PADDED, [200, 0x82]), PROTOCOL),
        (
            "6.2",
            "a padded head",
            headers(1, WHOLE | PADDED, padded_head),
            forwarded("GET /p", "Host: h\r\n@\r\n", ""),
        ),
        ("6.2", "a priority cut short", headers(1, WHOLE | WITH_PRIORITY, [0, 0, 0]), FRAME_SIZE),
    ]);
}

#[test]
fn priorities_resets_and_pings_have_one_length() {
    let bench = Bench::new();
    bench.play(vec![
        ("6.3", "a priority on stream 0", frame(PRIORITY, 0, 0, [0, 0, 0, 0, 1]), PROTOCOL),
        (
            "6.3",
            "a priority of four bytes",
            frame(PRIORITY, 0, 1, [0; 4]),
            Then::Reset(1, &[code::FRAME_SIZE, code::PROTOCOL]),
        ),
        ("6.4", "a reset of stream 0", reset(0, code::CANCEL), PROTOCOL),
        ("6.4", "a reset of three bytes", [post(1), frame(RST_STREAM, 0, 1, [0; 3])].concat(), FRAME_SIZE),
        (
            "6.6",
            "a promise",
            [post(1), frame(PUSH_PROMISE, END_HEADERS, 1, [0, 0, 0, 2, 0x82])].concat(),
            PROTOCOL,
        ),
        ("6.7", "a ping on a stream", frame(PING, 0, 1, b"lockgate"), PROTOCOL),
        ("6.7", "a ping of six bytes", frame(PING, 0, 0, [0; 6]), FRAME_SIZE),
        ("6.7", "an answer to no ping", ping(ACK), Then::Ignored),
        ("6.8", "a farewell on a stream", frame(GOAWAY, 0, 1, [0; 8]), PROTOCOL),
        ("6.8", "a farewell of seven bytes", frame(GOAWAY, 0, 0, [0; 7]), FRAME_SIZE),
    ]);
}

#[test]
fn settings_are_within_their_bounds() {
    let bench = Bench::new();
    let one = |id, value| settings(setting(id, value));
    bench.play(vec![
        ("6.5", "settings on a stream", frame(SETTINGS, 0, 1, []), PROTOCOL),
        ("6.5", "settings of five bytes", settings([0; 5]), FRAME_SIZE),
        ("6.5", "an acknowledgement with settings", frame(SETTINGS, ACK, 0, setting(3, 1)), FRAME_SIZE),
        ("6.5", "an acknowledgement of nothing", frame(SETTINGS, ACK, 0, []), PROTOCOL),
        ("6.5.2", "pushes by halves", one(2, 2), PROTOCOL),
        ("6.5.2", "a window of two gigabytes", one(4, 1 << 31), FLOW_CONTROL),
        ("6.5.2", "frames smaller than allowed", one(5, 16_383), PROTOCOL),
        ("6.5.2", "frames larger than allowed", one(5, 1 << 24), PROTOCOL),
        (
            "6.5.2",
            "the largest of each",
            [one(4, (1 << 31) - 1), one(5, (1 << 24) - 1)].concat(),
            Then::Ignored,
        ),
    ]);
}

#[test]
fn settings_and_pings_are_answered_in_order() {
    let bench = Bench::new();
    let mut client = bench.client();
    client.until("§6.5.3: the first acknowledgement", |frame| frame.kind == SETTINGS && frame.flags == ACK);
    client.send([settings(setting(4, 10)), ping(0), settings([])].concat());
    for (kind, payload) in [(SETTINGS, b"".as_slice()), (PING, b"lockgate"), (SETTINGS, b"")] {
        let answer = client.until("§6.7: an answer", |frame| frame.kind != WINDOW_UPDATE);
        assert_eq!((answer.kind, answer.flags, answer.payload.as_slice()), (kind, ACK, payload));
    }
}

#[test]
fn a_client_that_says_farewell_still_gets_its_answers() {
    let bench = Bench::new();
    let mut client = bench.client();
    client.send([get(1), frame(GOAWAY, 0, 0, [0; 8])].concat());
    assert_eq!(client.status(1), 200, "§6.8");
    client.finish();
    assert_eq!(bench.upstream.next().target(), "/p");
}

#[test]
fn windows_only_grow_within_bounds() {
    let bench = Bench::new();
    let max = (1 << 31) - 1;
    bench.play(vec![
        ("6.9", "a window update of three bytes", frame(WINDOW_UPDATE, 0, 0, [0; 3]), FRAME_SIZE),
        ("6.9", "nothing granted to the connection", window(0, 0), PROTOCOL),
        (
            "6.9",
            "nothing granted to a stream",
            [post(1), window(1, 0)].concat(),
            Then::Reset(1, &[code::PROTOCOL]),
        ),
        ("6.9.1", "more than a window holds, for the connection", window(0, max), FLOW_CONTROL),
        (
            "6.9.1",
            "more than a window holds, for a stream",
            [post(1), window(1, max)].concat(),
            Then::Reset(1, &[code::FLOW_CONTROL]),
        ),
        (
            "6.9.2",
            "settings that burst a window",
            [post(1), window(1, 1000), settings(setting(4, max))].concat(),
            FLOW_CONTROL,
        ),
    ]);
}

#[test]
fn an_answer_takes_no_more_than_the_window() {
    let bench = Bench::new();
    let mut client = Client::bare(&bench.gateway);
    client.send([PREFACE, &settings(setting(4, 1)), &get(1)].concat());
    let first = client.until("§6.9.1: one byte", |frame| frame.kind == DATA);
    assert_eq!(first.payload, b"o");
    client.send(ping(0));
    let next = client.until("§6.9.1: nothing but the ping", |frame| matches!(frame.kind, DATA | PING));
    assert_eq!(next.kind, PING, "{next:?}");
    // RFC 9113 §6.9.2: a window may become negative, and has to be made good for.
    client.send([settings(setting(4, 0)), ping(0)].concat());
    client.until("§6.9.2: the window is -1", |frame| frame.kind == PING);
    client.send([window(1, 1), ping(0)].concat());
    let next = client.until("§6.9.2: the window is 0", |frame| matches!(frame.kind, DATA | PING));
    assert_eq!(next.kind, PING, "{next:?}");
    client.send(window(1, 1));
    let second = client.until("§6.9.2: one byte more", |frame| frame.kind == DATA);
    assert_eq!(second.payload, b"k");
    assert_eq!(bench.upstream.next().target(), "/p");
}
