//! Too much of anything: refused with the status that says so, before the upstream sees it.

use std::fmt::Write as _;

use lockgate_tests::MAX_BODY;

use crate::table::{Probe, VIA, get, got, line, post};

const TARGET: &str = "9110 §15.5.15";
const FIELDS: &str = "6585 §5";
const CONTENT: &str = "9110 §15.5.14";

pub(crate) fn probes() -> Vec<Probe> {
    let long = "a".repeat(1 << 20);
    let fields = |count: usize| {
        (0..count).fold(String::new(), |mut lines, at| {
            let _ = write!(lines, "X-{at}: 1\r\n");
            lines
        })
    };
    let huge = MAX_BODY + 1;
    let target = "a".repeat(8_000);
    vec![
        Probe::refused("a target of a megabyte", TARGET, line(format!("GET /{long} HTTP/1.1")), 414),
        Probe::refused(
            "a target of 20,000 bytes",
            TARGET,
            line(format!("GET /{} HTTP/1.1", "a".repeat(20_000))),
            414,
        ),
        Probe::refused(
            "an absolute target of 20,000 bytes",
            TARGET,
            line(format!("GET http://{}/ HTTP/1.1", "a".repeat(20_000))),
            414,
        ),
        Probe::refused("a method of a megabyte", "9112 §3", line(format!("{long} / HTTP/1.1")), 414),
        Probe::refused("a field of a megabyte", FIELDS, get(format!("X: {long}")), 431),
        Probe::refused("a name of a megabyte", FIELDS, get(format!("{long}: x")), 431),
        Probe::refused(
            "a Host of a megabyte",
            FIELDS,
            format!("GET / HTTP/1.1\r\nHost: {long}\r\n\r\n"),
            431,
        ),
        Probe::refused("2,000 fields", FIELDS, get(fields(2_000).trim_end()), 431),
        Probe::refused("101 fields", FIELDS, get(fields(100).trim_end()), 431),
        Probe::refused("a megabyte of empty lines", "9112 §2.2", "\r\n".repeat(1 << 19), 431),
        Probe::refused(
            "a length beyond the limit",
            CONTENT,
            post(&format!("Content-Length: {huge}"), ""),
            413,
        ),
        Probe::refused("a length of 10^17", CONTENT, post("Content-Length: 100000000000000000", ""), 413),
        Probe::forwarded("100 fields", FIELDS, get(fields(99).trim_end()), got(&fields(99))),
        Probe::forwarded(
            "a target of 8,000 bytes",
            TARGET,
            line(format!("GET /{target} HTTP/1.1")),
            format!("GET /{target} HTTP/1.1\r\nHost: h\r\n{VIA}\r\n"),
        ),
    ]
}
