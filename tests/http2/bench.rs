//! One gateway, one upstream, and a table of frame sequences with what has to come of each.

use lockgate_tests::{FakeUpstream, Gateway, Settings};
use serde_json::json;

use crate::wire::{Client, DATA, Frame, GOAWAY, HEADERS, RST_STREAM, code};

/// What has to come of a sequence.
#[derive(Clone, Debug)]
pub(crate) enum Then {
    /// The connection ends with one of these codes, or by being closed at once; nothing goes upstream.
    Closed(&'static [u32]),
    /// A stream ends with one of these codes, or the connection does (RFC 9113 §5.4.1 allows the harder way);
    /// nothing whole goes upstream.
    Reset(u32, &'static [u32]),
    /// A stream ends with `PROTOCOL_ERROR` or the connection does, or it is answered with 400 (RFC 9113 §8.1.1
    /// allows a server to say so); nothing whole goes upstream.
    Malformed,
    /// A stream is answered with a refusal of ours; nothing goes upstream.
    Refused(u32, u16),
    /// Stream 1 is answered by the upstream, which has received exactly these bytes.
    Forwarded(String),
    /// The connection goes on as if nothing had been sent.
    Ignored,
}

/// A sequence behind the preface and the settings: its section, what it is, its bytes, what comes of it.
pub(crate) type Case = (&'static str, &'static str, Vec<u8>, Then);

/// A gateway before an upstream that answers everything.
pub(crate) struct Bench {
    pub(crate) gateway: Gateway,
    pub(crate) upstream: FakeUpstream,
}

/// A request as the upstream gets it: `@` stands for what the gateway says of the client.
pub(crate) fn forwarded(start: &str, fields: &str, body: &str) -> Then {
    Then::Forwarded(format!("{start} HTTP/1.1\r\n{fields}\r\n{body}"))
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Settings::new())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let (gateway, upstream) = (Gateway::with(settings), FakeUpstream::fixed("ok"));
        gateway.route("1", json!({"uri": "/*"}), &upstream.node());
        Self { gateway, upstream }
    }

    pub(crate) fn client(&self) -> Client {
        Client::open(&self.gateway)
    }

    /// Plays every sequence on a connection of its own.
    pub(crate) fn play(&self, cases: Vec<Case>) {
        for (section, what, bytes, then) in cases {
            let what = format!("§{section}: {what}");
            let mut client = self.client();
            client.send(bytes);
            self.check(&what, &mut client, &then);
        }
    }

    pub(crate) fn check(&self, what: &str, client: &mut Client, then: &Then) {
        match then {
            Then::Closed(codes) => is_closed(what, client, codes),
            Then::Reset(stream, codes) => is_reset(what, client, *stream, codes),
            Then::Malformed => is_malformed(what, client),
            Then::Refused(stream, status) => is_refused(what, client, *stream, *status),
            Then::Forwarded(expected) => return self.is_forwarded(what, client, expected),
            Then::Ignored => {
                client.send(crate::wire::get(101));
                let answer = client.until(what, |frame| frame.kind == HEADERS && frame.stream == 101);
                assert_eq!(answer.status(), 200, "{what}");
                assert_eq!(self.upstream.next().target(), "/p", "{what}");
            }
        }
        self.has_nothing(what);
    }

    /// Nothing whole has arrived: a request of another connection is the next one.
    pub(crate) fn has_nothing(&self, what: &str) {
        assert_eq!(self.gateway.get("/marker").status, 200, "{what}: the gateway goes on");
        let next = self.upstream.next();
        assert_eq!(next.target(), "/marker", "{what}: forwarded {}", String::from_utf8_lossy(&next.head.raw));
    }

    fn is_forwarded(&self, what: &str, client: &mut Client, expected: &str) {
        let answer = client.until(what, |frame| {
            (frame.kind == HEADERS && frame.stream == 1) || frame.kind == GOAWAY || frame.kind == RST_STREAM
        });
        assert_eq!(answer.kind, HEADERS, "{what}: {answer:?}");
        assert_eq!(answer.status(), 200, "{what}");
        let received = self.upstream.next();
        let bytes = [received.head.raw, received.raw_body].concat();
        assert_eq!(self.without_ours(&bytes), expected, "{what}");
        self.has_nothing(what);
    }

    /// What the gateway says of the client in every request becomes one `@`.
    fn without_ours(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let port = self.gateway.proxy.port();
        let ours = format!(
            "X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: {port}\r\n"
        );
        let text = text.replacen(&ours, "@\r\n", 1);
        let is_ours = |line: &&str| !line.starts_with("X-Forwarded-Host: ");
        text.split_inclusive("\r\n").filter(is_ours).collect()
    }
}

fn is_closed(what: &str, client: &mut Client, codes: &[u32]) {
    let frames = client.rest();
    let answered: Vec<&Frame> = frames.iter().filter(|frame| matches!(frame.kind, HEADERS | DATA)).collect();
    assert!(answered.is_empty(), "{what}: {answered:?}");
    match frames.iter().rfind(|frame| frame.kind == GOAWAY) {
        Some(frame) => assert!(codes.contains(&frame.number(4)), "{what}: {frame:?}"),
        None => assert!(codes.is_empty(), "{what}: closed without a word: {frames:?}"),
    }
}

fn is_reset(what: &str, client: &mut Client, stream: u32, codes: &[u32]) {
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

fn is_malformed(what: &str, client: &mut Client) {
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

fn is_refused(what: &str, client: &mut Client, stream: u32, status: u16) {
    let frame = client.until(what, |frame| {
        frame.stream == stream && matches!(frame.kind, HEADERS | RST_STREAM) || frame.kind == GOAWAY
    });
    assert_eq!(frame.kind, HEADERS, "{what}: {frame:?}");
    assert_eq!(frame.status(), status, "{what}");
}
