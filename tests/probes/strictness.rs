//! The same table for nginx and HAProxy: `docs/strictness.md`, written where `PROBE_PEERS=write` asks for it.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::PoisonError;

use lockgate_tests::strictness::{
    self, Cell, Group, PATIENCE, SILENCE, by_group, describe, seen, settle, summary, tables, version,
};
use lockgate_tests::{FakeUpstream, Peer, Received, Speaks};

use crate::{requests, responses};

#[test]
fn the_document_has_every_probe() {
    let document = strictness::document();
    let requests = requests::all().into_iter().flat_map(|(_, probes)| probes).map(|probe| probe.name);
    let responses = responses::all().into_iter().flat_map(|(_, probes)| probes).map(|probe| probe.name);
    let (requests, responses): (Vec<_>, Vec<_>) = (requests.collect(), responses.collect());
    assert!(requests.len() >= 120 && responses.len() >= 60, "{} and {}", requests.len(), responses.len());
    for name in requests.into_iter().chain(responses) {
        assert!(document.contains(&format!("\n| {name} |")), "docs/strictness.md has no row: {name}");
    }
}

#[test]
fn the_document_is_written_where_it_is_asked_for() {
    if strictness::is_asked_for() {
        let (requests, of_requests) = of_clients();
        let (responses, of_responses) = of_upstreams();
        assert_eq!(of_requests, of_responses, "the same peers");
        strictness::write(Speaks::Http1, &document(&of_requests, &requests, &responses));
    }
}

/// Every probe of a client, sent to every peer.
fn of_clients() -> (Vec<Group>, Vec<String>) {
    let measure = |start: fn(&str, Speaks) -> Peer| {
        let upstream = FakeUpstream::fixed("ok");
        let peer = start(&upstream.node(), Speaks::Http1);
        let probes = requests::all().into_iter().flat_map(|(_, probes)| probes);
        let cells = probes.map(|probe| {
            upstream.pending();
            let before = seen(&upstream);
            let said = talk(peer.address, &probe.sent, probe.finishes);
            settle(&upstream);
            request_cell(&said, &upstream.pending(), seen(&upstream) > before)
        });
        (version(&peer), cells.collect())
    };
    let names = requests::all().into_iter().map(|(title, probes)| {
        (title, probes.into_iter().map(|probe| (probe.name, probe.section)).collect())
    });
    by_group(names.collect(), measure)
}

/// Every probe of an upstream, asked for through every peer.
fn of_upstreams() -> (Vec<Group>, Vec<String>) {
    let measure = |start: fn(&str, Speaks) -> Peer| {
        let script = responses::Script::default();
        let upstream = responses::upstream(&script);
        let peer = start(&upstream.node(), Speaks::Http1);
        let probes = responses::all().into_iter().flat_map(|(_, probes)| probes);
        let cells = probes.map(|probe| {
            *script.lock().unwrap_or_else(PoisonError::into_inner) = (probe.sent.clone(), probe.closes);
            let said = talk(peer.address, probe.request.as_bytes(), false);
            let next = talk(peer.address, b"GET /next HTTP/1.1\r\nHost: h\r\n\r\n", false);
            response_cell(&said, &next)
        });
        (version(&peer), cells.collect())
    };
    let names = responses::all().into_iter().map(|(title, probes)| {
        (title, probes.into_iter().map(|probe| (probe.name, probe.section)).collect())
    });
    by_group(names.collect(), measure)
}

/// What a client is told, until the connection ends or nothing more comes.
fn talk(address: SocketAddr, sent: &[u8], finishes: bool) -> Vec<u8> {
    let mut socket = TcpStream::connect(address).expect("the peer listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("more than nothing");
    let _ = socket.write_all(sent);
    if finishes {
        let _ = socket.shutdown(Shutdown::Write);
    }
    let (mut said, mut piece) = (Vec::new(), [0; 16 * 1024]);
    while let Ok(count @ 1..) = socket.read(&mut piece) {
        said.extend_from_slice(&piece[..count]);
        socket.set_read_timeout(Some(SILENCE)).expect("more than nothing");
    }
    said
}

/// The statuses of all answers, in order; a body of ours or of a peer's own has no such line in it.
fn statuses(said: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(said);
    let words = text.split("HTTP/1.").skip(1).filter_map(|answer| answer.get(2..5));
    words.filter(|word| word.bytes().all(|byte| byte.is_ascii_digit())).map(str::to_owned).collect()
}

fn request_cell(said: &[u8], arrived: &[Received], has_begun: bool) -> Cell {
    let statuses: Vec<_> = statuses(said).into_iter().filter(|status| status != "100").collect();
    let answers = if statuses.is_empty() { "no answer".to_owned() } else { statuses.join(" ") };
    let requests: Vec<_> = arrived.iter().map(describe).collect();
    let passes = !requests.is_empty();
    let text = match (passes, has_begun) {
        (true, _) => format!("{answers}: {}", requests.join(", ")),
        (false, true) => format!("{answers}, begun"),
        (false, false) => answers,
    };
    Cell { text, passes }
}

fn response_cell(said: &[u8], next: &[u8]) -> Cell {
    let status = statuses(said).pop().unwrap_or_else(|| "no answer".to_owned());
    let passes = !said.is_empty() && !status.starts_with("50");
    let is_poisoned = !next.is_empty() && !next.ends_with(b"after");
    let end = said.windows(4).position(|window| window == b"\r\n\r\n").map_or(said.len(), |at| at + 4);
    let body = said[end..].len();
    let text = match (passes, is_poisoned) {
        (_, true) => format!("{status}, **and the next request gets another answer**"),
        (true, _) if body > 0 => format!("{status} + {body}"),
        _ => status,
    };
    Cell { text, passes }
}

fn document(peers: &[String], requests: &[Group], responses: &[Group]) -> String {
    let mut text = String::from(HEAD);
    let versions: Vec<_> = peers.iter().filter_map(|peer| peer.split('\n').nth(1)).collect();
    let _ = writeln!(text, "\nMeasured: {}.\n", versions.join(", "));
    summary(&mut text, peers, "Requests", "messages", requests);
    summary(&mut text, peers, "Answers", "messages", responses);
    text.push_str("\n# Requests\n\nAfter the status: what the upstream got, and how many bytes of body. *Begun*: some of it, never the end.\n");
    tables(&mut text, peers, "message", requests);
    text.push_str("\n# Answers of upstreams\n\nAfter the status: how many bytes follow the head.\n");
    tables(&mut text, peers, "message", responses);
    text
}

const HEAD: &str = "# Strictness

What becomes of ambiguous and hostile HTTP/1 messages: in Lockgate, in nginx and in HAProxy, each with its defaults and
with connections to the upstream kept. ⚠ marks what another one passes on where Lockgate refuses. Refusing is not
always the better answer: RFC 9110 and 9112 let a recipient repair some of these, and all three may then send on
one clear form. But what is repaired by one and read otherwise by the next is how requests are smuggled.

The list is the table of the test suite `tests/probes`, which holds Lockgate to it byte by byte. This page is
written by `PROBE_PEERS=write cargo test -p lockgate-tests --test probes --test http2 written` where nginx and
HAProxy are installed. Behind every message that Lockgate refuses, a whole `GET /smuggled` is sent on the same
connection: it shows where a peer takes the message to end. Frame sequences are at the end: [HTTP/2](#http2).
";
