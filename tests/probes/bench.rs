//! The gateway between a client that sends a probe and an upstream that keeps every byte.

use std::time::Duration;

use lockgate_tests::{FakeUpstream, Gateway, MAX_BODY, Settings, eventually, within};
use serde_json::json;

use crate::table::{CALLER, Expected, Probe, VIA};

/// How long the upstream is given to see what it should.
const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) struct Bench {
    gateway: Gateway,
    upstream: FakeUpstream,
    /// What the upstream has seen of earlier probes, one entry a connection.
    seen: Vec<usize>,
    /// What it should have seen by now, in all.
    total: usize,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let settings = Settings::new().set("nginx_config.http.client_max_body_size", json!(MAX_BODY));
        let (gateway, upstream) = (Gateway::with(settings), FakeUpstream::fixed("ok"));
        gateway.route("1", json!({"uri": "/*", "enable_websocket": true}), &upstream.node());
        Self { gateway, upstream, seen: Vec::new(), total: 0 }
    }

    /// Sends one probe and holds what comes of it against the table: what differs, if anything does.
    pub(crate) fn hold(&mut self, probe: &Probe) -> Result<(), String> {
        let (answers, keeps, upstream) = match &probe.expected {
            Expected::Refused(status) => (&[*status][..], false, &b""[..]),
            Expected::BrokenOff(status, upstream) => (&[*status][..], false, &upstream[..]),
            Expected::Forwarded { answers, upstream, keeps } => (&answers[..], *keeps, &upstream[..]),
        };
        let mut expected = self.in_full(upstream);
        if keeps {
            expected.extend(self.in_full(format!("GET /after HTTP/1.1\r\nHost: h\r\n{VIA}\r\n").as_bytes()));
        }
        let answered = self.talk(probe, answers, keeps);
        let seen = self.has_seen(&expected);
        answered.and(seen).map_err(|why| format!("{}: {why}", probe.name))
    }

    /// The client's side.
    fn talk(&self, probe: &Probe, answers: &[u16], keeps: bool) -> Result<(), String> {
        let mut client = self.gateway.connect();
        // A refusal may come before the last byte is taken.
        let _ = client.send(&probe.sent);
        if probe.finishes {
            client.finish();
        }
        for (at, status) in answers.iter().enumerate() {
            let method = if at == 0 { probe.method() } else { "GET" };
            match client.try_reply_to(method) {
                Ok(Some(reply)) if reply.status == *status => {}
                Ok(Some(reply)) => return Err(format!("{} {}", reply.status, reply.text())),
                other => return Err(format!("no answer {at}: {other:?}")),
            }
        }
        if !keeps {
            let rest = client.try_read_to_close().map_err(|_| "the connection stays open".to_owned())?;
            let rest = rest.escape_ascii().to_string();
            return if rest.is_empty() { Ok(()) } else { Err(format!("behind the answer came {rest}")) };
        }
        client
            .send("GET /after HTTP/1.1\r\nHost: h\r\n\r\n")
            .map_err(|error| format!("behind it: {error}"))?;
        match client.try_reply_to("GET") {
            Ok(Some(reply)) if reply.status == 200 => Ok(()),
            other => Err(format!("to the request behind it: {other:?}")),
        }
    }

    /// The upstream's new bytes are exactly these.
    fn has_seen(&mut self, expected: &[u8]) -> Result<(), String> {
        self.total += expected.len();
        within(PATIENCE, || (self.count() >= self.total).then_some(()));
        let bytes = self.upstream.bytes();
        self.seen.resize(bytes.len(), 0);
        let mut fresh = Vec::new();
        for (connection, seen) in bytes.iter().zip(&mut self.seen) {
            fresh.extend_from_slice(&connection[*seen..]);
            *seen = connection.len();
        }
        self.total += fresh.len();
        self.total -= expected.len();
        if fresh == expected {
            return Ok(());
        }
        Err(format!("the upstream saw\n  {}\nand not\n  {}", fresh.escape_ascii(), expected.escape_ascii()))
    }

    fn count(&self) -> usize {
        self.upstream.bytes().iter().map(Vec::len).sum()
    }

    /// No byte came late: once the gateway has ended, the upstream has seen what the table says and no more.
    pub(crate) fn end(mut self) {
        self.gateway.crash();
        eventually("the gateway's connections should end", || (self.upstream.open() == 0).then_some(()));
        assert_eq!(self.count(), self.total, "bytes that no probe accounts for");
    }

    /// Puts the lines in that the gateway adds to every request.
    fn in_full(&self, bytes: &[u8]) -> Vec<u8> {
        in_full(bytes, self.gateway.proxy.port())
    }
}

/// The bytes with the lines of a gateway that listens on `port`. The Host of each request is said again.
fn in_full(bytes: &[u8], port: u16) -> Vec<u8> {
    let caller = format!(
        "X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: {port}\r\n"
    );
    let (mut full, mut rest) = (Vec::new(), bytes);
    while let Some(at) = find(rest, VIA.as_bytes()) {
        let start = find(&rest[..at], b"\nHost: ").expect("it names a host") + 7;
        let end = start + find(&rest[start..], b"\r\n").expect("a line ends");
        full.extend_from_slice(&[&rest[..at], caller.as_bytes()].concat());
        full.extend_from_slice(&[b"X-Forwarded-Host: ", &rest[start..end], b"\r\n"].concat());
        rest = &rest[at + VIA.len()..];
    }
    if let Some(at) = find(rest, CALLER.as_bytes()) {
        full.extend_from_slice(&[&rest[..at], caller.as_bytes()].concat());
        rest = &rest[at + CALLER.len()..];
    }
    full.extend_from_slice(rest);
    full
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
