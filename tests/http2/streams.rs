//! RFC 9113 §5: what may come on a stream, and when.

use lockgate_tests::{FakeUpstream, Gate, Gateway, Settings, Then as Goes};
use serde_json::json;

use crate::bench::Bench;
use crate::sequences::Then;
use lockgate_tests::wire::*;

/// A gateway whose upstream keeps every request waiting, so that streams stay as they are.
fn held(part: impl FnOnce(&Gateway, &FakeUpstream)) {
    let gate = Gate::new();
    let wait = gate.clone();
    let upstream = FakeUpstream::start(move |request, connection| {
        if request.target() == "/p" {
            wait.pass();
        }
        connection.answer("200 OK", &[], "ok").map(|()| Goes::Keep)
    });
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    part(&gateway, &upstream);
    gate.open();
}

/// Opens stream 1 with these bytes, sends more, and wants the end of the stream or of the connection.
fn ends(what: &str, first: &[u8], more: &[u8], codes: &[u32]) {
    held(|gateway, _| {
        let mut client = Frames::open(gateway);
        client.send([first, more].concat());
        let frame = client.until(what, |frame| matches!(frame.kind, RST_STREAM | GOAWAY));
        let code = if frame.kind == GOAWAY { frame.number(4) } else { frame.number(0) };
        assert!(codes.contains(&code), "§5.1: {what}: {frame:?}");
    });
}

#[test]
fn a_stream_that_the_client_has_ended_takes_no_more() {
    // The section names STREAM_CLOSED; the `h2` crate ends the connection with PROTOCOL_ERROR.
    let gone = [code::STREAM_CLOSED, code::PROTOCOL];
    ends("data behind the end", &get(1), &data(1, END_STREAM, "x"), &gone);
    ends("a head behind the end", &get(1), &get(1), &gone);
    ends(
        "data behind the end of data",
        &[post(1), data(1, END_STREAM, "x")].concat(),
        &data(1, 0, "y"),
        &gone,
    );
    let trailers = [post(1), headers(1, WHOLE, field("a", "b"))].concat();
    ends("data behind the trailers", &trailers, &data(1, END_STREAM, "y"), &gone);
    ends("a continuation behind the end", &get(1), &frame(CONTINUATION, 4, 1, []), &[code::PROTOCOL]);
}

#[test]
fn a_stream_that_the_client_has_reset_takes_no_more() {
    let reset = [get(1), reset(1, code::CANCEL)].concat();
    let codes = [code::STREAM_CLOSED, code::PROTOCOL];
    ends("data behind a reset", &reset, &data(1, END_STREAM, "x"), &codes);
    ends("a head behind a reset", &reset, &get(1), &codes);
    ends("a continuation behind a reset", &reset, &frame(CONTINUATION, 4, 1, []), &[code::PROTOCOL]);
}

#[test]
fn a_stream_that_was_answered_takes_no_more() {
    let bench = Bench::new();
    for (what, bytes) in [("data", data(1, END_STREAM, "x")), ("a head", get(1))] {
        let mut client = bench.client();
        client.send(get(1));
        client.until("the end of the answer", |frame| frame.stream == 1 && frame.flags & END_STREAM != 0);
        assert_eq!(bench.upstream.next().target(), "/p");
        bench.skip();
        client.send(bytes);
        let then = Then::Reset(1, &[code::STREAM_CLOSED, code::PROTOCOL]);
        bench.check(&format!("§5.1: {what} behind the answer"), &mut client, &then);
    }
}

#[test]
fn stream_identifiers_go_up() {
    held(|gateway, upstream| {
        let mut client = Frames::open(gateway);
        client.send([get(5), get(3)].concat());
        let frame = client.until("§5.1.1: a lower stream", |frame| frame.kind == GOAWAY);
        assert_eq!(frame.number(4), code::PROTOCOL);
        assert!(upstream.pending().len() <= 1);
    });
}

#[test]
fn more_streams_than_granted_are_refused_and_nothing_is_executed() {
    let gate = Gate::new();
    let wait = gate.clone();
    let upstream = FakeUpstream::start(move |_, connection| {
        wait.pass();
        connection.answer("200 OK", &[], "ok").map(|()| Goes::Keep)
    });
    let gateway =
        Gateway::with(Settings::new().set("nginx_config.http.http2_max_concurrent_streams", json!(4)));
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    let mut client = Frames::bare(&gateway);
    client.send([PREFACE, &settings([])].concat());
    let granted = client.until("the gateway's settings", |frame| frame.kind == SETTINGS && frame.flags == 0);
    assert!(granted.payload.chunks(6).any(|setting| setting == [0, 3, 0, 0, 0, 4]), "{granted:?}");
    let requests: Vec<u8> = (0..6).flat_map(|number| get(2 * number + 1)).collect();
    client.send(requests);
    for stream in [9, 11] {
        let refusal = client.until("§5.1.2: a refusal", |frame| frame.kind == RST_STREAM);
        assert_eq!((refusal.stream, refusal.number(0)), (stream, code::REFUSED));
    }
    for _ in 0..4 {
        upstream.next();
    }
    (0..5).for_each(|_| gate.open());
    for _ in 0..4 {
        assert_eq!(client.until("an answer", |frame| frame.kind == HEADERS).status(), 200);
    }
    client.send(get(13));
    assert_eq!(client.status(13), 200, "there is room again");
    upstream.next();
    assert!(upstream.pending().is_empty(), "what was refused was not executed");
}
