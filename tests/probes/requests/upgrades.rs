//! Requests to go over to WebSocket, by a route that allows it: nothing is passed on unread before a 101.

use crate::table::{Probe, SMUGGLED, VIA, get, got, post, posted};

const UPGRADE: &str = "9110 §7.8";
const ASK: &str = "Connection: Upgrade\r\nUpgrade: websocket";

pub(crate) fn probes() -> Vec<Probe> {
    let plain = |name, lines: &str| Probe::forwarded(name, UPGRADE, get(lines), got(""));
    let asked = |lines: &str| {
        format!("GET /p HTTP/1.1\r\nHost: h\r\n{lines}{VIA}Connection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    };
    let behind = [get(format!("{ASK}\r\nSec-WebSocket-Version: 1")), SMUGGLED.into()].concat();
    let smuggled = format!("GET /smuggled HTTP/1.1\r\nHost: h\r\n{VIA}\r\n");
    vec![
        Probe::forwarded("a question that is not granted", UPGRADE, get(ASK), asked("")),
        Probe::forwarded(
            "a request behind a question that is not granted",
            "6455 §4.4",
            behind,
            asked("Sec-WebSocket-Version: 1\r\n") + &smuggled,
        )
        .answers(&[200, 200]),
        plain("a question that Connection does not name", "Upgrade: websocket"),
        plain("a question for two protocols", "Connection: Upgrade\r\nUpgrade: websocket, h2c"),
        plain("a question for a version of it", "Connection: Upgrade\r\nUpgrade: websocket/13"),
        plain("a question for what is nearly it", "Connection: Upgrade\r\nUpgrade: websockets"),
        Probe::forwarded(
            "a question with a body",
            "6455 §4.1",
            post(&format!("{ASK}\r\nContent-Length: 3"), "abc"),
            posted("Content-Length: 3", "abc"),
        ),
        Probe::forwarded(
            "a question with chunks",
            "6455 §4.1",
            post(&format!("{ASK}\r\nTransfer-Encoding: chunked"), "3\r\nabc\r\n0\r\n\r\n"),
            posted("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"),
        ),
        Probe::forwarded(
            "a question of HTTP/1.0",
            UPGRADE,
            format!("GET /p HTTP/1.0\r\nHost: h\r\n{ASK}\r\n\r\n"),
            got(""),
        )
        .closes(),
    ]
}
