//! Length and coding of answers, and answers that have no body whatever they say.

use super::{Probe, chunked, ok};

const BOTH: &str = "9112 §6.3";
const LENGTH: &str = "9112 §6.2";
const CODING: &str = "9112 §6.1";
const POISON: &str = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned";

pub(crate) fn probes() -> Vec<Probe> {
    [unclear(), bodiless(), surplus(), clear()].into_iter().flatten().collect()
}

fn unclear() -> Vec<Probe> {
    let row = |name, section, lines: &str| Probe::bad(name, section, ok(lines, "3\r\nabc\r\n0\r\n\r\n"));
    let te = "Transfer-Encoding: chunked\r\n";
    vec![
        row("a length, then chunked", BOTH, &format!("Content-Length: 3\r\n{te}")),
        row("chunked, then a length", BOTH, &format!("{te}Content-Length: 3\r\n")),
        row("two lengths that differ", BOTH, "Content-Length: 3\r\nContent-Length: 4\r\n"),
        row("two lengths that agree", BOTH, "Content-Length: 3\r\nContent-Length: 3\r\n"),
        row("a length as a list", LENGTH, "Content-Length: 3, 3\r\n"),
        row("a length with a plus", LENGTH, "Content-Length: +3\r\n"),
        row("a length below nothing", LENGTH, "Content-Length: -1\r\n"),
        row("a length that is empty", LENGTH, "Content-Length:\r\n"),
        row("a length of 2^64 + 3", LENGTH, "Content-Length: 18446744073709551619\r\n"),
        row("gzip, then chunked", CODING, "Transfer-Encoding: gzip, chunked\r\n"),
        row("chunked, then identity", CODING, "Transfer-Encoding: chunked, identity\r\n"),
        row("identity", CODING, "Transfer-Encoding: identity\r\n"),
        row("two codings", CODING, &te.repeat(2)),
        row("a coding behind a vertical tab", CODING, "Transfer-Encoding: \u{b}chunked\r\n"),
        row("a coding that is nearly chunked", CODING, "Transfer-Encoding: xchunked\r\n"),
        Probe::bad("chunked in HTTP/1.0", CODING, format!("HTTP/1.0 200 OK\r\n{te}\r\n0\r\n\r\n")),
    ]
}

/// RFC 9112 §6.3: no body follows these, whatever their fields say; bytes that do follow are nobody's.
fn bodiless() -> Vec<Probe> {
    let row = |name, sent: &str, seen: &str| Probe::passed(name, BOTH, sent, seen);
    let head =
        |name, sent: String, seen: &str| Probe::passed(name, BOTH, sent, seen).to("HEAD /probe HTTP/1.1");
    let none = "HTTP/1.1 204 No Content\r\n\r\n";
    let same = "HTTP/1.1 304 Not Modified\r\n\r\n";
    vec![
        row("204 with a body", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", none),
        row(
            "204 with chunks",
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            none,
        ),
        row("204 with an answer behind it", &format!("{none}{POISON}"), none),
        row(
            "304 with a length and no body",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        ),
        row(
            "304 with a body",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        ),
        row(
            "304 with chunks",
            "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            same,
        ),
        row("304 with an answer behind it", &format!("{same}{POISON}"), same),
        head(
            "an answer to HEAD with a body",
            ok("Content-Length: 5\r\n", "hello"),
            &ok("Content-Length: 5\r\n", ""),
        ),
        head("an answer to HEAD with chunks", chunked("5\r\nhello\r\n0\r\n\r\n"), &ok("", "")),
        head(
            "an answer to HEAD with an answer behind it",
            ok("Content-Length: 5\r\n", POISON),
            &ok("Content-Length: 5\r\n", ""),
        ),
    ]
}

/// Bytes behind an answer's end: never the next request's answer.
fn surplus() -> Vec<Probe> {
    let abc = ok("Content-Length: 3\r\n", "abc");
    let chunks = chunked("3\r\nabc\r\n0\r\n\r\n");
    let row = |name, sent: String, seen: &str| Probe::passed(name, BOTH, sent, seen);
    vec![
        row("two answers", format!("{abc}{POISON}"), &abc),
        row("a byte behind a length", format!("{abc}X"), &abc),
        row("a line end behind a length", format!("{abc}\r\n"), &abc),
        row("a length of 0 and a body", ok("Content-Length: 0\r\n", "abc"), &ok("Content-Length: 0\r\n", "")),
        row("an answer behind chunks", format!("{chunks}{POISON}"), &chunks),
        row("a chunk behind the last one", format!("{chunks}3\r\nabc\r\n"), &chunks),
    ]
}

fn clear() -> Vec<Probe> {
    let row = |name, section, sent: &str, seen: &str| Probe::passed(name, section, sent, seen);
    vec![
        row("a body that ends with its connection", BOTH, &ok("", "abc"), &chunked("3\r\nabc\r\n0\r\n\r\n"))
            .closes(),
        row("a body of HTTP/1.0", BOTH, "HTTP/1.0 200 OK\r\n\r\nabc", &chunked("3\r\nabc\r\n0\r\n\r\n"))
            .closes(),
        row("no body, ended by its connection", BOTH, &ok("", ""), &chunked("0\r\n\r\n")).closes(),
        row(
            "close and a length",
            "9112 §9.6",
            &ok("Connection: close\r\nContent-Length: 3\r\n", "abc"),
            &ok("Content-Length: 3\r\n", "abc"),
        )
        .closes(),
        row(
            "205 with a length of 0",
            "9110 §15.3.6",
            "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
        ),
        Probe::ended(
            "chunks for a client of HTTP/1.0",
            CODING,
            chunked("3\r\nabc\r\n0\r\nX: 1\r\n\r\n"),
            ok("Connection: close\r\n", "abc"),
        )
        .to("GET /probe HTTP/1.0"),
    ]
}
