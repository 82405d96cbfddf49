//! Bodies, trailers and resets of answers (RFC 9113 §5.1, §6.1, §6.4, §8.1).

use lockgate_tests::wire::*;

use super::{Row, Sees, head, well};

pub(super) fn lengths() -> Vec<Row> {
    let answer = |length: &str, pieces: &[&str]| {
        let mut bytes = head(&[("content-length", length)]);
        for (at, piece) in pieces.iter().enumerate() {
            bytes.extend(data(1, if at + 1 == pieces.len() { END_STREAM } else { 0 }, piece));
        }
        bytes
    };
    let head_alone = |fields: &[(&str, &str)]| headers(1, WHOLE, with(&[(":status", "200")], fields));
    let trailers = headers(1, WHOLE, block(&[("a", "b")]));
    let mut rows: Vec<Row> = vec![
        ("9113 §8.1.1", "fewer bytes than declared", answer("5", &["ab"]), Sees::Broken),
        ("9113 §8.1.1", "more bytes than declared", answer("1", &["ab"]), Sees::Broken),
        ("9113 §8.1.1", "more bytes in a second frame", answer("2", &["ab", "c"]), Sees::Broken),
        ("9113 §8.1.1", "bytes where none were declared", answer("0", &["ab"]), Sees::Broken),
        (
            "9113 §8.1.1",
            "no body where one was declared",
            head_alone(&[("content-length", "5")]),
            Sees::Broken,
        ),
        (
            "9113 §8.1.1",
            "trailers in place of the declared body",
            [head(&[("content-length", "2")]), trailers].concat(),
            Sees::Broken,
        ),
        (
            "9113 §8.1.1",
            "two lengths",
            [head(&[("content-length", "2"), ("content-length", "3")]), data(1, END_STREAM, "ab")].concat(),
            Sees::Broken,
        ),
        ("9113 §8.1.1", "exactly what was declared", answer("4", &["ab", "cd"]), Sees::Whole(200, "abcd")),
        ("9113 §8.1.1", "an empty body that is declared", answer("0", &[""]), Sees::Whole(200, "")),
    ];
    for value in ["-1", "+2", "0x2", "2,2", "", "two", "99999999999999999999999", "2 "] {
        let name = format!("a length that is no number: {value:?}").leak();
        rows.push(("9113 §8.1.1", name, answer(value, &["ab"]), Sees::Broken));
    }
    rows
}

pub(super) fn ends() -> Vec<Row> {
    let trailers = |flags: u8, fields: &[(&str, &str)]| {
        [head(&[]), data(1, 0, "ab"), headers(1, flags, block(fields))].concat()
    };
    vec![
        ("9113 §8.1", "data before the head", data(1, 0, "evil"), Sees::Bad),
        ("9113 §8.1", "data that ends it before the head", data(1, END_STREAM, "evil"), Sees::Bad),
        ("9113 §8.1", "data before the answer", [data(1, 0, "evil"), well()].concat(), Sees::Bad),
        ("9113 §8.1", "trailers", trailers(WHOLE, &[("x-sum", "2")]), Sees::Whole(200, "ab")),
        // The section calls these malformed; the `h2` crate takes them off without a word. None goes on.
        (
            "9113 §8.1",
            "a status in the trailers",
            trailers(WHOLE, &[(":status", "404"), ("x-sum", "2")]),
            Sees::Whole(200, "ab"),
        ),
        (
            "9113 §8.1",
            "a path in the trailers",
            trailers(WHOLE, &[(":path", "/evil"), ("x-sum", "2")]),
            Sees::Whole(200, "ab"),
        ),
        ("9113 §8.1", "trailers that end nothing", trailers(END_HEADERS, &[("a", "b")]), Sees::Broken),
        ("9113 §8.1", "a second head", trailers(END_HEADERS, &[(":status", "200")]), Sees::Broken),
        (
            "9113 §8.3",
            "a pseudo-header behind a trailer",
            trailers(WHOLE, &[("a", "b"), (":status", "200")]),
            Sees::Broken,
        ),
        ("9113 §10.5", "100 trailers", trailers(WHOLE, &[("a", "b"); 100]), Sees::Whole(200, "ab")),
        ("9113 §10.5", "101 trailers", trailers(WHOLE, &[("a", "b"); 101]), Sees::Broken),
        ("9113 §8.2.1", "a line break in the trailers", trailers(WHOLE, &[("a", "b\r\nc: d")]), Sees::Broken),
        (
            "9113 §8.2.2",
            "a connection field in the trailers",
            trailers(WHOLE, &[("connection", "x")]),
            Sees::Broken,
        ),
        (
            "9113 §5.1",
            "data behind the end",
            [well(), data(1, END_STREAM, "more")].concat(),
            Sees::Whole(200, "well"),
        ),
        ("9113 §5.1", "a head behind the end", [well(), well()].concat(), Sees::Whole(200, "well")),
        (
            "9113 §5.1",
            "an end in the head and another in data",
            [headers(1, WHOLE, block(&[(":status", "200")])), data(1, END_STREAM, "x")].concat(),
            Sees::Whole(200, ""),
        ),
        (
            "9113 §5.1",
            "the end of a stream twice",
            [well(), data(1, END_STREAM, "")].concat(),
            Sees::Whole(200, "well"),
        ),
    ]
}

pub(super) fn forms() -> Vec<Row> {
    vec![
        (
            "9113 §6.1",
            "padding longer than the frame",
            [head(&[]), frame(DATA, END_STREAM | PADDED, 1, b"\xc8abcd")].concat(),
            Sees::Broken,
        ),
        (
            "9113 §6.1",
            "padding without its length",
            [head(&[]), frame(DATA, END_STREAM | PADDED, 1, [])].concat(),
            Sees::Broken,
        ),
        (
            "9113 §6.1",
            "padding that is right",
            [head(&[]), frame(DATA, END_STREAM | PADDED, 1, b"\x02ab\0\0")].concat(),
            Sees::Whole(200, "ab"),
        ),
        ("9113 §6.2", "padding longer than the head", headers(1, WHOLE | PADDED, [200, 0x88]), Sees::Bad),
        (
            "9113 §4.2",
            "a frame of data one byte too long",
            [head(&[]), data(1, END_STREAM, "x".repeat(16_385))].concat(),
            Sees::Broken,
        ),
        (
            "9113 §4.2",
            "a head one byte too long",
            headers(1, WHOLE, with(&[(":status", "200")], &[("x", &"x".repeat(16_385))])),
            Sees::Bad,
        ),
    ]
}

pub(super) fn resets() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for number in (0..14).chain([0xff, u32::MAX]) {
        let name = |when: &str| -> &'static str { format!("a reset of code {number:#x} {when}").leak() };
        // RFC 9113 §8.7: nothing was done, so it is asked again.
        let before = if number == code::REFUSED { Sees::Whole(200, "well") } else { Sees::Bad };
        rows.push(("9113 §6.4", name("before the head"), reset(1, number), before));
        let begun = [head(&[]), reset(1, number)].concat();
        rows.push(("9113 §6.4", name("behind the head"), begun, Sees::Broken));
        let half = [head(&[]), data(1, 0, "ab"), reset(1, number)].concat();
        rows.push(("9113 §6.4", name("behind some data"), half, Sees::Broken));
        let declared = [head(&[("content-length", "2")]), data(1, 0, "ab"), reset(1, number)].concat();
        rows.push(("9113 §6.4", name("in place of the end"), declared, Sees::Broken));
        let whole = [well(), reset(1, number)].concat();
        rows.push(("9113 §6.4", name("behind the end"), whole, Sees::Whole(200, "well")));
    }
    rows
}
