//! Length, coding, both: the classic ways to let two readers disagree where a request ends.

use crate::table::{Probe, SMUGGLED, get, post, posted, posted_chunks};

const LENGTH: &str = "9112 §6.2";
const CODING: &str = "9112 §6.1";
const BOTH: &str = "9112 §6.3";

pub(crate) fn probes() -> Vec<Probe> {
    [both(), lengths(), codings(), disguised(), clear()].into_iter().flatten().collect()
}

fn both() -> Vec<Probe> {
    let cl_te = post("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n");
    let te_cl = post("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n");
    let te_zero = post("Transfer-Encoding: chunked\r\nContent-Length: 0", "0\r\n\r\n");
    let te_short =
        post("Transfer-Encoding: chunked\r\nContent-Length: 4", "5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n");
    let te_bad = post("Transfer-Encoding: chunked\r\nContent-Length: x", "0\r\n\r\n");
    let unknown = post("Content-Length: 3\r\nTransfer-Encoding: gzip", "abc");
    let old =
        "POST /p HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n";
    vec![
        Probe::refused("CL.TE: length, then chunked", BOTH, cl_te, 400),
        Probe::refused("TE.CL: chunked, then length", BOTH, te_cl, 400),
        Probe::refused("chunked beside a length of 0", BOTH, te_zero, 400),
        Probe::refused("chunked beside a length that ends in the size line", BOTH, te_short, 400),
        Probe::refused("chunked beside a length that is no number", BOTH, te_bad, 400),
        Probe::refused("length beside a coding nobody knows", BOTH, unknown, 400),
        Probe::refused("length and chunked in HTTP/1.0", BOTH, old, 400),
    ]
}

fn lengths() -> Vec<Probe> {
    let row = |name, value: &str| {
        Probe::refused(name, LENGTH, post(&format!("Content-Length:{value}"), "abc"), 400)
    };
    let twice = |name, lines: &str| Probe::refused(name, BOTH, post(lines, "abcd"), 400);
    vec![
        row("length as a list", " 3, 3"),
        row("length as a list that differs", " 3, 4"),
        row("length with a comma behind it", " 3,"),
        row("length with a plus", " +3"),
        row("length with a minus", " -3"),
        row("length of minus nothing", " -0"),
        row("length in two words", " 3 3"),
        row("length in hexadecimal", " 0x3"),
        row("length with a fraction", " 3.0"),
        row("length with an exponent", " 3e0"),
        row("length with an underscore", " 1_0"),
        row("length that is empty", ""),
        row("length that is a word", " three"),
        row("length in quotes", " \"3\""),
        row("length with a parameter", " 3;q=1"),
        row("length in full-width digits", " \u{ff13}"),
        row("length of 2^64", " 18446744073709551616"),
        row("length of 2^64 + 3", " 18446744073709551619"),
        row("length of more digits than a number has", " 99999999999999999999999"),
        row("length with zeros for miles", " 00000000000000000000000000003"),
        row("length behind a vertical tab", " \u{b}3"),
        row("length behind a form feed", " \u{c}3"),
        row("length behind a no-break space", " \u{a0}3"),
        twice("two lengths that differ", "Content-Length: 3\r\nContent-Length: 4"),
        twice("two lengths that agree", "Content-Length: 3\r\nContent-Length: 3"),
        twice("two lengths in other cases", "Content-Length: 3\r\ncontent-length: 4"),
        twice("two lengths apart", "Content-Length: 3\r\nX: 1\r\nX: 2\r\nContent-Length: 0"),
    ]
}

fn codings() -> Vec<Probe> {
    let row = |name, value: &str, status| {
        let sent = post(&format!("Transfer-Encoding:{value}"), "3\r\nabc\r\n0\r\n\r\n");
        Probe::refused(name, CODING, sent, status)
    };
    vec![
        row("gzip, then chunked", " gzip, chunked", 501),
        row("chunked, then gzip", " chunked, gzip", 501),
        row("chunked twice in a list", " chunked, chunked", 501),
        row("identity", " identity", 501),
        row("chunked, then identity", " chunked, identity", 501),
        row("identity, then chunked", " identity, chunked", 501),
        row("a coding that ends in chunked", " xchunked", 501),
        row("a coding that begins with chunked", " chunkedx", 501),
        row("chunked in quotes", " \"chunked\"", 501),
        row("chunked with a parameter", " chunked;q=1", 501),
        row("chunked with a comma before it", " ,chunked", 501),
        row("chunked with a comma behind it", " chunked,", 501),
        row("no coding at all", "", 501),
        row("chunked behind a vertical tab", " \u{b}chunked", 400),
        row("chunked before a form feed", " chunked\u{c}", 400),
        row("chunked behind a no-break space", " \u{a0}chunked", 501),
        row("chunked with a carriage return behind it", " chunked\r", 400),
        row("chunked with a NUL behind it", " chunked\0", 400),
        row("two codings: chunked, chunked", " chunked\r\nTransfer-Encoding: chunked", 400),
        row("two codings: chunked, identity", " chunked\r\nTransfer-Encoding: identity", 400),
        row("two codings: identity, chunked", " identity\r\nTransfer-Encoding: chunked", 400),
        row("two codings: empty, chunked", "\r\ntransfer-encoding: chunked", 400),
        Probe::refused(
            "chunked in HTTP/1.0",
            CODING,
            "POST /p HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
    ]
}

/// Field lines that one reader takes for framing and another does not.
fn disguised() -> Vec<Probe> {
    let row = |name, line: &str| Probe::refused(name, "9112 §5.1", post(line, "0\r\n\r\n"), 400);
    vec![
        row("space between Transfer-Encoding and its colon", "Transfer-Encoding : chunked"),
        row("tab between Transfer-Encoding and its colon", "Transfer-Encoding\t: chunked"),
        row("space between Content-Length and its colon", "Content-Length : 5"),
        row("space before Transfer-Encoding", "X: 1\r\n Transfer-Encoding: chunked"),
        row("vertical tab before Transfer-Encoding", "\u{b}Transfer-Encoding: chunked"),
        row("NUL in Transfer-Encoding", "Transfer\0-Encoding: chunked"),
        row("carriage return before Transfer-Encoding", "X: 1\rTransfer-Encoding: chunked"),
        row("line feed before Transfer-Encoding", "X: 1\nTransfer-Encoding: chunked"),
        row("no-break space in Transfer-Encoding", "Transfer-Encoding\u{a0}: chunked"),
        row("length in a folded line", "Content-Length:\r\n 5"),
        row("coding in a folded line", "Transfer-Encoding:\r\n chunked"),
        row("coding folded in the middle", "Transfer-Encoding: chun\r\n\tked"),
        row("two colons", "Content-Length:: 5"),
        row("equals in place of a colon", "Content-Length= 5"),
    ]
}

/// What is not ambiguous goes through, in the gateway's own words.
fn clear() -> Vec<Probe> {
    let inner = SMUGGLED.len();
    let in_get = get(format!("Content-Length: {inner}\r\n\r\n{}", SMUGGLED.trim_end()));
    let seen_get = format!("GET /p HTTP/1.1\r\nHost: h\r\n{{via}}Content-Length: {inner}\r\n\r\n{SMUGGLED}");
    vec![
        Probe::forwarded(
            "a length",
            LENGTH,
            post("Content-Length: 3", "abc"),
            posted("Content-Length: 3", "abc"),
        ),
        Probe::forwarded(
            "a length with a zero before it and tabs around it",
            LENGTH,
            post("content-LENGTH:\t 03 \t", "abc"),
            posted("Content-Length: 3", "abc"),
        ),
        Probe::forwarded(
            "chunked in capitals",
            "9112 §7",
            post("Transfer-Encoding: CHUNKED", "3\r\nabc\r\n0\r\n\r\n"),
            posted_chunks("3\r\nabc\r\n0\r\n\r\n"),
        ),
        Probe::forwarded(
            "chunked between tabs",
            "9112 §5.1",
            post("Transfer-Encoding:\tchunked\t", "3\r\nabc\r\n0\r\n\r\n"),
            posted_chunks("3\r\nabc\r\n0\r\n\r\n"),
        ),
        Probe::forwarded("CL.0: a GET whose body is a request", "9110 §9.3.1", in_get, seen_get),
        Probe::forwarded(
            "a POST with a length of 0",
            LENGTH,
            post("Content-Length: 0", ""),
            posted("Content-Length: 0", ""),
        ),
        Probe::forwarded(
            "a POST with no length",
            BOTH,
            post("X: 1", ""),
            "POST /p HTTP/1.1\r\nHost: h\r\nX: 1\r\n{via}Content-Length: 0\r\n\r\n",
        ),
        Probe::forwarded(
            "a field that is nearly a length",
            "9110 §5.1",
            post("Content_Length: 9\r\nContent-Length: 3", "abc"),
            "POST /p HTTP/1.1\r\nHost: h\r\n{via}Content-Length: 3\r\n\r\nabc",
        ),
        Probe::forwarded(
            "a field that is nearly a coding",
            "9110 §5.1",
            post("Transfer_Encoding: chunked\r\nContent-Length: 3", "abc"),
            "POST /p HTTP/1.1\r\nHost: h\r\n{via}Content-Length: 3\r\n\r\nabc",
        ),
        Probe::forwarded(
            "a content coding is no transfer coding",
            "9110 §8.4",
            post("Content-Encoding: chunked\r\nContent-Length: 3", "abc"),
            "POST /p HTTP/1.1\r\nHost: h\r\nContent-Encoding: chunked\r\n{via}Content-Length: 3\r\n\r\nabc",
        ),
    ]
}
