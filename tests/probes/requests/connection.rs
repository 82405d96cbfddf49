//! Connection and what it names: hop-by-hop fields, keep-alive, offers to speak something else.

use crate::table::{Probe, SMUGGLED, get, got, post, posted, posted_chunks};

const NAMED: &str = "9110 §7.6.1";
const KEPT: &str = "9112 §9.3";
const CLOSED: &str = "9112 §9.6";
const UPGRADE: &str = "9110 §7.8";

pub(crate) fn probes() -> Vec<Probe> {
    [named(), kept(), upgrades()].into_iter().flatten().collect()
}

fn named() -> Vec<Probe> {
    let row = |name, lines: &str, seen: &str| Probe::forwarded(name, NAMED, get(lines), got(seen));
    let many: Vec<_> = (0..33).map(|at| format!("X-{at}")).collect();
    vec![
        Probe::forwarded(
            "Connection names Content-Length",
            NAMED,
            post("Connection: content-length\r\nContent-Length: 3", "abc"),
            posted("Content-Length: 3", "abc"),
        ),
        Probe::forwarded(
            "Connection names Transfer-Encoding",
            NAMED,
            post("Transfer-Encoding: chunked\r\nConnection: transfer-encoding", "3\r\nabc\r\n0\r\n\r\n"),
            posted_chunks("3\r\nabc\r\n0\r\n\r\n"),
        ),
        row("Connection names Host", "Connection: Host", ""),
        row("Connection names what the gateway adds", "Connection: X-Real-IP, X-Forwarded-For", ""),
        row("Connection names a field", "X-Hop: 1\r\nConnection: x-HOP\r\nX-Kept: 2", "X-Kept: 2\r\n"),
        row("Connection names a field that comes twice", "A: 1\r\nConnection: a\r\nA: 2", ""),
        row("two Connections name two fields", "Connection: a\r\nA: 1\r\nB: 2\r\nConnection: b", ""),
        row("Connection is an empty list", "Connection: , ,\t,", ""),
        row("Connection names what is no token", "Connection: a b, \"c\"\r\nA: 1", "A: 1\r\n"),
        row(
            "fields of the connection stop here",
            "Keep-Alive: 9\r\nProxy-Connection: close\r\nTE: trailers",
            "",
        ),
        row("credentials for a proxy stop here", "Proxy-Authorization: Basic eA==", ""),
        Probe::refused(
            "Connection names 33 fields",
            NAMED,
            get(format!("Connection: {}", many.join(","))),
            400,
        ),
    ]
}

fn kept() -> Vec<Probe> {
    let old = |lines: &str| format!("GET /p HTTP/1.0\r\nHost: h\r\n{lines}\r\n");
    let behind = |lines: &str| [get(lines), SMUGGLED.into()].concat();
    let row = |name, section, sent: Vec<u8>| Probe::forwarded(name, section, sent, got(""));
    vec![
        row("close: nothing behind it is read", CLOSED, behind("Connection: close")).closes(),
        row("close in a list", CLOSED, behind("Connection: keep-alive, CLOSE")).closes(),
        row("close beats keep-alive", CLOSED, behind("Connection: close\r\nConnection: keep-alive")).closes(),
        row("keep-alive", KEPT, get("Connection: keep-alive")),
        row("HTTP/1.0 closes", KEPT, [old("").as_bytes(), SMUGGLED.as_bytes()].concat()).closes(),
        row("HTTP/1.0 with keep-alive is kept", KEPT, old("Connection: Keep-Alive\r\n").into()),
        row("HTTP/1.0 with both closes", KEPT, old("Connection: keep-alive, close\r\n").into()).closes(),
        row("Proxy-Connection does not keep HTTP/1.0", KEPT, old("Proxy-Connection: keep-alive\r\n").into())
            .closes(),
    ]
}

fn upgrades() -> Vec<Probe> {
    let row = |name, lines: &str, seen: &str| Probe::forwarded(name, UPGRADE, get(lines), got(seen));
    vec![
        row(
            "an offer of HTTP/2 is not passed on",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAA",
            "",
        ),
        row("an offer of HTTP/2 that Connection does not name", "Upgrade: h2c", ""),
        row("an offer of TLS", "Connection: Upgrade\r\nUpgrade: TLS/1.2", ""),
        row("an offer of nothing", "Connection: Upgrade", ""),
        row("an offer that is empty", "Connection: Upgrade\r\nUpgrade:", ""),
    ]
}
