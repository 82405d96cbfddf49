//! What each peer makes of the rows of a table, and `docs/strictness.md`, which has it side by side.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::{FakeUpstream, PEERS, Peer, Received, Speaks, within};

/// A peer that has not begun to answer by then does not answer.
pub const PATIENCE: Duration = Duration::from_millis(1500);
/// A peer, or an upstream, to which nothing more comes for so long has said, or seen, all.
pub const SILENCE: Duration = Duration::from_millis(200);
/// Where the part of HTTP/2 begins in the document; what is before it is of HTTP/1.
const HTTP2: &str = "\n# HTTP/2\n";

/// What a row of the document says.
pub struct Row {
    name: &'static str,
    section: &'static str,
    /// What became of it, by peer.
    cells: Vec<Cell>,
}

/// What became of a row at one peer.
#[derive(Clone, PartialEq, Eq)]
pub struct Cell {
    /// It in words.
    pub text: String,
    /// Whether anything but a refusal came of it.
    pub passes: bool,
}

/// Rows that belong together.
pub struct Group {
    title: &'static str,
    rows: Vec<Row>,
}

/// Whether the document is to be written anew, which takes minutes and needs nginx and HAProxy.
pub fn is_asked_for() -> bool {
    std::env::var("PROBE_PEERS").is_ok_and(|value| value == "write")
}

/// The document.
pub fn document() -> String {
    std::fs::read_to_string(path()).expect("the document is part of the repository")
}

/// Writes one part of the document anew; the other stays as it is.
pub fn write(speaks: Speaks, part: &str) {
    let document = document();
    let at = document.find(HTTP2).unwrap_or(document.len());
    let text = match speaks {
        Speaks::Http1 => [part, &document[at..]].concat(),
        Speaks::Http2 => [&document[..at], HTTP2, part].concat(),
    };
    std::fs::write(path(), text).expect("the tree is writable");
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/strictness.md")
}

/// The rows of a group: name and section.
pub type Names = Vec<(&'static str, Vec<(&'static str, &'static str)>)>;

/// Measures all peers at once, and puts what came of it together.
pub fn by_group(
    names: Names,
    measure: impl Fn(fn(&str, Speaks) -> Peer) -> (String, Vec<Cell>) + Sync,
) -> (Vec<Group>, Vec<String>) {
    let measured: Vec<(String, Vec<Cell>)> = std::thread::scope(|scope| {
        let measure = &measure;
        let threads = PEERS.map(|start| scope.spawn(move || measure(start)));
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

/// A peer as columns know it: its name, and what it says of its version.
pub fn version(peer: &Peer) -> String {
    format!("{}\n{}", peer.name, peer.version)
}

/// Waits until the upstream has seen all that is on its way.
pub fn settle(upstream: &FakeUpstream) {
    let (mut before, mut since) = (seen(upstream), Instant::now());
    within(PATIENCE, || {
        let now = seen(upstream);
        if now != before {
            (before, since) = (now, Instant::now());
        }
        (since.elapsed() >= SILENCE).then_some(())
    });
}

/// How many bytes an upstream has seen.
pub fn seen(upstream: &FakeUpstream) -> usize {
    upstream.bytes().iter().map(Vec::len).sum()
}

/// A request in few words.
pub fn describe(request: &Received) -> String {
    let start = request.head.start.trim_end_matches(" HTTP/1.1");
    let start: String = start.chars().take(24).collect();
    let start = start.replace('|', "\\|").replace('`', "'");
    match (request.head.get("transfer-encoding"), request.body.len()) {
        (None, 0) => format!("`{start}`"),
        (None, length) => format!("`{start}` + {length}"),
        (Some(_), length) => format!("`{start}` + {length} in chunks"),
    }
}

fn names(peers: &[String]) -> Vec<&str> {
    peers.iter().filter_map(|peer| peer.split('\n').next()).collect()
}

/// How often each peer passes on what the first one refuses, and the other way round.
pub fn summary(text: &mut String, peers: &[String], title: &str, kind: &str, groups: &[Group]) {
    let rows: Vec<_> = groups.iter().flat_map(|group| &group.rows).collect();
    let refused = |at: usize| rows.iter().filter(|row| !row.cells[at].passes).count();
    let _ = writeln!(text, "{title}: {} {kind}.\n", rows.len());
    text.push_str("| | refuses | passes on what Lockgate refuses | refuses what Lockgate passes on |\n|---|---|---|---|\n");
    for (at, name) in names(peers).into_iter().enumerate() {
        let laxer = rows.iter().filter(|row| !row.cells[0].passes && row.cells[at].passes).count();
        let stricter = rows.iter().filter(|row| row.cells[0].passes && !row.cells[at].passes).count();
        let _ = writeln!(text, "| {name} | {} | {laxer} | {stricter} |", refused(at));
    }
    text.push('\n');
}

/// All tables: a row a message, a column a peer.
pub fn tables(text: &mut String, peers: &[String], kind: &str, groups: &[Group]) {
    let names = names(peers).join(" | ");
    for group in groups {
        let _ = writeln!(text, "\n## {}\n\n| {kind} | RFC | {names} |\n|---|---|---|---|---|", group.title);
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
