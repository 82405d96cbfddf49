//! Bodies where none is expected, requests behind requests, and expectations.

use crate::table::{Probe, SMUGGLED, VIA, get, got, post, posted, posted_chunks};

const CONTENT: &str = "9110 §6.4";
const PIPELINE: &str = "9112 §9.3.2";
const EXPECT: &str = "9110 §10.1.1";
const INCOMPLETE: &str = "9112 §8";

pub(crate) fn probes() -> Vec<Probe> {
    [contents(), pipelines(), expectations(), incomplete()].into_iter().flatten().collect()
}

fn contents() -> Vec<Probe> {
    let row = |name, method: &str| {
        let sent = format!("{method} /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
        let seen = format!("{method} /p HTTP/1.1\r\nHost: h\r\n{VIA}Content-Length: 3\r\n\r\nabc");
        Probe::forwarded(name, CONTENT, sent, seen)
    };
    let chunks = |name, method: &str| {
        let rest = "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        let sent = format!("{method} /p HTTP/1.1\r\nHost: h\r\n{rest}");
        Probe::forwarded(name, CONTENT, sent, format!("{method} /p HTTP/1.1\r\nHost: h\r\n{VIA}{rest}"))
    };
    vec![
        row("a HEAD with a body", "HEAD"),
        row("a DELETE with a body", "DELETE"),
        row("an OPTIONS with a body", "OPTIONS"),
        row("a TRACE with a body", "TRACE"),
        row("a method nobody knows with a body", "BREW"),
        chunks("TE.0: an OPTIONS with chunks", "OPTIONS"),
        chunks("a GET with chunks", "GET"),
        chunks("a HEAD with chunks", "HEAD"),
        Probe::forwarded("a GET with a length of 0", CONTENT, get("Content-Length: 0"), got("")),
        Probe::forwarded(
            "X-HTTP-Method-Override is a field like others",
            CONTENT,
            get("X-HTTP-Method-Override: PUT"),
            got("X-HTTP-Method-Override: PUT\r\n"),
        ),
    ]
}

fn pipelines() -> Vec<Probe> {
    let smuggled = format!("GET /smuggled HTTP/1.1\r\nHost: h\r\n{VIA}\r\n");
    let two = |name, first: Vec<u8>, seen: String| {
        let sent = [&first[..], SMUGGLED.as_bytes()].concat();
        Probe::forwarded(name, PIPELINE, sent, seen + &smuggled).answers(&[200, 200])
    };
    let bad = |name, second: &str, status| {
        let sent = [&get(""), second.as_bytes(), SMUGGLED.as_bytes()].concat();
        Probe::forwarded(name, PIPELINE, sent, got("")).answers(&[200, status]).closes()
    };
    let chunks = "3\r\nabc\r\n0\r\n\r\n";
    vec![
        two("two requests in one piece", get("X: 1"), got("X: 1\r\n")),
        two(
            "a request behind a body",
            post("Content-Length: 3", "abc").into(),
            posted("Content-Length: 3", "abc"),
        ),
        two(
            "a request behind chunks",
            post("Transfer-Encoding: chunked", chunks).into(),
            posted_chunks(chunks),
        ),
        two(
            "an empty line between two requests",
            post("Content-Length: 3", "abc\r\n").into(),
            posted("Content-Length: 3", "abc"),
        ),
        bad(
            "a request of two lengths behind a good one",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            400,
        ),
        bad("an HTTP/2 preface behind a good one", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        bad("a TLS record behind a good one", "\u{16}\u{3}\u{1}\0\0\r\n\r\n", 400),
        bad("a CONNECT behind a good one", "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        bad("a body nobody announced behind a GET", "abc=1&d=2\r\n\r\n", 400),
        Probe::forwarded(
            "a body longer than its length",
            PIPELINE,
            post("Content-Length: 3", &format!("abcX{SMUGGLED}")),
            format!("{}XGET /smuggled HTTP/1.1\r\nHost: h\r\n{VIA}\r\n", posted("Content-Length: 3", "abc")),
        )
        .answers(&[200, 200]),
    ]
}

fn expectations() -> Vec<Probe> {
    let row = |name, value: &str| {
        let sent = post(&format!("Expect: {value}\r\nContent-Length: 3"), "abc");
        Probe::forwarded(name, EXPECT, sent, posted("Content-Length: 3", "abc"))
    };
    vec![
        row("an expectation whose body is there", "100-continue"),
        row("an expectation in capitals", "100-CONTINUE"),
        row("an expectation twice", "100-continue\r\nExpect: 100-continue"),
        row("an expectation nobody knows", "200-ok"),
        row("an expectation behind a letter", "y 100-continue"),
        row("an expectation in a list", "100-continue, 100-continue"),
        row("an expectation of nothing", ""),
        Probe::forwarded("an expectation of a GET", EXPECT, get("Expect: 100-continue"), got("")),
        Probe::forwarded(
            "0.CL: an expectation with a length of 0",
            EXPECT,
            get("Expect: 100-continue\r\nContent-Length: 0"),
            got(""),
        ),
        Probe::forwarded(
            "an expectation of HTTP/1.0",
            EXPECT,
            "POST /p HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
            posted("Content-Length: 3", "abc"),
        )
        .closes(),
    ]
}

fn incomplete() -> Vec<Probe> {
    let row = |name, sent: String, seen: String| Probe::broken_off(name, INCOMPLETE, sent, 400, seen).alone();
    vec![
        row(
            "0.CL: a body that stops before its length",
            post("Content-Length: 9", "abc"),
            posted("Content-Length: 9", "abc"),
        ),
        row("a body that does not begin", post("Content-Length: 9", ""), posted("Content-Length: 9", "")),
        row(
            "a body of 9 whose rest is no request",
            post("Content-Length: 9", "abc\r\n\r\n"),
            posted("Content-Length: 9", "abc\r\n\r\n"),
        ),
    ]
}
