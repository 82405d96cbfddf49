//! Status lines, header fields and interim answers of upstreams.

use super::{Probe, ok};

const STATUS: &str = "9112 §4";
const FIELD: &str = "9112 §5";
const INTERIM: &str = "9110 §15.2";
const REST: &str = "Content-Length: 2\r\n\r\nok";

pub(crate) fn probes() -> Vec<Probe> {
    [status_lines(), fields(), interims(), switches(), clear()].into_iter().flatten().collect()
}

fn status_lines() -> Vec<Probe> {
    let row = |name, start: &str| Probe::bad(name, STATUS, format!("{start}\r\n{REST}"));
    vec![
        row("a status of four digits", "HTTP/1.1 2000 OK"),
        row("a status of two digits", "HTTP/1.1 20 OK"),
        row("a status of letters", "HTTP/1.1 abc OK"),
        row("a status with a sign", "HTTP/1.1 +20 OK"),
        row("a status below 100", "HTTP/1.1 099 OK"),
        row("no status", "HTTP/1.1"),
        row("a space before the version", " HTTP/1.1 200 OK"),
        row("two spaces before the status", "HTTP/1.1  200 OK"),
        row("a tab before the status", "HTTP/1.1\t200 OK"),
        row("a version of HTTP/0.9", "HTTP/0.9 200 OK"),
        row("a version of HTTP/1.2", "HTTP/1.2 200 OK"),
        row("a version of HTTP/2.0", "HTTP/2.0 200 OK"),
        row("a version in small letters", "http/1.1 200 OK"),
        row("an answer of ICY", "ICY 200 OK"),
        row("an answer of SSH", "SSH-2.0-OpenSSH_9.2p1"),
        row("a request in place of an answer", "GET / HTTP/1.1"),
        row("a reason with a NUL", "HTTP/1.1 200 O\0K"),
        row("a reason with a carriage return", "HTTP/1.1 200 O\rK"),
        Probe::bad("an empty line before the answer", STATUS, format!("\r\nHTTP/1.1 200 OK\r\n{REST}")),
        Probe::bad("a line feed before the answer", STATUS, format!("\nHTTP/1.1 200 OK\r\n{REST}")),
        Probe::bad("lines that end with line feeds", "9112 §2.2", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
        Probe::bad(
            "a field that ends with a line feed",
            "9112 §2.2",
            format!("HTTP/1.1 200 OK\r\nX: 1\n{REST}"),
        ),
        Probe::bad(
            "a head that ends with a line feed",
            "9112 §2.2",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nok",
        ),
        Probe::bad("an answer of HTML", STATUS, "<html>no head at all</html>\r\n\r\n").closes(),
        Probe::bad("an answer of TLS", STATUS, b"\x15\x03\x01\x00\x02\x02\x46").closes(),
        Probe::bad("no answer", "9112 §9.6", "").closes(),
        Probe::bad("half a status line", "9112 §8", "HTTP/1.1 20").closes(),
        Probe::bad("half a head", "9112 §8", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n").closes(),
    ]
}

fn fields() -> Vec<Probe> {
    let row = |name, section, line: &str| {
        Probe::bad(name, section, ok(&format!("{line}\r\nContent-Length: 2\r\n"), "ok"))
    };
    vec![
        row("a folded field", "9112 §5.2", "X: a\r\n folded"),
        row("a field with a NUL", FIELD, "X: a\0b"),
        row("a field with a control", FIELD, "X: a\u{1}b"),
        row("a field with a carriage return", FIELD, "X: a\rb"),
        row("a field with a space before its colon", "9112 §5.1", "X : a"),
        row("a field without a colon", FIELD, "X"),
        row("a field without a name", FIELD, ": a"),
        row("a field whose name is no token", FIELD, "X Y: a"),
        row("a space before the first field", FIELD, " X: a"),
        row("an answer among the fields", FIELD, "HTTP/1.1 200 OK"),
        Probe::bad("101 fields", "9110 §5.4", ok(&"X: 1\r\n".repeat(101), "")),
        Probe::bad(
            "a head of 200,000 bytes",
            "9110 §5.4",
            ok(&format!("X: {}\r\n", "a".repeat(200_000)), ""),
        ),
    ]
}

fn interims() -> Vec<Probe> {
    let final_ok = ok("Content-Length: 2\r\n", "ok");
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    vec![
        Probe::bad(
            "101 that nobody asked for",
            "9110 §7.8",
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: evil\r\n\r\nraw bytes",
        ),
        Probe::bad(
            "an interim answer with a body",
            INTERIM,
            format!("HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nhello{final_ok}"),
        ),
        Probe::bad("an interim answer and no more", INTERIM, interim).closes(),
        Probe::bad("a thousand interim answers", INTERIM, interim.repeat(1000) + &final_ok),
        Probe::bad(
            "an interim answer with two lengths",
            INTERIM,
            format!("HTTP/1.1 100 Continue\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n{final_ok}"),
        ),
    ]
}

/// Answers to a client that asks to go over to WebSocket.
fn switches() -> Vec<Probe> {
    let ask = "GET /probe HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket";
    let bad = |name, lines: &str| {
        Probe::bad(name, "9110 §7.8", format!("HTTP/1.1 101 Switching Protocols\r\n{lines}\r\nraw")).to(ask)
    };
    let granted = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nraw";
    vec![
        bad("101 for another protocol", "Connection: Upgrade\r\nUpgrade: h2c\r\n"),
        bad("101 for no protocol", "Connection: Upgrade\r\n"),
        bad("101 whose Connection does not name Upgrade", "Upgrade: websocket\r\n"),
        bad(
            "101 with two lengths",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
        ),
        Probe::ended("101 that was asked for", "9110 §7.8", granted, granted).closes().to(ask),
        Probe::passed(
            "an ordinary answer to who asks to go over",
            "9110 §7.8",
            ok("Content-Length: 2\r\n", "no"),
            ok("Content-Length: 2\r\n", "no"),
        )
        .to(ask),
        Probe::passed(
            "interim answers are passed on",
            INTERIM,
            format!("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{}", ok("Content-Length: 2\r\n", "ok")),
            format!("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{}", ok("Content-Length: 2\r\n", "ok")),
        ),
        Probe::passed(
            "an interim answer for a client of HTTP/1.0",
            INTERIM,
            format!("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{}", ok("Content-Length: 2\r\n", "ok")),
            ok("Content-Length: 2\r\nConnection: keep-alive\r\n", "ok"),
        )
        .to("GET /probe HTTP/1.0\r\nConnection: keep-alive"),
    ]
}

fn clear() -> Vec<Probe> {
    let row = |name, sent: &str, seen: &str| {
        Probe::passed(name, STATUS, format!("{sent}\r\n{REST}"), format!("{seen}\r\n{REST}"))
    };
    let nobody = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";
    let field = |name, section, lines: &str, seen: &str| {
        Probe::passed(
            name,
            section,
            format!("{nobody}{lines}\r\n"),
            format!("HTTP/1.1 200 OK\r\n{seen}Content-Length: 0\r\n\r\n"),
        )
    };
    vec![
        row("a reason of their own", "HTTP/1.1 200 Fine by me", "HTTP/1.1 200 OK"),
        row("no reason", "HTTP/1.1 200 ", "HTTP/1.1 200 OK"),
        row("no reason and no space", "HTTP/1.1 200", "HTTP/1.1 200 OK"),
        row("a status nobody knows", "HTTP/1.1 299 Odd", "HTTP/1.1 299 "),
        row("a status beyond 599", "HTTP/1.1 600 Odd", "HTTP/1.1 600 "),
        row("an answer of HTTP/1.0", "HTTP/1.0 200 OK", "HTTP/1.1 200 OK"),
        field("fields twice, in order", "9110 §5.3", "B: 1\r\na: 2\r\nb: 3\r\n", "B: 1\r\na: 2\r\nb: 3\r\n"),
        field("a field that Connection names", "9110 §7.6.1", "Connection: x-hop\r\nX-Hop: 1\r\n", ""),
        field("Connection names Content-Length", "9110 §7.6.1", "Connection: content-length\r\n", ""),
        field(
            "fields of the connection",
            "9110 §7.6.1",
            "Keep-Alive: 1\r\nProxy-Connection: a\r\nUpgrade: h2c\r\n",
            "",
        ),
        field("a proxy's question", "9110 §11.7.1", "Proxy-Authenticate: Basic\r\n", ""),
    ]
}
