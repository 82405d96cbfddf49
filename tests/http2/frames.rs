//! RFC 9113 §6: each kind of frame, and the settings and windows that it changes.

use crate::bench::Bench;
use lockgate_tests::wire::*;

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
fn an_answer_takes_no_more_than_the_window() {
    let bench = Bench::new();
    let mut client = Frames::bare(&bench.gateway);
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
