//! One gateway, one upstream that keeps every byte, and what has to come of a frame sequence.

use std::cell::RefCell;
use std::time::Duration;

use lockgate_tests::wire::{DATA, Frame, Frames, GOAWAY, HEADERS, RST_STREAM, code, get};
use lockgate_tests::{FakeUpstream, Gateway, Settings, eventually, within};
use serde_json::json;

use crate::sequences::{Case, Then};

/// How long the upstream is given to see what it should.
const PATIENCE: Duration = Duration::from_secs(3);

/// What stands for the gateway's own lines in a row: who called, and for which host.
const OURS: &str = "\r\n@\r\n";

/// A gateway before an upstream that answers everything.
pub(crate) struct Bench {
    pub(crate) gateway: Gateway,
    pub(crate) upstream: FakeUpstream,
    /// What the upstream has seen and was asked after, one entry a connection.
    seen: RefCell<Vec<usize>>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Settings::new())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let (gateway, upstream) = (Gateway::with(settings), FakeUpstream::fixed("ok"));
        gateway.route("1", json!({"uri": "/*"}), &upstream.node());
        Self { gateway, upstream, seen: RefCell::default() }
    }

    pub(crate) fn client(&self) -> Frames {
        Frames::open(&self.gateway)
    }

    /// Plays every sequence on a connection of its own.
    pub(crate) fn play(self, cases: Vec<Case>) {
        for (section, what, bytes, then) in cases {
            let what = format!("{section}: {what}");
            let mut client = self.client();
            client.send(bytes);
            self.check(&what, &mut client, &then);
        }
        self.end();
    }

    /// What the client sees, and every byte that the upstream does.
    pub(crate) fn check(&self, what: &str, client: &mut Frames, then: &Then) {
        self.answers(what, client, then);
        match then {
            Then::Begun(_, upstream) => self.has_begun(what, upstream),
            Then::Forwarded(upstream) => self.has_seen(what, upstream),
            _ => self.has_nothing(what),
        }
    }

    fn answers(&self, what: &str, client: &mut Frames, then: &Then) {
        match then {
            Then::Closed(codes) => is_closed(what, client, codes),
            Then::Reset(stream, codes) => is_reset(what, client, *stream, codes),
            Then::Malformed => is_malformed(what, client),
            Then::Refused(stream, status) => is_answered(what, client, *stream, *status),
            Then::Begun(then, _) => self.answers(what, client, then),
            Then::Forwarded(_) => is_answered(what, client, 1, 200),
            Then::Ignored => {
                client.send(get(101));
                is_answered(what, client, 101, 200);
                assert_eq!(self.upstream.next().target(), "/p", "{what}");
                self.skip();
            }
        }
    }

    /// The upstream has seen nothing at all of it.
    pub(crate) fn has_nothing(&self, what: &str) {
        self.has_seen(what, "");
    }

    /// Beginnings of requests may have come, but no whole one.
    pub(crate) fn has_nothing_whole(&self) {
        assert_eq!(self.gateway.get("/marker").status, 200, "the gateway goes on");
        assert_eq!(self.upstream.next().target(), "/marker");
    }

    /// The upstream has seen these bytes, the request of another connection behind them, and no more.
    fn has_seen(&self, what: &str, expected: &str) {
        let expected = self.in_full(expected);
        let fresh = self.before_marker(what, expected.len());
        let expected = expected.as_bytes().escape_ascii();
        assert_eq!(fresh.escape_ascii().to_string(), expected.to_string(), "{what}: what the upstream saw");
    }

    /// The upstream has seen these bytes, or less of them where the fault showed early.
    fn has_begun(&self, what: &str, most: &str) {
        let most = self.in_full(most).into_bytes();
        let fresh = self.before_marker(what, most.len());
        let seen = fresh.escape_ascii();
        assert!(most.starts_with(&fresh), "{what}: the upstream saw {seen} and not {}", most.escape_ascii());
    }

    /// What the upstream has seen before the request of another connection, which is waited for to be `count` bytes.
    fn before_marker(&self, what: &str, count: usize) -> Vec<u8> {
        assert_eq!(self.gateway.get("/marker").status, 200, "{what}: the gateway goes on");
        let marker = self.in_full("GET /marker HTTP/1.1\r\nHost: gateway.test\r\n@\r\n\r\n").into_bytes();
        within(PATIENCE, || (self.fresh().len() >= count + marker.len()).then_some(()));
        let mut fresh = self.fresh();
        self.skip();
        let seen = fresh.escape_ascii().to_string();
        assert!(fresh.ends_with(&marker), "{what}: the upstream saw {seen}");
        fresh.truncate(fresh.len() - marker.len());
        fresh
    }

    /// What the upstream has seen was looked at elsewhere.
    pub(crate) fn skip(&self) {
        self.upstream.pending();
        self.seen.replace(self.upstream.bytes().iter().map(Vec::len).collect());
    }

    fn fresh(&self) -> Vec<u8> {
        let (bytes, seen) = (self.upstream.bytes(), self.seen.borrow());
        let before = seen.iter().copied().chain(std::iter::repeat(0));
        bytes.iter().zip(before).flat_map(|(bytes, before)| bytes[before..].to_vec()).collect()
    }

    /// No byte came late: once the gateway has ended, nothing is there that no row accounts for.
    fn end(mut self) {
        self.gateway.crash();
        eventually("the gateway's connections should end", || (self.upstream.open() == 0).then_some(()));
        assert_eq!(self.fresh().escape_ascii().to_string(), "", "bytes that no row accounts for");
    }

    /// The bytes with the gateway's own lines, where they belong. The host of the request is said again.
    fn in_full(&self, text: &str) -> String {
        let Some((start, rest)) = text.split_once(OURS) else { return text.to_owned() };
        let host = start.lines().find_map(|line| line.strip_prefix("Host: ")).expect("it names a host");
        let port = self.gateway.proxy.port();
        format!(
            "{start}\r\nX-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n\
             X-Forwarded-Port: {port}\r\nX-Forwarded-Host: {host}\r\n{rest}"
        )
    }
}

fn is_closed(what: &str, client: &mut Frames, codes: &[u32]) {
    let frames = client.rest();
    let answered: Vec<&Frame> = frames.iter().filter(|frame| matches!(frame.kind, HEADERS | DATA)).collect();
    assert!(answered.is_empty(), "{what}: {answered:?}");
    match frames.iter().rfind(|frame| frame.kind == GOAWAY) {
        Some(frame) => assert!(codes.contains(&frame.number(4)), "{what}: {frame:?}"),
        None => assert!(codes.is_empty(), "{what}: closed without a word: {frames:?}"),
    }
}

fn is_reset(what: &str, client: &mut Frames, stream: u32, codes: &[u32]) {
    let frame = client.until(what, |frame| {
        (frame.kind == RST_STREAM && frame.stream == stream)
            || frame.kind == GOAWAY
            || (frame.kind == HEADERS && frame.stream == stream)
    });
    let code = match frame.kind {
        RST_STREAM => frame.number(0),
        GOAWAY => frame.number(4),
        _ => panic!("{what}: answered with {}", frame.status()),
    };
    assert!(codes.contains(&code), "{what}: {frame:?}");
}

fn is_malformed(what: &str, client: &mut Frames) {
    let frame = client.until(what, |frame| {
        (frame.stream == 1 && matches!(frame.kind, HEADERS | RST_STREAM)) || frame.kind == GOAWAY
    });
    match frame.kind {
        HEADERS => assert_eq!(frame.status(), 400, "{what}"),
        RST_STREAM => assert_eq!(frame.number(0), code::PROTOCOL, "{what}"),
        // The `h2` crate calls a field that it cannot decode an error of the connection.
        _ => assert!([code::PROTOCOL, code::COMPRESSION].contains(&frame.number(4)), "{what}: {frame:?}"),
    }
}

fn is_answered(what: &str, client: &mut Frames, stream: u32, status: u16) {
    let frame = client.until(what, |frame| {
        frame.stream == stream && matches!(frame.kind, HEADERS | RST_STREAM) || frame.kind == GOAWAY
    });
    assert_eq!(frame.kind, HEADERS, "{what}: {frame:?}");
    assert_eq!(frame.status(), status, "{what}");
}
