//! The client's side of the table, by what each message tries to confuse.

mod bodies;
mod chunks;
mod connection;
mod fields;
mod framing;
mod hosts;
mod limits;
mod lines;
mod upgrades;

use crate::bench::Bench;
use crate::table::Probe;

/// Every probe of a client, group by group.
pub(crate) fn all() -> Vec<(&'static str, Vec<Probe>)> {
    vec![
        ("Where a body ends", framing::probes()),
        ("Chunks and trailers", chunks::probes()),
        ("Header fields", fields::probes()),
        ("Host and authority", hosts::probes()),
        ("Request lines", lines::probes()),
        ("The connection", connection::probes()),
        ("Bodies, pipelines, expectations", bodies::probes()),
        ("Going over to WebSocket", upgrades::probes()),
        ("Limits", limits::probes()),
    ]
}

fn hold(probes: &[Probe]) {
    let mut bench = Bench::new();
    let faults: Vec<_> = probes.iter().filter_map(|probe| bench.hold(probe).err()).collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), probes.len(), faults.join("\n"));
    bench.end();
}

#[test]
fn a_body_ends_at_one_place_or_the_request_is_refused() {
    hold(&framing::probes());
}

#[test]
fn chunks_follow_the_grammar_or_the_request_is_never_completed() {
    hold(&chunks::probes());
}

#[test]
fn header_fields_mean_one_thing_or_are_refused() {
    hold(&fields::probes());
}

#[test]
fn a_request_has_one_host() {
    hold(&hosts::probes());
}

#[test]
fn a_request_line_is_strict() {
    hold(&lines::probes());
}

#[test]
fn what_belongs_to_the_connection_stops_here() {
    hold(&connection::probes());
}

#[test]
fn each_request_of_a_connection_is_seen_once() {
    hold(&bodies::probes());
}

#[test]
fn whatever_is_too_much_is_refused() {
    hold(&limits::probes());
}

#[test]
fn a_request_to_go_over_to_something_else_is_still_one_request() {
    hold(&upgrades::probes());
}
