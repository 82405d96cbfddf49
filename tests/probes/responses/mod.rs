//! The upstream's side of the table: what a client sees of answers that are ambiguous, broken or hostile.

mod bodies;
mod framing;
mod heads;

use std::sync::{Arc, Mutex, PoisonError};

use lockgate_tests::{Connection, FakeUpstream, Gateway, Then};
use serde_json::json;

/// The answer to every request but a probe's: it must never be another one's.
pub(crate) const AFTER: &str = "HTTP/1.1 200 OK\r\nX-After: yes\r\nContent-Length: 5\r\n\r\nafter";

/// An upstream's message, and what a client has to see of it.
pub(crate) struct Probe {
    pub(crate) name: &'static str,
    /// What decides: RFC and section.
    pub(crate) section: &'static str,
    /// What the client asks.
    pub(crate) request: String,
    /// What the upstream answers.
    pub(crate) sent: Vec<u8>,
    /// Whether the upstream closes behind it.
    pub(crate) closes: bool,
    expected: Expected,
}

enum Expected {
    /// 502 in place of it.
    Bad,
    /// Exactly these bytes, `Date` and `Server` aside, and the next request is answered too.
    Passed(Vec<u8>),
    /// Exactly these bytes, and then the end.
    Ended(Vec<u8>),
}

impl Probe {
    fn new(name: &'static str, section: &'static str, sent: &[u8], expected: Expected) -> Self {
        let request = "GET /probe HTTP/1.1\r\nHost: h\r\n\r\n".to_owned();
        Self { name, section, request, sent: sent.to_vec(), closes: false, expected }
    }

    /// An answer that nobody can be shown.
    fn bad(name: &'static str, section: &'static str, sent: impl AsRef<[u8]>) -> Self {
        Self::new(name, section, sent.as_ref(), Expected::Bad)
    }

    /// An answer that is passed on in one clear form.
    fn passed(
        name: &'static str,
        section: &'static str,
        sent: impl AsRef<[u8]>,
        seen: impl AsRef<[u8]>,
    ) -> Self {
        Self::new(name, section, sent.as_ref(), Expected::Passed(seen.as_ref().to_vec()))
    }

    /// An answer behind which the client's connection ends: it broke off, or that is how its end is told.
    fn ended(
        name: &'static str,
        section: &'static str,
        sent: impl AsRef<[u8]>,
        seen: impl AsRef<[u8]>,
    ) -> Self {
        Self::new(name, section, sent.as_ref(), Expected::Ended(seen.as_ref().to_vec()))
    }

    /// The upstream closes behind its answer.
    fn closes(mut self) -> Self {
        self.closes = true;
        self
    }

    /// The answer to another request: its first line.
    fn to(mut self, line: &str) -> Self {
        self.request = format!("{line}\r\nHost: h\r\n\r\n");
        self
    }
}

/// An answer of 200 with these header lines, each with its end, and a body.
fn ok(lines: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{lines}\r\n{body}")
}

/// A chunked answer.
fn chunked(body: &str) -> String {
    ok("Transfer-Encoding: chunked\r\n", body)
}

/// Every probe of an upstream, group by group.
pub(crate) fn all() -> Vec<(&'static str, Vec<Probe>)> {
    vec![
        ("Heads of answers", heads::probes()),
        ("Where an answer ends", framing::probes()),
        ("Bodies of answers", bodies::probes()),
    ]
}

/// What the upstream is to answer a probe with, and whether it closes then.
pub(crate) type Script = Arc<Mutex<(Vec<u8>, bool)>>;

/// An upstream that answers `/probe` as the script says, and everything else with [`AFTER`].
pub(crate) fn upstream(script: &Script) -> FakeUpstream {
    let script = Arc::clone(script);
    FakeUpstream::start(move |request, connection| {
        if request.target() != "/probe" {
            return connection.send(AFTER).map(|()| Then::Keep);
        }
        let (sent, closes) = script.lock().unwrap_or_else(PoisonError::into_inner).clone();
        connection.send(sent)?;
        Ok(if closes { Then::Close } else { Then::Keep })
    })
}

struct Bench {
    gateway: Gateway,
    script: Script,
    _upstream: FakeUpstream,
}

impl Bench {
    fn new() -> Self {
        let script = Script::default();
        let (gateway, upstream) = (Gateway::start(), upstream(&script));
        gateway.route("1", json!({"uri": "/*", "enable_websocket": true}), &upstream.node());
        Self { gateway, script, _upstream: upstream }
    }

    fn hold(&self, probe: &Probe) -> Result<(), String> {
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = (probe.sent.clone(), probe.closes);
        let mut client = self.gateway.connect();
        client.send(&probe.request).map_err(|error| error.to_string())?;
        match &probe.expected {
            Expected::Bad => is_bad_gateway(&mut client)?,
            Expected::Passed(seen) => {
                let body = seen.len() - end_of_head(seen);
                let mut all = Vec::new();
                while all.is_empty() || all.ends_with(b"\r\n\r\n") && is_interim(&all) {
                    let head = client.read_head().map_err(|error| error.to_string())?.ok_or("no answer")?;
                    all.extend(head.raw);
                }
                all.extend(client.read_exact(body).map_err(|error| error.to_string())?);
                is_same(&all, seen)?;
            }
            Expected::Ended(seen) => {
                let all = client.try_read_to_close().map_err(|_| "the connection stays open")?;
                is_same(&all, seen)?;
            }
        }
        if !matches!(probe.expected, Expected::Ended(_)) {
            is_clean(client, "the same connection")?;
        }
        is_clean(self.gateway.connect(), "another connection")
    }
}

fn is_bad_gateway(client: &mut Connection) -> Result<(), String> {
    let reply = client.try_reply_to("GET").map_err(|error| error.to_string())?.ok_or("no answer")?;
    let is_ours = reply.status == 502 && reply.text().contains("error_msg");
    if is_ours { Ok(()) } else { Err(format!("{} {}", reply.head.start, reply.text())) }
}

/// Nothing of a probe's answer is left for the next request.
fn is_clean(mut client: Connection, whose: &str) -> Result<(), String> {
    client.send("GET /next HTTP/1.1\r\nHost: h\r\n\r\n").map_err(|error| format!("{whose}: {error}"))?;
    match client.try_reply_to("GET") {
        Ok(Some(reply)) if reply.text() == "after" && reply.get("x-after").is_some() => Ok(()),
        other => Err(format!("on {whose} the next request got {other:?}")),
    }
}

fn is_same(all: &[u8], expected: &[u8]) -> Result<(), String> {
    let seen = without_own_lines(all);
    if seen == expected {
        return Ok(());
    }
    Err(format!("the client saw\n  {}\nand not\n  {}", seen.escape_ascii(), expected.escape_ascii()))
}

/// Where the head of the final answer begins.
fn final_head(bytes: &[u8]) -> usize {
    let mut at = 0;
    while bytes[at..].starts_with(b"HTTP/1.1 10") && !bytes[at..].starts_with(b"HTTP/1.1 101") {
        at += end(&bytes[at..]);
    }
    at
}

/// Whether these are interim answers and nothing more.
fn is_interim(bytes: &[u8]) -> bool {
    final_head(bytes) == bytes.len()
}

fn end_of_head(bytes: &[u8]) -> usize {
    let at = final_head(bytes);
    at + end(&bytes[at..])
}

/// Where the first head ends.
fn end(bytes: &[u8]) -> usize {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4)
}

/// An answer without the lines that differ from one to the next.
fn without_own_lines(bytes: &[u8]) -> Vec<u8> {
    let (start, end) = (final_head(bytes), end_of_head(bytes));
    let mut kept = bytes[..start].to_vec();
    for line in bytes[start..end].split_inclusive(|byte| *byte == b'\n') {
        if !line.starts_with(b"Date: ") && !line.starts_with(b"Server: ") {
            kept.extend_from_slice(line);
        }
    }
    kept.extend_from_slice(&bytes[end..]);
    kept
}

fn hold(probes: &[Probe]) {
    let bench = Bench::new();
    let fault = |probe: &Probe| bench.hold(probe).err().map(|why| format!("{}: {why}", probe.name));
    let faults: Vec<_> = probes.iter().filter_map(fault).collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), probes.len(), faults.join("\n"));
}

#[test]
fn a_head_that_is_no_answer_becomes_502() {
    hold(&heads::probes());
}

#[test]
fn an_answer_ends_at_one_place_or_becomes_502() {
    hold(&framing::probes());
}

#[test]
fn a_body_that_breaks_is_never_ended_as_if_it_were_whole() {
    hold(&bodies::probes());
}
