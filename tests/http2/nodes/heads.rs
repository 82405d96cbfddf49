//! Heads of answers (RFC 9113 §8.2, §8.3.2, §10.5).

use lockgate_tests::wire::*;

use super::{Row, Sees, head, well};

/// The head of a whole answer, of exactly these fields.
fn only(fields: &[(&str, &str)]) -> Vec<u8> {
    headers(1, WHOLE, block(fields))
}

pub(super) fn gone_over() -> Vec<Row> {
    vec![
        ("9113 §8.6", "an answer of 101", headers(1, END_HEADERS, block(&[(":status", "101")])), Sees::Bad),
        ("9113 §8.6", "an answer of 101 that ends", only(&[(":status", "101")]), Sees::Bad),
        (
            "9113 §8.6",
            "101 before an answer",
            [headers(1, END_HEADERS, block(&[(":status", "101")])), well()].concat(),
            Sees::Bad,
        ),
    ]
}

pub(super) fn malformed() -> Vec<Row> {
    let status = (":status", "200");
    let mut rows: Vec<Row> = vec![
        ("9113 §8.3.2", "no status", only(&[("a", "b")]), Sees::Bad),
        ("9113 §8.3.2", "no field at all", only(&[]), Sees::Bad),
        ("9113 §8.3.2", "two statuses", only(&[status, (":status", "404")]), Sees::Bad),
        ("9113 §8.3.2", "the same status twice", only(&[status, status]), Sees::Bad),
        ("9113 §8.3", "the status behind a field", only(&[("a", "b"), status]), Sees::Bad),
        ("9113 §8.3", "another status behind a field", only(&[status, ("a", "b"), status]), Sees::Bad),
        ("9113 §8.3", "a request in place of an answer", only(&GET), Sees::Bad),
        ("9113 §8.3", "an unknown pseudo-header", only(&[status, (":unknown", "x")]), Sees::Bad),
        ("9113 §8.1", "an interim answer that ends", only(&[(":status", "103")]), Sees::Bad),
        (
            "9113 §8.1",
            "an interim answer before the answer",
            [headers(1, END_HEADERS, block(&[(":status", "103"), ("link", "</a>")])), well()].concat(),
            Sees::Whole(200, "well"),
        ),
        (
            "9110 §15.2.1",
            "100 before an answer, which nobody waits for",
            [headers(1, END_HEADERS, block(&[(":status", "100")])), well()].concat(),
            Sees::Whole(200, "well"),
        ),
        (
            "9110 §8.6",
            "a length of what has no body",
            only(&[(":status", "204"), ("content-length", "4")]),
            Sees::Whole(204, ""),
        ),
        ("9113 §8.1", "an answer that its head ends", only(&[status]), Sees::Whole(200, "")),
    ];
    for code in ["204", "304"] {
        let head = headers(1, END_HEADERS, block(&[(":status", code)]));
        let name = format!("a body behind {code}, which has none").leak();
        let sees = Sees::Whole(if code == "204" { 204 } else { 304 }, "");
        rows.push(("9110 §6.4.1", name, [head, data(1, END_STREAM, "evil")].concat(), sees));
    }
    for value in ["099", "000", "1000", "abc", "", "2 0", "+20", "20", "200 OK", "-200", "0200"] {
        rows.push((
            "9113 §8.3.2",
            with_value("a status that is none", value),
            only(&[(":status", value)]),
            Sees::Bad,
        ));
    }
    rows
}

fn with_value(name: &str, value: &str) -> &'static str {
    format!("{name}: {value:?}").leak()
}

pub(super) fn fields() -> Vec<Row> {
    let with_field = |name: &str, value: &str| [head(&[(name, value)]), data(1, END_STREAM, "ok")].concat();
    let mut rows: Vec<Row> = Vec::new();
    for name in
        ["X-A", "a b", "a:b", "a\r\nb", "a\nb", "a\0b", "", " a", "a ", "a\t", "\u{e9}", "(a)", "a\x7f"]
    {
        rows.push(("9113 §8.2.1", with_value("a name that is none", name), with_field(name, "v"), Sees::Bad));
    }
    for value in ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "\r\n\r\nHTTP/1.1 200 OK", "a\n", "\0"] {
        rows.push((
            "9113 §8.2.1",
            with_value("a value that is none", value),
            with_field("x", value),
            Sees::Bad,
        ));
    }
    for (name, value) in [
        ("connection", "close"),
        ("connection", "x-a"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
    ] {
        rows.push(("9113 §8.2.2", with_value(name, value), with_field(name, value), Sees::Bad));
    }
    rows
}

pub(super) fn large() -> Vec<Row> {
    let open = || headers(1, 0, block(&[(":status", "200")]));
    let parts = |fields: &[u8]| {
        let all = [block(&[(":status", "200")]), fields.to_vec()].concat();
        let mut chunks = all.chunks(16_384).peekable();
        let mut bytes = headers(1, END_STREAM, chunks.next().unwrap_or_default());
        while let Some(chunk) = chunks.next() {
            bytes.extend(frame(
                CONTINUATION,
                if chunks.peek().is_none() { END_HEADERS } else { 0 },
                1,
                chunk,
            ));
        }
        bytes
    };
    let bomb = |count: usize| {
        let mut fields = field("x", "y".repeat(4000));
        fields[0] = 0x40;
        fields.extend(vec![0xbe; count]);
        headers(1, WHOLE, [block(&[(":status", "200")]), fields].concat())
    };
    let megabytes: Vec<u8> = (0..200).flat_map(|_| field("x", "y".repeat(16_000))).collect();
    let fields = |count: usize| only(&[&[(":status", "200")][..], &vec![("a", "b"); count]].concat());
    let long = |length: usize| only(&[(":status", "200"), ("a", &"b".repeat(length))]);
    vec![
        ("9113 §10.5.1", "100 fields", fields(100), Sees::Whole(200, "")),
        ("9113 §10.5.1", "101 fields", fields(101), Sees::Bad),
        ("9113 §10.5.1", "a field of 16 kB", long(16_000), Sees::Whole(200, "")),
        ("9113 §10.5.1", "a head of 3 MB", parts(&megabytes), Sees::Bad),
        ("9113 §10.5.1", "a small head that becomes 20 MB", bomb(5000), Sees::Bad),
        (
            "9113 §10.5",
            "3,000 continuations of nothing",
            [open(), frame(CONTINUATION, 0, 1, []).repeat(3000)].concat(),
            Sees::Bad,
        ),
        (
            "9113 §10.5",
            "3,000 continuations of 1 kB",
            [open(), frame(CONTINUATION, 0, 1, field("x", "b".repeat(1000))).repeat(3000)].concat(),
            Sees::Bad,
        ),
    ]
}

pub(super) fn field_blocks() -> Vec<Row> {
    let open = || headers(1, 0, block(&[(":status", "200")]));
    let broken = |tail: &[u8]| headers(1, WHOLE, [block(&[(":status", "200")]), tail.to_vec()].concat());
    vec![
        ("9113 §4.3", "index zero", broken(&[0x80]), Sees::Bad),
        ("9113 §4.3", "an index beyond both tables", broken(&[0xbf]), Sees::Bad),
        ("9113 §4.3", "a field cut short", broken(b"\0\x05abc"), Sees::Bad),
        ("9113 §4.3", "an index without end", broken(&[0xff; 12]), Sees::Bad),
        ("9113 §4.3", "a table larger than granted", broken(&[0x3f, 0xe2, 0x1f]), Sees::Bad),
        ("9113 §4.3", "the end symbol inside a text", broken(b"\0\x01a\x84\xff\xff\xff\xff"), Sees::Bad),
        ("9113 §6.10", "data between the parts of a head", [open(), data(1, 0, "x")].concat(), Sees::Bad),
        ("9113 §6.10", "a ping between the parts of a head", [open(), ping(0)].concat(), Sees::Bad),
        (
            "9113 §6.10",
            "a continuation of another stream",
            [open(), frame(CONTINUATION, END_HEADERS, 0x7fff_fffd, [])].concat(),
            Sees::Bad,
        ),
        (
            "9113 §6.10",
            "a head in three parts",
            [
                headers(1, END_STREAM, block(&[(":status", "200")])),
                frame(CONTINUATION, 0, 1, b"\0\x01b"),
                frame(CONTINUATION, END_HEADERS, 1, b"\x012"),
            ]
            .concat(),
            Sees::Whole(200, ""),
        ),
    ]
}
