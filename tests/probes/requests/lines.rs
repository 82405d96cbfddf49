//! Request lines: method, target, version, and what stands between them.

use crate::table::{Probe, VIA, line};

const LINE: &str = "9112 §3";
const METHOD: &str = "9112 §3.1";
const TARGET: &str = "9112 §3.2";
const VERSION: &str = "9112 §2.3";
const BEFORE: &str = "9112 §2.2";

pub(crate) fn probes() -> Vec<Probe> {
    [spaces(), methods(), targets(), versions(), before(), clear()].into_iter().flatten().collect()
}

fn spaces() -> Vec<Probe> {
    let row = |name, text: &str| Probe::refused(name, LINE, line(text), 400);
    vec![
        row("two spaces behind the method", "GET  /a HTTP/1.1"),
        row("two spaces behind the target", "GET /a  HTTP/1.1"),
        row("a space before the method", " GET /a HTTP/1.1"),
        row("a space behind the version", "GET /a HTTP/1.1 "),
        row("a space in the target", "GET /a b HTTP/1.1"),
        row("a request in the target", "GET /a HTTP/1.1 /b HTTP/1.1"),
        row("a tab behind the method", "GET\t/a HTTP/1.1"),
        row("a tab behind the target", "GET /a\tHTTP/1.1"),
        row("a vertical tab behind the target", "GET /a\u{b}HTTP/1.1"),
        row("a carriage return behind the target", "GET /a\rHTTP/1.1"),
        row("a method alone", "GET"),
        row("a method and a space", "GET "),
        row("a target alone", "/a HTTP/1.1"),
        row("a version alone", "HTTP/1.1"),
    ]
}

fn methods() -> Vec<Probe> {
    let row = |name, text: &str, status| Probe::refused(name, METHOD, line(text), status);
    vec![
        row("a method with a bracket", "G(T /a HTTP/1.1", 400),
        row("a method with a slash", "GET/ /a HTTP/1.1", 400),
        row("a method with a colon", "GET: /a HTTP/1.1", 400),
        row("a method with a NUL", "G\0T /a HTTP/1.1", 400),
        row("a method beyond ASCII", "G\u{c9}T /a HTTP/1.1", 400),
        Probe::refused("CONNECT", "9110 §9.3.6", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", 405),
        Probe::refused("CONNECT with a path", "9110 §9.3.6", line("CONNECT /p HTTP/1.1"), 405),
        Probe::refused(
            "CONNECT with a body",
            "9110 §9.3.6",
            "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nContent-Length: 3\r\n\r\nabc",
            405,
        ),
    ]
}

fn targets() -> Vec<Probe> {
    let row = |name, text: &[u8]| Probe::refused(name, TARGET, line(text), 400);
    vec![
        row("a target without a slash", b"GET a HTTP/1.1"),
        row("a target that is a query", b"GET ?x HTTP/1.1"),
        row("a target that is a fragment", b"GET #x HTTP/1.1"),
        row("a target with a fragment", b"GET /a#b HTTP/1.1"),
        row("a target with a NUL", b"GET /a\0 HTTP/1.1"),
        row("a target with a control", b"GET /a\x01 HTTP/1.1"),
        row("a target with DEL", b"GET /a\x7f HTTP/1.1"),
        row("a star that is not of OPTIONS", b"GET * HTTP/1.1"),
        row("a star with a path", b"OPTIONS */a HTTP/1.1"),
        row("a target that is not UTF-8", b"GET /\xff\xfe HTTP/1.1"),
    ]
}

fn versions() -> Vec<Probe> {
    let row = |name, text: &str, status| Probe::refused(name, VERSION, line(text), status);
    vec![
        row("no version", "GET /a", 400),
        row("HTTP/0.9", "GET /a HTTP/0.9", 505),
        row("HTTP/1.2", "GET /a HTTP/1.2", 505),
        row("HTTP/1.9", "GET /a HTTP/1.9", 505),
        row("HTTP/2.0", "GET /a HTTP/2.0", 505),
        row("HTTP/3.0", "GET /a HTTP/3.0", 505),
        row("HTTP/1", "GET /a HTTP/1", 400),
        row("HTTP/11", "GET /a HTTP/11", 400),
        row("HTTP/1.10", "GET /a HTTP/1.10", 400),
        row("HTTP/01.1", "GET /a HTTP/01.1", 400),
        row("HTTP/1.2.3", "GET /a HTTP/1.2.3", 400),
        row("HTTP/1,1", "GET /a HTTP/1,1", 400),
        row("http/1.1 in small letters", "GET /a http/1.1", 400),
        row("HTTQ/1.1", "GET /a HTTQ/1.1", 400),
        row("HTTPS/1.1", "GET /a HTTPS/1.1", 400),
        row("ICY/1.1", "GET /a ICY/1.1", 400),
        Probe::refused("a simple request of HTTP/0.9", VERSION, "GET /a\r\n\r\n", 400),
    ]
}

fn before() -> Vec<Probe> {
    let plain = "GET /p HTTP/1.1\r\nHost: h\r\n\r\n";
    let row = |name, start: &str| Probe::refused(name, BEFORE, format!("{start}{plain}"), 400);
    vec![
        row("a line feed before the request", "\n"),
        row("a space before the request", " "),
        row("a line with a space before the request", " \r\n"),
        row("a NUL before the request", "\0"),
        row("a byte order mark before the request", "\u{feff}"),
        row("a response in place of a request", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        Probe::refused(
            "a TLS handshake",
            BEFORE,
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            400,
        ),
        Probe::refused(
            "a PROXY line",
            BEFORE,
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET /p HTTP/1.1\r\n\r\n",
            400,
        ),
        Probe::refused("half an HTTP/2 preface", "9113 §3.4", "PRI * HTTP/2.0\r\n\r\n", 505),
    ]
}

fn clear() -> Vec<Probe> {
    let row = |name, section, start: &str| {
        Probe::forwarded(name, section, line(start), format!("{start}\r\nHost: h\r\n{VIA}\r\n"))
    };
    let plain = "GET /p HTTP/1.1\r\nHost: h\r\n\r\n";
    let seen = format!("GET /p HTTP/1.1\r\nHost: h\r\n{VIA}\r\n");
    vec![
        row("a method in small letters", METHOD, "get /a HTTP/1.1"),
        row("a method nobody knows", METHOD, "BREW /a HTTP/1.1"),
        row("TRACE", "9110 §9.3.8", "TRACE /a HTTP/1.1"),
        // A star is well formed, and no route matches it.
        Probe::forwarded("OPTIONS with a star", "9112 §3.2.4", line("OPTIONS * HTTP/1.1"), "")
            .answers(&[404]),
        // The framing is clear and the path is not: it is refused alone, and the connection goes on.
        Probe::forwarded("an escape that is none", TARGET, line("GET /%zz HTTP/1.1"), "").answers(&[400]),
        Probe::forwarded("half an escape", TARGET, line("GET /%2 HTTP/1.1"), "").answers(&[400]),
        Probe::forwarded("an escaped NUL", TARGET, line("GET /a%00 HTTP/1.1"), "").answers(&[400]),
        row("a target in its own encoding", TARGET, "GET /a%2Fb%20c%C3%A9?x=%26&y=%zz HTTP/1.1"),
        row("a target with brackets and bars", TARGET, "GET /a?x[]={b|c}^`\\ HTTP/1.1"),
        row("a query with a question mark", TARGET, "GET /a?b?c HTTP/1.1"),
        row("an empty query", TARGET, "GET /a? HTTP/1.1"),
        Probe::forwarded("an empty line before the request", BEFORE, format!("\r\n{plain}"), &seen),
        Probe::forwarded(
            "three empty lines before the request",
            BEFORE,
            format!("\r\n\r\n\r\n{plain}"),
            &seen,
        ),
        Probe::forwarded("HTTP/1.0", VERSION, "GET /p HTTP/1.0\r\nHost: h\r\n\r\n", &seen).closes(),
    ]
}
