//! The same sequences for nginx and HAProxy: the part of `docs/strictness.md` on HTTP/2, written where
//! `PROBE_PEERS=write` asks for it.

use std::collections::HashSet;
use std::fmt::Write as _;

use lockgate_tests::strictness::{
    self, Cell, Group, PATIENCE, SILENCE, by_group, describe, seen, settle, summary, tables, version,
};
use lockgate_tests::wire::{Frame, Frames, GET, GOAWAY, HEADERS, RST_STREAM, WHOLE, block, code, headers};
use lockgate_tests::{FakeUpstream, Peer, Received, Speaks};

use crate::sequences;

/// The stream of a request behind every sequence: it shows whether the connection goes on.
const AFTER: u32 = 101;

#[test]
fn the_document_has_every_sequence() {
    let document = strictness::document();
    let rows: Vec<_> = sequences::all().into_iter().flat_map(|(_, rows)| rows).collect();
    assert!(rows.len() >= 180, "{}", rows.len());
    let mut names = HashSet::new();
    for (section, name, ..) in rows {
        assert!(names.insert(name), "there are two rows of this name: {name}");
        let row = format!("\n| {name} | {section} |");
        assert!(document.contains(&row), "docs/strictness.md has no row: {name}");
    }
}

#[test]
fn the_part_on_http2_is_written_where_it_is_asked_for() {
    if strictness::is_asked_for() {
        let (groups, peers) = measured();
        strictness::write(Speaks::Http2, &part(&peers, &groups));
    }
}

/// Every sequence, sent to every peer.
fn measured() -> (Vec<Group>, Vec<String>) {
    let measure = |start: fn(&str, Speaks) -> Peer| {
        let upstream = FakeUpstream::fixed("ok");
        let peer = start(&upstream.node(), Speaks::Http2);
        let rows = sequences::all().into_iter().flat_map(|(_, rows)| rows);
        let cells = rows.map(|(_, _, bytes, _)| {
            let before = seen(&upstream);
            let mut client = Frames::open_at(peer.address);
            let mut after = GET;
            after[2] = (":path", "/after");
            client.send([bytes, headers(AFTER, WHOLE, block(&after))].concat());
            let (frames, is_closed) = client.said(PATIENCE, SILENCE);
            drop(client);
            settle(&upstream);
            cell(&frames, is_closed, &upstream.pending(), seen(&upstream) - before)
        });
        (version(&peer), cells.collect())
    };
    let names = sequences::all()
        .into_iter()
        .map(|(title, rows)| (title, rows.into_iter().map(|(section, name, ..)| (name, section)).collect()));
    by_group(names.collect(), measure)
}

/// What a client was told, what arrived upstream, and of how many bytes.
fn cell(frames: &[Frame], is_closed: bool, arrived: &[Received], bytes: usize) -> Cell {
    let whole: usize = arrived.iter().map(|request| request.head.raw.len() + request.raw_body.len()).sum();
    let requests: Vec<_> =
        arrived.iter().filter(|request| request.target() != "/after").map(describe).collect();
    let (end, is_taken) = end(frames, is_closed);
    let passes = is_taken || !requests.is_empty();
    let text = match (requests.is_empty(), bytes > whole) {
        (false, _) => format!("{end}: {}", requests.join(", ")),
        (true, true) => format!("{end}, begun"),
        (true, false) => end,
    };
    Cell { text, passes }
}

/// What became of a sequence first, in words, and whether it was taken as if nothing were wrong with it.
fn end(frames: &[Frame], is_closed: bool) -> (String, bool) {
    let first = frames.iter().find_map(|frame| match frame.kind {
        HEADERS if frame.stream != AFTER => Some(frame.status().to_string()),
        RST_STREAM if frame.stream != AFTER => Some(format!("stream reset, {}", word(frame.number(0)))),
        // That a connection is to end some day says nothing of the sequence.
        GOAWAY if frame.number(4) != code::NO_ERROR => {
            Some(format!("connection closed, {}", word(frame.number(4))))
        }
        _ => None,
    });
    let goes_on = frames.iter().any(|frame| frame.kind == HEADERS && frame.stream == AFTER);
    match first {
        Some(end) => (end, false),
        None if goes_on => ("taken".to_owned(), true),
        None if is_closed => ("connection closed".to_owned(), false),
        None => ("no answer".to_owned(), false),
    }
}

/// The name of an error code.
fn word(number: u32) -> String {
    let known = code::NAMES.get(number as usize).map(|name| (*name).to_owned());
    known.unwrap_or_else(|| format!("{number:#x}"))
}

fn part(peers: &[String], groups: &[Group]) -> String {
    let mut text = String::from(HEAD);
    let versions: Vec<_> = peers.iter().filter_map(|peer| peer.split('\n').nth(1)).collect();
    let _ = writeln!(text, "\nMeasured: {}.\n", versions.join(", "));
    summary(&mut text, peers, "HTTP/2", "sequences", groups);
    tables(&mut text, peers, "sequence", groups);
    text
}

const HEAD: &str = "
Frame sequences of clients, each behind preface and settings on a connection of its own, by prior knowledge; the
upstream is spoken to by HTTP/1.1. *Stream reset* and *connection closed* come with the code that was given, where one
was. *Taken*: a request behind it on the same connection is answered as if nothing were wrong. After a colon, what the
upstream got; *begun*: some of it, never the end. ⚠ marks what another one takes or passes on where Lockgate refuses.
RFC 9113 §5.4.1 lets a server close the connection where a reset of the stream would do, and §8.1.1 lets it answer what is
malformed; a limit on frames that move nothing (§10.5) is each server's own.

The list is the table `tests/http2/sequences`, which holds Lockgate to it and to every byte that its upstream gets.
";
