//! RFC 9113 §10.5: what costs the gateway more than the client is counted, and ends the connection.

use lockgate_tests::{FakeUpstream, Gate, Gateway, Settings, Then as Goes};
use serde_json::json;

use crate::bench::Bench;
use crate::sequences::{Then, begun_in_chunks};
use lockgate_tests::wire::*;

#[test]
fn requests_pay_for_the_frames_that_come_with_them() {
    let bench = Bench::new();
    let mut client = bench.client();
    for number in 0..1000 {
        let stream = 2 * number + 1;
        client.send([get(stream), ping(0), window(stream, 10), window(0, 10), ping(0)].concat());
        assert_eq!(client.status(stream), 200, "request {number}");
        bench.upstream.next();
    }
    bench.skip();
    bench.has_nothing("an honest client");
}

#[test]
fn data_pays_for_the_windows_that_let_it_through() {
    let (gateway, upstream) = (Gateway::start(), FakeUpstream::fixed("x".repeat(24 << 20).leak()));
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    let mut client = Frames::open(&gateway);
    client.send(get(1));
    let mut received = 0;
    while received < 24 << 20 {
        let data = client.until("more data", |frame| frame.kind == DATA || frame.kind == GOAWAY);
        assert_eq!(data.kind, DATA, "§6.9: {data:?} after {received} bytes");
        let count = u32::try_from(data.payload.len()).expect("a frame is short");
        received += count;
        if count > 0 {
            client.send([window(1, count), window(0, count)].concat());
        }
    }
    upstream.next();
}

#[test]
fn requests_that_are_taken_back_are_counted() {
    for limit in [20, 256] {
        let bench = Bench::with(Settings::new().set("nginx_config.http.http2_max_resets", json!(limit)));
        let mut client = bench.client();
        for number in 0..400 {
            let stream = 2 * number + 1;
            client.send([get(stream), reset(stream, code::CANCEL)].concat());
        }
        let rest = client.rest();
        let last = rest.iter().rfind(|frame| frame.kind == GOAWAY).expect("CVE-2023-44487: a farewell");
        assert_eq!(last.number(4), code::CALM);
        assert!(bench.upstream.pending().len() <= limit + 1, "few of them were executed");
    }
}

#[test]
fn uploads_that_end_with_an_early_answer_are_not_counted() {
    let bench = Bench::with(Settings::new().set("nginx_config.http.http2_max_resets", json!(5)));
    let mut client = bench.client();
    let missing = block(&[(":method", "POST"), (":scheme", "http"), (":path", "*"), (":authority", "h")]);
    for number in 0..100 {
        let stream = 2 * number + 1;
        client.send(headers(stream, END_HEADERS, &missing));
        assert_eq!(client.status(stream), 400);
        client.send(reset(stream, code::CANCEL));
    }
    client.send(get(1001));
    assert_eq!(client.status(1001), 200);
    bench.upstream.next();
}

#[test]
fn streams_that_have_to_be_reset_are_counted() {
    let bench = Bench::new();
    let ways = [
        ("windows that burst", [post(1), window(1, (1 << 31) - 1)].concat()),
        (
            "bodies longer than they say",
            [headers(1, END_HEADERS, with(&POST, &[("content-length", "1")])), data(1, 0, "ab")].concat(),
        ),
        ("fields of a connection", headers(1, WHOLE, with(&GET, &[("connection", "x")]))),
    ];
    for (what, way) in ways {
        let mut client = bench.client();
        for number in 0..400_u32 {
            client.send(on_stream(&way, 2 * number + 1));
        }
        let rest = client.rest();
        let resets = rest.iter().filter(|frame| frame.kind == RST_STREAM).count();
        let last = rest.iter().rfind(|frame| frame.kind == GOAWAY);
        let last = last.unwrap_or_else(|| panic!("CVE-2025-8671: {what}: no farewell after {resets} resets"));
        assert_eq!(last.number(4), code::CALM, "{what}");
        assert!(resets <= 256, "{what}: {resets} resets");
    }
    bench.has_nothing_whole();
}

/// The same frames on another stream.
fn on_stream(frames: &[u8], stream: u32) -> Vec<u8> {
    let (mut out, mut rest) = (frames.to_vec(), 0);
    while rest < out.len() {
        let length = u32::from_be_bytes([0, out[rest], out[rest + 1], out[rest + 2]]) as usize;
        out[rest + 5..rest + 9].copy_from_slice(&stream.to_be_bytes());
        rest += 9 + length;
    }
    out
}

#[test]
fn a_head_or_a_client_that_stalls_is_not_waited_for() {
    let brief = Settings::new()
        .set("nginx_config.http.client_header_timeout", json!("200ms"))
        .set("nginx_config.http.keepalive_timeout", json!("10s"));
    let bench = Bench::with(brief);
    let whole = get(1);
    let halves = [
        ("a head without its end", headers(1, END_STREAM, block(&GET))),
        ("half a frame of a head", whole[..whole.len() - 3].to_vec()),
    ];
    for (what, bytes) in halves {
        let mut client = bench.client();
        client.send(bytes);
        bench.check(what, &mut client, &Then::Closed(&[code::CALM]));
    }
    let mut client = Frames::bare(&bench.gateway);
    client.send(&PREFACE[..20]);
    assert!(client.bytes().len() < 1000, "half a preface is closed");
}

#[test]
fn an_idle_client_is_told_to_go_in_two_steps() {
    let brief = Settings::new().set("nginx_config.http.keepalive_timeout", json!("300ms"));
    let bench = Bench::with(brief);
    let mut client = bench.client();
    let first = client.until("§6.8: that it is to go", |frame| frame.kind == GOAWAY);
    assert_eq!((first.number(0), first.number(4)), ((1 << 31) - 1, code::NO_ERROR));
    let asked = client.until("§6.8: a round trip", |frame| frame.kind == PING);
    // What was on its way is still answered.
    client.send([get(1), frame(PING, ACK, 0, asked.payload)].concat());
    let rest = client.rest();
    let last: Vec<_> = rest.iter().filter(|frame| frame.kind == GOAWAY).collect();
    assert_eq!(last.len(), 1, "§6.8: {rest:?}");
    assert_eq!((last[0].number(0), last[0].number(4)), (1, code::NO_ERROR));
    assert!(rest.iter().any(|frame| frame.kind == HEADERS && frame.status() == 200), "{rest:?}");
    bench.upstream.next();
}

#[test]
fn a_gateway_that_ends_tells_its_clients_in_two_steps_and_finishes_their_requests() {
    let gate = Gate::new();
    let wait = gate.clone();
    let upstream = FakeUpstream::start(move |_, connection| {
        wait.pass();
        connection.answer("200 OK", &[], "ok").map(|()| Goes::Keep)
    });
    let mut gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    let mut client = Frames::open(&gateway);
    client.send(get(1));
    upstream.next();
    gateway.process().signal("TERM");
    let first = client.until("§6.8: that it is to go", |frame| frame.kind == GOAWAY);
    assert_eq!((first.number(0), first.number(4)), ((1 << 31) - 1, code::NO_ERROR));
    let asked = client.until("§6.8: a round trip", |frame| frame.kind == PING);
    client.send(frame(PING, ACK, 0, asked.payload));
    let last = client.until("§6.8: the last stream", |frame| frame.kind == GOAWAY);
    assert_eq!((last.number(0), last.number(4)), (1, code::NO_ERROR));
    gate.open();
    assert_eq!(client.status(1), 200);
    client.rest();
    client.finish();
    assert_eq!(gateway.finish().code, Some(0));
}

#[test]
fn a_client_that_has_made_its_last_request_is_told_to_go() {
    let bench = Bench::with(Settings::new().set("nginx_config.http.keepalive_requests", json!(2)));
    let mut client = bench.client();
    client.send([get(1), get(3)].concat());
    let asked = client.until("§6.8: a round trip", |frame| frame.kind == PING);
    client.send(frame(PING, ACK, 0, asked.payload));
    let rest = client.rest();
    let last = rest.iter().rfind(|frame| frame.kind == GOAWAY).expect("a farewell");
    assert_eq!((last.number(0), last.number(4)), (3, code::NO_ERROR));
    (0..2).for_each(|_| drop(bench.upstream.next()));
}

#[test]
fn trailers_have_a_largest_size() {
    let bench = Bench::new();
    let trailers = block(&[("x", &"y".repeat(10_000)), ("z", &"y".repeat(6_380))]);
    let (first, last) = trailers.split_at(16_000);
    let mut client = bench.client();
    let trailers = [headers(1, END_STREAM, first), frame(CONTINUATION, END_HEADERS, 1, last)].concat();
    client.send([post(1), data(1, 0, "ab"), trailers].concat());
    let then = begun_in_chunks(Then::Refused(1, 400), "2\r\nab\r\n");
    bench.check("trailers of more than 16 KiB", &mut client, &then);
}

#[test]
fn there_are_only_so_many_trailers() {
    let bench = Bench::new();
    let upload = |count| {
        let trailers = block(&vec![("a", "b"); count]);
        [post(1), data(1, 0, "ab"), headers(1, WHOLE, trailers)].concat()
    };
    let mut client = bench.client();
    client.send(upload(101));
    let then = begun_in_chunks(Then::Refused(1, 400), "2\r\nab\r\n");
    bench.check("101 trailers", &mut client, &then);
    let mut client = bench.client();
    client.send(upload(100));
    assert_eq!(client.status(1), 200);
    let received = bench.upstream.next();
    assert_eq!((received.text(), received.trailers.len()), ("ab".to_owned(), 100));
}

#[test]
fn a_client_that_grants_nothing_loses_its_stream() {
    let bench = Bench::with(Settings::new().set("nginx_config.http.send_timeout", json!("200ms")));
    let mut client = Frames::bare(&bench.gateway);
    client.send([PREFACE, &settings(setting(4, 0)), &get(1)].concat());
    let end = client.until("the end of the stream", |frame| frame.kind == RST_STREAM);
    assert_eq!((end.stream, end.number(0)), (1, code::CANCEL));
    bench.upstream.next();
}

#[test]
fn a_silent_client_is_pinged_where_that_is_set() {
    let bench = Bench::with(Settings::new().set("nginx_config.http.http2_ping_interval", json!("500ms")));
    let mut client = bench.client();
    for _ in 0..3 {
        let asked = client.until("a ping", |frame| frame.kind == PING && frame.flags == 0);
        client.send(frame(PING, ACK, 0, asked.payload));
    }
    client.until("a ping", |frame| frame.kind == PING && frame.flags == 0);
    bench.check("a client that does not answer", &mut client, &Then::Closed(&[code::NO_ERROR]));
}
