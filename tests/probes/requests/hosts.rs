//! Host and authority: who a request is for, said once.

use crate::table::{CALLER, Probe, VIA};

const HOST: &str = "9112 §3.2";
const SYNTAX: &str = "9110 §7.2";
const ABSOLUTE: &str = "9112 §3.2.2";

pub(crate) fn probes() -> Vec<Probe> {
    [counts(), values(), absolute(), clear(), targets()].into_iter().flatten().collect()
}

fn counts() -> Vec<Probe> {
    let row = |name, sent: &str| Probe::refused(name, HOST, sent, 400);
    vec![
        row("no Host", "GET /p HTTP/1.1\r\n\r\n"),
        row("no Host, but X-Forwarded-Host", "GET /p HTTP/1.1\r\nX-Forwarded-Host: h\r\n\r\n"),
        row("two Hosts that differ", "GET /p HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        row("two Hosts that agree", "GET /p HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        row("two Hosts in other cases", "GET /p HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n"),
        row("two Hosts, one empty", "GET /p HTTP/1.1\r\nHost:\r\nHost: a\r\n\r\n"),
        row("two Hosts in HTTP/1.0", "GET /p HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
        row("two Hosts beside an absolute target", "GET http://a/p HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        row("no Host beside an absolute target", "GET http://a/p HTTP/1.1\r\n\r\n"),
    ]
}

fn values() -> Vec<Probe> {
    let row = |name, host: &str| {
        Probe::refused(name, SYNTAX, format!("GET /p HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400)
    };
    vec![
        row("Host with a space", "a b"),
        row("Host with a tab", "a\tb"),
        row("Host as a list", "a, b"),
        row("Host as a list without spaces", "a,b"),
        row("Host with a slash", "a/b"),
        row("Host with a backslash", "a\\b"),
        row("Host with a user", "user@a"),
        row("Host with a user and a password", "user:secret@a"),
        row("Host with a query", "a?b"),
        row("Host with a fragment", "a#b"),
        row("Host with a scheme", "http://a"),
        row("Host with a port that is no number", "a:x"),
        row("Host with a port of minus one", "a:-1"),
        row("Host with two ports", "a:80:81"),
        row("Host in angle brackets", "<a>"),
        row("Host in quotes", "\"a\""),
        row("Host with a caret", "a^b"),
        row("Host in Cyrillic letters", "\u{430}"),
        row("Host of an address with a port that is no number", "[::1]:x"),
        row("Host of an address with something behind it", "[::1]a"),
        row("Host of an address that does not end", "[::1"),
        row("Host of an address that does not begin", "::1]"),
    ]
}

fn absolute() -> Vec<Probe> {
    let row = |name, target: &str| {
        Probe::refused(name, ABSOLUTE, format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"), 400)
    };
    vec![
        row("absolute target without an authority", "http:///p"),
        row("absolute target of nothing", "http://"),
        row("absolute target with a user", "http://user@a/p"),
        row("absolute target with a user that looks like the host", "http://h:80@evil/p"),
        row("absolute target with a backslash", "http://a\\@evil/p"),
        row("absolute target with a fragment", "http://a/p#x"),
        row("absolute target with a fragment for a path", "http://a#@h/p"),
        row("absolute target with one slash", "http:/a/p"),
        row("absolute target with no slash", "http:a/p"),
        row("absolute target of another scheme", "ftp://a/p"),
        row("absolute target of a file", "file:///etc/passwd"),
        row("absolute target with a port that is no number", "http://a:x/p"),
        row("a target that is an authority", "a:80"),
    ]
}

fn clear() -> Vec<Probe> {
    let row = |name, host: &str| {
        let sent = format!("GET /p HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let seen = format!("GET /p HTTP/1.1\r\nHost: {host}\r\n{VIA}\r\n");
        Probe::forwarded(name, SYNTAX, sent, seen)
    };
    vec![
        row("Host with a port", "a:8080"),
        row("Host that is empty", ""),
        row("Host of an address", "[::1]:80"),
        row("Host in capitals", "EXAMPLE.test"),
        row("Host with a dot behind it", "a.test."),
        Probe::forwarded(
            "what a client says of X-Forwarded-Host is replaced",
            "7239 §8.1",
            "GET /p HTTP/1.1\r\nHost: h\r\nX-Forwarded-Host: evil\r\nX-Real-IP: 1.2.3.4\r\n\r\n",
            format!("GET /p HTTP/1.1\r\nHost: h\r\n{VIA}\r\n"),
        ),
        Probe::forwarded(
            "HTTP/1.0 without a Host",
            HOST,
            "GET /p HTTP/1.0\r\n\r\n",
            format!("GET /p HTTP/1.1\r\nHost: \r\n{CALLER}\r\n"),
        )
        .closes(),
    ]
}

/// Targets that name a host of their own, or seem to; the client's Host is `b`.
fn targets() -> Vec<Probe> {
    let row = |name, section, sent: &str, seen: &str, host: &str| {
        Probe::forwarded(
            name,
            section,
            format!("GET {sent} HTTP/1.1\r\nHost: b\r\n\r\n"),
            format!("GET {seen} HTTP/1.1\r\nHost: {host}\r\n{VIA}\r\n"),
        )
    };
    vec![
        row("an absolute target wins over Host", ABSOLUTE, "http://a/p?x=1", "/p?x=1", "a"),
        row("an absolute target in capitals", ABSOLUTE, "HTTP://A:80/p", "/p", "A:80"),
        row("an absolute target without a path", ABSOLUTE, "http://a", "/", "a"),
        row("an absolute target with a query alone", ABSOLUTE, "http://a?x", "/?x", "a"),
        row("an absolute target of https", ABSOLUTE, "https://a/p", "/p", "a"),
        row("a target with two slashes is a path", "9112 §3.2.1", "//evil/p", "//evil/p", "b"),
        row("a target that holds a URL is a path", "9112 §3.2.1", "/http://evil/", "/http://evil/", "b"),
    ]
}
