//! RFC 9113 §6: each kind of frame, and the settings and windows that it changes.

use lockgate_tests::wire::*;

use super::{Case, Then, begun_in_chunks, forwarded};

const PROTOCOL: Then = Then::Closed(&[code::PROTOCOL]);
const FRAME_SIZE: Then = Then::Closed(&[code::FRAME_SIZE, code::PROTOCOL]);
const FLOW_CONTROL: Then = Then::Closed(&[code::FLOW_CONTROL, code::PROTOCOL]);

pub(crate) fn forms() -> Vec<Case> {
    let padded =
        |padding: u8, text: &str| frame(DATA, END_STREAM | PADDED, 1, [&[padding], text.as_bytes()].concat());
    let padded_head = [&[3], block(&GET).as_slice(), &[0, 0, 0]].concat();
    let chunked = "Host: h\r\n@\r\nTransfer-Encoding: chunked\r\n";
    vec![
        ("9113 §6.1", "data on stream 0", data(0, 0, "x"), PROTOCOL),
        (
            "9113 §6.1",
            "padding as long as the frame",
            [post(1), padded(5, "abcd")].concat(),
            begun_in_chunks(PROTOCOL, ""),
        ),
        (
            "9113 §6.1",
            "padding longer than the frame",
            [post(1), padded(200, "abcd")].concat(),
            begun_in_chunks(PROTOCOL, ""),
        ),
        (
            "9113 §6.1",
            "padding without its length",
            [post(1), frame(DATA, PADDED, 1, [])].concat(),
            begun_in_chunks(FRAME_SIZE, ""),
        ),
        (
            "9113 §6.1",
            "padding that is right",
            [post(1), padded(2, "ab\0\0")].concat(),
            forwarded("POST /p", chunked, "2\r\nab\r\n0\r\n\r\n"),
        ),
        ("9113 §6.2", "padding longer than the head", headers(1, WHOLE | PADDED, [200, 0x82]), PROTOCOL),
        (
            "9113 §6.2",
            "a padded head",
            headers(1, WHOLE | PADDED, padded_head),
            forwarded("GET /p", "Host: h\r\n@\r\n", ""),
        ),
        ("9113 §6.2", "a priority cut short", headers(1, WHOLE | WITH_PRIORITY, [0, 0, 0]), FRAME_SIZE),
    ]
}

pub(crate) fn others() -> Vec<Case> {
    vec![
        ("9113 §6.3", "a priority on stream 0", frame(PRIORITY, 0, 0, [0, 0, 0, 0, 1]), PROTOCOL),
        (
            "9113 §6.3",
            "a priority of four bytes",
            frame(PRIORITY, 0, 1, [0; 4]),
            Then::Reset(1, &[code::FRAME_SIZE, code::PROTOCOL]),
        ),
        ("9113 §6.4", "a reset of stream 0", reset(0, code::CANCEL), PROTOCOL),
        (
            "9113 §6.4",
            "a reset of three bytes",
            [post(1), frame(RST_STREAM, 0, 1, [0; 3])].concat(),
            begun_in_chunks(FRAME_SIZE, ""),
        ),
        (
            "9113 §6.6",
            "a promise",
            [post(1), frame(PUSH_PROMISE, END_HEADERS, 1, [0, 0, 0, 2, 0x82])].concat(),
            begun_in_chunks(PROTOCOL, ""),
        ),
        ("9113 §6.7", "a ping on a stream", frame(PING, 0, 1, b"lockgate"), PROTOCOL),
        ("9113 §6.7", "a ping of six bytes", frame(PING, 0, 0, [0; 6]), FRAME_SIZE),
        ("9113 §6.7", "an answer to no ping", ping(ACK), Then::Ignored),
        ("9113 §6.8", "a farewell on a stream", frame(GOAWAY, 0, 1, [0; 8]), PROTOCOL),
        ("9113 §6.8", "a farewell of seven bytes", frame(GOAWAY, 0, 0, [0; 7]), FRAME_SIZE),
    ]
}

pub(crate) fn settings_values() -> Vec<Case> {
    let one = |id, value| settings(setting(id, value));
    vec![
        ("9113 §6.5", "settings on a stream", frame(SETTINGS, 0, 1, []), PROTOCOL),
        ("9113 §6.5", "settings of five bytes", settings([0; 5]), FRAME_SIZE),
        ("9113 §6.5", "an acknowledgement with settings", frame(SETTINGS, ACK, 0, setting(3, 1)), FRAME_SIZE),
        ("9113 §6.5", "an acknowledgement of nothing", frame(SETTINGS, ACK, 0, []), PROTOCOL),
        ("9113 §6.5.2", "pushes by halves", one(2, 2), PROTOCOL),
        ("9113 §6.5.2", "a window of two gigabytes", one(4, 1 << 31), FLOW_CONTROL),
        ("9113 §6.5.2", "frames smaller than allowed", one(5, 16_383), PROTOCOL),
        ("9113 §6.5.2", "frames larger than allowed", one(5, 1 << 24), PROTOCOL),
        (
            "9113 §6.5.2",
            "the largest of each",
            [one(4, (1 << 31) - 1), one(5, (1 << 24) - 1)].concat(),
            Then::Ignored,
        ),
    ]
}

pub(crate) fn windows() -> Vec<Case> {
    let max = (1 << 31) - 1;
    vec![
        ("9113 §6.9", "a window update of three bytes", frame(WINDOW_UPDATE, 0, 0, [0; 3]), FRAME_SIZE),
        ("9113 §6.9", "nothing granted to the connection", window(0, 0), PROTOCOL),
        (
            "9113 §6.9",
            "nothing granted to a stream",
            [post(1), window(1, 0)].concat(),
            begun_in_chunks(Then::Reset(1, &[code::PROTOCOL]), ""),
        ),
        ("9113 §6.9.1", "more than a window holds, for the connection", window(0, max), FLOW_CONTROL),
        (
            "9113 §6.9.1",
            "more than a window holds, for a stream",
            [post(1), window(1, max)].concat(),
            begun_in_chunks(Then::Reset(1, &[code::FLOW_CONTROL]), ""),
        ),
        (
            "9113 §6.9.2",
            "settings that burst a window",
            [post(1), window(1, 1000), settings(setting(4, max))].concat(),
            begun_in_chunks(FLOW_CONTROL, ""),
        ),
    ]
}
