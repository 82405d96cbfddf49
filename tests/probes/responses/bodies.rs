//! Bodies of answers that break off or break the grammar, when their head is on its way already.

use super::{Probe, chunked, ok};

const CHUNK: &str = "9112 §7.1";
const INCOMPLETE: &str = "9112 §8";
const TRAILER: &str = "9112 §7.1.2";

pub(crate) fn probes() -> Vec<Probe> {
    [broken(), short(), clear()].into_iter().flatten().collect()
}

/// The grammar breaks behind the first chunk: the client sees that one, and no last one.
fn broken() -> Vec<Probe> {
    let row = |name, section, rest: &str| {
        Probe::ended(name, section, chunked(&format!("3\r\nabc{rest}")), chunked("3\r\nabc\r\n"))
    };
    let first = |name, section, body: &str| Probe::ended(name, section, chunked(body), chunked(""));
    vec![
        row("garbage behind the data", CHUNK, "XX\r\n0\r\n\r\n"),
        row("data that ends with a line feed", CHUNK, "\n0\r\n\r\n"),
        row("a size that is no number", CHUNK, "\r\nx\r\n0\r\n\r\n"),
        row("a size with a minus", CHUNK, "\r\n-1\r\n0\r\n\r\n"),
        row("a size line that ends with a line feed", CHUNK, "\r\n3\nabc\r\n0\r\n\r\n"),
        row("a last chunk that ends with line feeds", CHUNK, "\r\n0\n\n"),
        row(
            "an answer in place of the last chunk",
            CHUNK,
            "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ),
        row(
            "an answer in place of the trailers",
            TRAILER,
            "\r\n0\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ),
        row("a trailer that is folded", TRAILER, "\r\n0\r\na: b\r\n c\r\n\r\n"),
        row("a trailer with a NUL", TRAILER, "\r\n0\r\na: \0\r\n\r\n"),
        first("a first size that is no number", CHUNK, "hello"),
        first("a first size with a space behind it", CHUNK, "3 \r\nabc\r\n0\r\n\r\n"),
        first("a first size with a prefix", CHUNK, "0x3\r\nabc\r\n0\r\n\r\n"),
        first("a first size beyond all bounds", CHUNK, "fffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
        first("a first extension with a line feed", "9112 §7.1.1", "3;a\nabc\r\n0\r\n\r\n"),
    ]
}

fn short() -> Vec<Probe> {
    let half = ok("Content-Length: 9\r\n", "half");
    let row = |name, sent: &str, seen: &str| Probe::ended(name, INCOMPLETE, sent, seen).closes();
    vec![
        row("a body shorter than its length", &half, &half),
        row(
            "no body where one was promised",
            &ok("Content-Length: 9\r\n", ""),
            &ok("Content-Length: 9\r\n", ""),
        ),
        row("chunks without a last one", &chunked("3\r\nabc\r\n"), &chunked("3\r\nabc\r\n")),
        row("half a chunk", &chunked("5\r\nabc"), &chunked("3\r\nabc\r\n")),
        row("half a last chunk", &chunked("3\r\nabc\r\n0\r\n"), &chunked("3\r\nabc\r\n")),
        row("half a trailer", &chunked("3\r\nabc\r\n0\r\nX: 1\r\n"), &chunked("3\r\nabc\r\n")),
        row("no chunk", &chunked(""), &chunked("")),
    ]
}

fn clear() -> Vec<Probe> {
    let row =
        |name, section, sent: &str, seen: &str| Probe::passed(name, section, chunked(sent), chunked(seen));
    let abc = "3\r\nabc\r\n0\r\n\r\n";
    vec![
        row("chunks", CHUNK, abc, abc),
        row("an extension is not passed on", "9112 §7.1.1", "3;x=y\r\nabc\r\n0;z\r\n\r\n", abc),
        row("a trailer", TRAILER, "3\r\nabc\r\n0\r\nX-Sum:1\r\n\r\n", "3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"),
        row("a trailer that frames", "9110 §6.5.1", "3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n", abc),
        row("a trailer that sets a cookie", "9110 §6.5.1", "3\r\nabc\r\n0\r\nSet-Cookie: a=b\r\n\r\n", abc),
        row(
            "a trailer that says how long to keep it",
            "9110 §6.5.1",
            "3\r\nabc\r\n0\r\nCache-Control: public\r\n\r\n",
            abc,
        ),
        row(
            "a trailer that leads elsewhere",
            "9110 §6.5.1",
            "3\r\nabc\r\n0\r\nLOCATION: //evil\r\n\r\n",
            abc,
        ),
        row(
            "a trailer that says how it is coded",
            "9110 §6.5.1",
            "3\r\nabc\r\n0\r\nContent-Encoding: gzip\r\n\r\n",
            abc,
        ),
        row(
            "data that is an answer",
            CHUNK,
            "f\r\nHTTP/1.1 200 OK\r\n0\r\n\r\n",
            "f\r\nHTTP/1.1 200 OK\r\n0\r\n\r\n",
        ),
    ]
}
