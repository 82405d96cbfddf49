//! What ends a node's connection: frames that it may not send, settings, floods, farewells and cuts (RFC 9113 §5, §6).

use lockgate_tests::wire::*;

use super::{Row, Sees, head, well};

pub(super) fn frames() -> Vec<Row> {
    let answer = |stream: u32| headers(stream, WHOLE, block(&[(":status", "200")]));
    let promise = |stream: u32| {
        frame(PUSH_PROMISE, END_HEADERS, stream, [&[0, 0, 0, 2], block(&GET).as_slice()].concat())
    };
    vec![
        ("9113 §5.1.1", "a head on stream 0", answer(0), Sees::Bad),
        ("9113 §5.1.1", "a head on an even stream", answer(2), Sees::Bad),
        ("9113 §5.1", "a head on a stream that nobody has opened", answer(0x7fff_ffff), Sees::Bad),
        ("9113 §6.1", "data on stream 0", data(0, 0, "x"), Sees::Bad),
        ("9113 §5.1", "data on an even stream", data(2, 0, "x"), Sees::Bad),
        ("9113 §5.1", "a reset of an idle stream", reset(0x7fff_ffff, code::CANCEL), Sees::Bad),
        ("9113 §5.1", "a window for an idle stream", window(0x7fff_ffff, 1), Sees::Bad),
        ("9113 §6.6", "a promise", promise(1), Sees::Bad),
        ("9113 §6.6", "a promise on stream 0", promise(0), Sees::Bad),
        (
            "9113 §6.6",
            "a promise within an answer",
            [head(&[]), promise(1), data(1, END_STREAM, "ok")].concat(),
            Sees::Broken,
        ),
        (
            "9113 §6.10",
            "a continuation of nothing",
            frame(CONTINUATION, END_HEADERS, 1, block(&[(":status", "200")])),
            Sees::Bad,
        ),
        (
            "9113 §6.10",
            "a continuation behind a head",
            [head(&[]), frame(CONTINUATION, END_HEADERS, 1, [])].concat(),
            Sees::Broken,
        ),
        (
            "9113 §6.3",
            "a priority of four bytes",
            [frame(PRIORITY, 0, 1, [0; 4]), well()].concat(),
            Sees::Bad,
        ),
        ("9113 §6.4", "a reset of stream 0", reset(0, code::CANCEL), Sees::Bad),
        ("9113 §6.4", "a reset of three bytes", frame(RST_STREAM, 0, 1, [0; 3]), Sees::Bad),
        ("9113 §6.7", "a ping on a stream", frame(PING, 0, 1, b"lockgate"), Sees::Bad),
        ("9113 §6.7", "a ping of six bytes", frame(PING, 0, 0, [0; 6]), Sees::Bad),
        ("9113 §6.8", "a farewell on a stream", frame(GOAWAY, 0, 1, [0; 8]), Sees::Bad),
        ("9113 §4.2", "a frame of 64 kB of an unknown kind", frame(0x42, 0, 0, vec![0; 0x1_0000]), Sees::Bad),
        (
            "9113 §4.1",
            "garbage",
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec(),
            Sees::Bad,
        ),
        (
            "9113 §4.1",
            "an unknown frame",
            [frame(0x42, 0xff, 1, "abc"), well()].concat(),
            Sees::Whole(200, "well"),
        ),
    ]
}

pub(super) fn settings_and_windows() -> Vec<Row> {
    let one = |id, value| [settings(setting(id, value)), well()].concat();
    let max = (1 << 31) - 1;
    vec![
        ("9113 §6.5", "settings on a stream", frame(SETTINGS, 0, 1, []), Sees::Bad),
        ("9113 §6.5", "settings of five bytes", settings([0; 5]), Sees::Bad),
        ("9113 §6.5", "an acknowledgement with settings", frame(SETTINGS, ACK, 0, setting(3, 1)), Sees::Bad),
        ("9113 §6.5.2", "pushes by halves", one(2, 2), Sees::Bad),
        ("9113 §6.5.2", "a window of two gigabytes", one(4, 1 << 31), Sees::Bad),
        ("9113 §6.5.2", "frames smaller than allowed", one(5, 16_383), Sees::Bad),
        ("9113 §6.5.2", "frames larger than allowed", one(5, 1 << 24), Sees::Bad),
        ("9113 §6.5.2", "no streams from now on", one(3, 0), Sees::Whole(200, "well")),
        ("9113 §5.5", "an unknown setting", one(0xff, 1), Sees::Whole(200, "well")),
        ("9113 §6.9", "nothing granted to the connection", [window(0, 0), well()].concat(), Sees::Bad),
        ("9113 §6.9", "nothing granted to the stream", [window(1, 0), well()].concat(), Sees::Bad),
        (
            "9113 §6.9.1",
            "more than a window holds, for the connection",
            [window(0, max), well()].concat(),
            Sees::Bad,
        ),
        (
            "9113 §6.9.1",
            "more than a window holds, for the stream",
            [head(&[]), window(1, max)].concat(),
            Sees::Broken,
        ),
        ("9113 §6.9", "a window update of three bytes", frame(WINDOW_UPDATE, 0, 0, [0; 3]), Sees::Bad),
    ]
}

/// A node is not counted as a client is: what it says beside its answer is read, and costs nobody else anything.
pub(super) fn floods() -> Vec<Row> {
    const MANY: usize = 20_000;
    let before = |flood: Vec<u8>| [flood, well()].concat();
    let within = |flood: Vec<u8>| [head(&[]), flood, data(1, END_STREAM, "well")].concat();
    let interim = headers(1, END_HEADERS, block(&[(":status", "103")]));
    vec![
        ("9113 §10.5", "pings before the head", before(ping(0).repeat(MANY)), Sees::Bad),
        ("9113 §10.5", "pings within the body", within(ping(0).repeat(MANY)), Sees::Broken),
        (
            "9113 §10.5",
            "settings before the head",
            before(settings(setting(4, 65_535)).repeat(MANY)),
            Sees::Bad,
        ),
        ("9113 §10.5", "settings within the body", within(settings([]).repeat(MANY)), Sees::Broken),
        ("9113 §10.5", "answers to no pings", before(ping(ACK).repeat(MANY)), Sees::Bad),
        ("9113 §10.5", "priorities", before(frame(PRIORITY, 0, 1, [0, 0, 0, 0, 1]).repeat(MANY)), Sees::Bad),
        ("9113 §10.5", "windows", before(window(0, 1).repeat(MANY)), Sees::Bad),
        ("9113 §10.5", "unknown frames", before(frame(0x42, 0, 0, "x").repeat(MANY)), Sees::Bad),
        ("9113 §10.5", "data of nothing", within(data(1, 0, "").repeat(MANY)), Sees::Broken),
        ("9113 §10.5", "interim answers", before(interim.repeat(MANY)), Sees::Bad),
    ]
}

pub(super) fn farewells() -> Vec<Row> {
    let farewell =
        |last: u32, code: u32| frame(GOAWAY, 0, 0, [last.to_be_bytes(), code.to_be_bytes()].concat());
    let far = 0x7fff_ffff;
    vec![
        // What is beyond the last stream was not looked at, so it is asked again.
        ("9113 §6.8", "a farewell before the request", farewell(0, code::NO_ERROR), Sees::Whole(200, "well")),
        (
            "9113 §6.8",
            "a farewell and the answer",
            [farewell(far, code::NO_ERROR), well()].concat(),
            Sees::Whole(200, "well"),
        ),
        (
            "9113 §6.8",
            "a farewell within the answer",
            [head(&[]), farewell(far, code::NO_ERROR), data(1, END_STREAM, "ok")].concat(),
            Sees::Whole(200, "ok"),
        ),
        ("9113 §6.8", "a farewell with a reason and no answer", farewell(far, code::PROTOCOL), Sees::Late),
        (
            "9113 §6.8",
            "a farewell with a reason within the answer",
            [head(&[]), farewell(far, code::CALM)].concat(),
            Sees::Broken,
        ),
        (
            "9113 §6.8",
            "a last stream that goes up",
            [farewell(0, code::NO_ERROR), farewell(far, code::NO_ERROR), well()].concat(),
            Sees::Whole(200, "well"),
        ),
        ("9113 §6.8", "a farewell of seven bytes", frame(GOAWAY, 0, 0, [0; 7]), Sees::Bad),
    ]
}

/// The node closes behind each of these; `tests/faults` cuts it behind every byte.
pub(super) fn cut() -> Vec<Row> {
    let declared = [head(&[("content-length", "4")]), data(1, END_STREAM, "well")].concat();
    let head = head(&[("content-length", "4")]).len();
    let whole = declared.clone();
    let cut = |at: usize| whole[..at].to_vec();
    vec![
        ("9113 §5.4.1", "closed before an answer", cut(0), Sees::Again),
        ("9113 §5.4.1", "closed in the start of a frame", cut(5), Sees::Again),
        ("9113 §5.4.1", "closed in a head", cut(head - 1), Sees::Again),
        ("9113 §5.4.1", "closed behind a head", cut(head), Sees::Broken),
        ("9113 §5.4.1", "closed in the start of a frame of data", cut(head + 5), Sees::Broken),
        ("9113 §5.4.1", "closed in data", cut(head + 11), Sees::Broken),
        ("9113 §5.4.1", "closed behind a whole answer", declared, Sees::Whole(200, "well")),
    ]
}
