//! The same table for nginx and HAProxy: `docs/strictness.md`, written where `PROBE_PEERS=write` asks for it.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use lockgate_tests::{FakeUpstream, Received, within};

use crate::peers::{self, Peer};
use crate::{requests, responses};

/// A peer that has not begun to answer by then does not answer.
const PATIENCE: Duration = Duration::from_millis(1500);
/// A peer, or an upstream, to which nothing more comes for so long has said, or seen, all.
const SILENCE: Duration = Duration::from_millis(200);

/// What a row of the document says.
struct Row {
    name: &'static str,
    section: &'static str,
    /// What became of it, by peer.
    cells: Vec<Cell>,
}

#[derive(Clone, PartialEq)]
struct Cell {
    text: String,
    /// Whether anything but a refusal came of it.
    passes: bool,
}

struct Group {
    title: &'static str,
    rows: Vec<Row>,
}

#[test]
fn the_document_has_every_probe() {
    let document = std::fs::read_to_string(path()).expect("the document is part of the repository");
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
    if std::env::var("PROBE_PEERS").is_ok_and(|value| value == "write") {
        let (requests, of_requests) = of_clients();
        let (responses, of_responses) = of_upstreams();
        assert_eq!(of_requests, of_responses, "the same peers");
        std::fs::write(path(), document(&of_requests, &requests, &responses)).expect("the tree is writable");
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/strictness.md")
}

/// Every probe of a client, sent to every peer.
fn of_clients() -> (Vec<Group>, Vec<String>) {
    let measure = |start: fn(&str) -> Peer| {
        let upstream = FakeUpstream::fixed("ok");
        let peer = start(&upstream.node());
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
    let measure = |start: fn(&str) -> Peer| {
        let script = responses::Script::default();
        let upstream = responses::upstream(&script);
        let peer = start(&upstream.node());
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

/// The rows of a group: name and section.
type Names = Vec<(&'static str, Vec<(&'static str, &'static str)>)>;

/// Measures all peers at once, and puts what came of it together.
fn by_group(
    names: Names,
    measure: impl Fn(fn(&str) -> Peer) -> (String, Vec<Cell>) + Sync,
) -> (Vec<Group>, Vec<String>) {
    let measured: Vec<(String, Vec<Cell>)> = std::thread::scope(|scope| {
        let measure = &measure;
        let threads = peers::ALL.map(|start| scope.spawn(move || measure(start)));
        threads.map(|thread| thread.join().expect("a peer is measured")).into()
    });
    let (versions, columns): (Vec<_>, Vec<_>) = measured.into_iter().unzip();
    let mut at = 0..;
    let groups = names.into_iter().map(|(title, names)| {
        let rows = names.into_iter().zip(&mut at).map(|((name, section), at)| {
            let cells = columns.iter().map(|column| column[at].clone()).collect();
            Row { name, section, cells }
        });
        Group { title, rows: rows.collect() }
    });
    (groups.collect(), versions)
}

fn version(peer: &Peer) -> String {
    format!("{}\n{}", peer.name, peer.version)
}

/// Waits until the upstream has seen all that is on its way.
fn settle(upstream: &FakeUpstream) {
    let (mut before, mut since) = (seen(upstream), Instant::now());
    within(PATIENCE, || {
        let now = seen(upstream);
        if now != before {
            (before, since) = (now, Instant::now());
        }
        (since.elapsed() >= SILENCE).then_some(())
    });
}

fn seen(upstream: &FakeUpstream) -> usize {
    upstream.bytes().iter().map(Vec::len).sum()
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

fn describe(request: &Received) -> String {
    let start = request.head.start.trim_end_matches(" HTTP/1.1");
    let start: String = start.chars().take(24).collect();
    let start = start.replace('|', "\\|").replace('`', "'");
    match (request.head.get("transfer-encoding"), request.body.len()) {
        (None, 0) => format!("`{start}`"),
        (None, length) => format!("`{start}` + {length}"),
        (Some(_), length) => format!("`{start}` + {length} in chunks"),
    }
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
    summary(&mut text, peers, "Requests", requests);
    summary(&mut text, peers, "Answers", responses);
    text.push_str("\n# Requests\n\nAfter the status: what the upstream got, and how many bytes of body. *Begun*: some of it, never the end.\n");
    tables(&mut text, peers, requests);
    text.push_str("\n# Answers of upstreams\n\nAfter the status: how many bytes follow the head.\n");
    tables(&mut text, peers, responses);
    text
}

fn names(peers: &[String]) -> Vec<&str> {
    peers.iter().filter_map(|peer| peer.split('\n').next()).collect()
}

/// How often each peer passes on what the first one refuses, and the other way round.
fn summary(text: &mut String, peers: &[String], title: &str, groups: &[Group]) {
    let rows: Vec<_> = groups.iter().flat_map(|group| &group.rows).collect();
    let refused = |at: usize| rows.iter().filter(|row| !row.cells[at].passes).count();
    let _ = writeln!(text, "{title}: {} messages.\n", rows.len());
    text.push_str("| | refuses | passes on what Lockgate refuses | refuses what Lockgate passes on |\n|---|---|---|---|\n");
    for (at, name) in names(peers).into_iter().enumerate() {
        let laxer = rows.iter().filter(|row| !row.cells[0].passes && row.cells[at].passes).count();
        let stricter = rows.iter().filter(|row| row.cells[0].passes && !row.cells[at].passes).count();
        let _ = writeln!(text, "| {name} | {} | {laxer} | {stricter} |", refused(at));
    }
    text.push('\n');
}

fn tables(text: &mut String, peers: &[String], groups: &[Group]) {
    let names = names(peers).join(" | ");
    for group in groups {
        let _ = writeln!(text, "\n## {}\n\n| message | RFC | {names} |\n|---|---|---|---|---|", group.title);
        for row in &group.rows {
            let first = &row.cells[0];
            let cells = row.cells.iter().map(|cell| match (first.passes, cell.passes) {
                (false, true) => format!("⚠ {}", cell.text),
                _ => cell.text.clone(),
            });
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                row.name,
                row.section,
                cells.collect::<Vec<_>>().join(" | ")
            );
        }
    }
}

const HEAD: &str = "# Strictness

What becomes of ambiguous and hostile HTTP/1 messages: in Lockgate, in nginx and in HAProxy, each with its defaults and
with connections to the upstream kept. ⚠ marks what another one passes on where Lockgate refuses. Refusing is not
always the better answer: RFC 9110 and 9112 let a recipient repair some of these, and all three may then send on
one clear form. But what is repaired by one and read otherwise by the next is how requests are smuggled.

The list is the table of the test suite `tests/probes`, which holds Lockgate to it byte by byte. This page is
written by `PROBE_PEERS=write cargo test -p lockgate-tests --test probes written` where nginx and HAProxy are
installed. Behind every message that Lockgate refuses, a whole `GET /smuggled` is sent on the same connection: it
shows where a peer takes the message to end.
";
