//! Chunks: sizes, extensions, line ends, the last chunk and what follows it.

use crate::table::{Probe, SMUGGLED, chunked, posted_chunks};

const CHUNK: &str = "9112 §7.1";
const EXTENSION: &str = "9112 §7.1.1";
const TRAILER: &str = "9112 §7.1.2";

pub(crate) fn probes() -> Vec<Probe> {
    [sizes(), extensions(), ends(), trailers(), clear()].into_iter().flatten().collect()
}

/// Refused at the first chunk: the upstream has seen a head and no data.
fn row(name: &'static str, section: &'static str, body: impl AsRef<[u8]>) -> Probe {
    Probe::broken_off(name, section, chunked(body), 400, posted_chunks(""))
}

/// Refused behind the first chunk, which has gone on its way.
fn later(name: &'static str, section: &'static str, body: impl AsRef<[u8]>) -> Probe {
    Probe::broken_off(name, section, chunked(body), 400, posted_chunks("3\r\nabc\r\n"))
}

fn sizes() -> Vec<Probe> {
    vec![
        row("size with a minus", CHUNK, "-3\r\nabc\r\n0\r\n\r\n"),
        row("size with a plus", CHUNK, "+3\r\nabc\r\n0\r\n\r\n"),
        row("size with a prefix", CHUNK, "0x3\r\nabc\r\n0\r\n\r\n"),
        row("size with an underscore", CHUNK, "1_0\r\nabc\r\n0\r\n\r\n"),
        row("size in two words", CHUNK, "3 3\r\nabc\r\n0\r\n\r\n"),
        row("space before the size", CHUNK, " 3\r\nabc\r\n0\r\n\r\n"),
        row("space behind the size", CHUNK, "3 \r\nabc\r\n0\r\n\r\n"),
        row("tab behind the size", CHUNK, "3\t\r\nabc\r\n0\r\n\r\n"),
        row("no size", CHUNK, "\r\nabc\r\n0\r\n\r\n"),
        row("a size that is a letter", CHUNK, "g\r\nabc\r\n0\r\n\r\n"),
        row("a size in quotes", CHUNK, "\"3\"\r\nabc\r\n0\r\n\r\n"),
        row("a size in full-width digits", CHUNK, "\u{ff13}\r\nabc\r\n0\r\n\r\n"),
        row("a size with a NUL behind it", CHUNK, "3\0\r\nabc\r\n0\r\n\r\n"),
        row("a size of 2^64 + 3", CHUNK, "10000000000000003\r\nabc\r\n0\r\n\r\n"),
        row("a size of 2^63", CHUNK, "8000000000000000\r\nabc\r\n0\r\n\r\n"),
        row("a size in a million digits", CHUNK, format!("{}3\r\nabc\r\n0\r\n\r\n", "0".repeat(1 << 20))),
    ]
}

fn extensions() -> Vec<Probe> {
    vec![
        row("extension with a carriage return", EXTENSION, "3;a\rb\r\nabc\r\n0\r\n\r\n"),
        row("extension with a line feed", EXTENSION, "3;a\nabc\r\n0\r\n\r\n"),
        row("extension with a line feed and a size", EXTENSION, "2;\nxx\r\n3\r\nabc\r\n0\r\n\r\n"),
        row("extension with a NUL", EXTENSION, "3;a\0b\r\nabc\r\n0\r\n\r\n"),
        row("extension with a line end in quotes", EXTENSION, "3;a=\"\r\n\"\r\nabc\r\n0\r\n\r\n").after(
            // The size line ends at the first line end, quotes or not; what follows is data.
            "3\r\n\"\r\n\r\n",
        ),
        row("extension behind a space", EXTENSION, "3 ;a\r\nabc\r\n0\r\n\r\n"),
        row("extension without a semicolon", EXTENSION, "3a=b\r\nabc\r\n0\r\n\r\n"),
        row(
            "extension of 100,000 bytes",
            EXTENSION,
            format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(100_000)),
        ),
        later("extension of the last chunk with a line feed", EXTENSION, "3\r\nabc\r\n0;\n\r\n\r\n"),
    ]
}

fn ends() -> Vec<Probe> {
    vec![
        row("line feeds alone", CHUNK, "3\nabc\n0\n\n"),
        row("size line that ends with a line feed", CHUNK, "3\nabc\r\n0\r\n\r\n"),
        row("size line that ends with a carriage return", CHUNK, "3\rabc\r\n0\r\n\r\n"),
        row("size line that ends with two carriage returns", CHUNK, "3\r\r\nabc\r\n0\r\n\r\n"),
        later("data that ends with a line feed", CHUNK, "3\r\nabc\n0\r\n\r\n"),
        later("data that ends with a carriage return", CHUNK, "3\r\nabc\r0\r\n\r\n"),
        later("data that does not end", CHUNK, "3\r\nabc0\r\n\r\n"),
        later("garbage behind the data", CHUNK, "3\r\nabcXX0\r\n\r\n"),
        later("data longer than its size", CHUNK, "3\r\nabcd\r\n0\r\n\r\n"),
        later("an empty line between two chunks", CHUNK, "3\r\nabc\r\n\r\n0\r\n\r\n"),
        later("the last chunk ends with line feeds", CHUNK, "3\r\nabc\r\n0\n\n"),
        later("the last chunk has no empty line", TRAILER, "3\r\nabc\r\n0\r\n"),
        later("the last empty line is a line feed", TRAILER, "3\r\nabc\r\n0\r\n\n"),
        later("the last empty line is two carriage returns", TRAILER, "3\r\nabc\r\n0\r\n\r\r\n"),
        later("the client stops before the last chunk", CHUNK, "3\r\nabc\r\n").alone(),
        later("the client stops in the last chunk", CHUNK, "3\r\nabc\r\n0\r\n").alone(),
        row("the client stops in a size", CHUNK, "3").alone(),
        row("the client stops in the data", CHUNK, "5\r\nabc").alone().after("3\r\nabc\r\n"),
    ]
}

fn trailers() -> Vec<Probe> {
    vec![
        later("trailer without a colon", TRAILER, "3\r\nabc\r\n0\r\nbad\r\n\r\n"),
        later("trailer with a space in its name", TRAILER, "3\r\nabc\r\n0\r\na b: c\r\n\r\n"),
        later("trailer with a space before its colon", TRAILER, "3\r\nabc\r\n0\r\na : c\r\n\r\n"),
        later("trailer without a name", TRAILER, "3\r\nabc\r\n0\r\n: c\r\n\r\n"),
        later("trailer that is folded", TRAILER, "3\r\nabc\r\n0\r\na: b\r\n c\r\n\r\n"),
        later("trailer that ends with a line feed", TRAILER, "3\r\nabc\r\n0\r\na: b\nc: d\r\n\r\n"),
        later("trailer with a carriage return", TRAILER, "3\r\nabc\r\n0\r\na: b\rc\r\n\r\n"),
        later("trailer with a NUL", TRAILER, "3\r\nabc\r\n0\r\na: \0\r\n\r\n"),
        later(
            "trailers of 100,000 bytes",
            TRAILER,
            format!("3\r\nabc\r\n0\r\n{}\r\n", "A: 0123456789\r\n".repeat(10_000)),
        ),
    ]
}

fn clear() -> Vec<Probe> {
    let row = |name, section, body: &str, seen: &str| {
        Probe::forwarded(name, section, chunked(body), posted_chunks(seen))
    };
    let inner = format!("{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len());
    let abc = "3\r\nabc\r\n0\r\n\r\n";
    vec![
        row("no data", CHUNK, "0\r\n\r\n", "0\r\n\r\n"),
        row("data that is a request", CHUNK, &inner, &inner),
        row("data that is a last chunk", CHUNK, "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "5\r\n0\r\n\r\n\r\n0\r\n\r\n"),
        row("a size in capitals", CHUNK, "A\r\n0123456789\r\n0\r\n\r\n", "a\r\n0123456789\r\n0\r\n\r\n"),
        row("a size with zeros before it", CHUNK, &format!("{}{abc}", "0".repeat(50)), abc),
        row("a last chunk of many zeros", CHUNK, "3\r\nabc\r\n00000\r\n\r\n", abc),
        row("an extension is not passed on", EXTENSION, "3;a=b\r\nabc\r\n0;c\r\n\r\n", abc),
        row("an empty extension", EXTENSION, "3;\r\nabc\r\n0\r\n\r\n", abc),
        row("a trailer", TRAILER, "3\r\nabc\r\n0\r\nX-Sum:1 \r\n\r\n", "3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"),
        row(
            "a trailer that names a length",
            "9110 §6.5.1",
            "3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n",
            abc,
        ),
        row(
            "a trailer that names a coding",
            "9110 §6.5.1",
            "3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
            abc,
        ),
        row("a trailer that names a host", "9110 §6.5.1", "3\r\nabc\r\n0\r\nHost: evil\r\n\r\n", abc),
        row("a trailer that authorizes", "9110 §6.5.1", "3\r\nabc\r\n0\r\nAuthorization: x\r\n\r\n", abc),
        row(
            "a trailer that says who called",
            "9110 §6.5.1",
            "3\r\nabc\r\n0\r\nX-Real-IP: 1.2.3.4\r\n\r\n",
            abc,
        ),
        row("a trailer of the connection", "9110 §7.6.1", "3\r\nabc\r\n0\r\nConnection: close\r\n\r\n", abc),
    ]
}
