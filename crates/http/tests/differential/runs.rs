//! The bounded runs: so many messages by chance, the same each time.

use std::collections::HashSet;

use crate::random::Random;
use crate::{bodies, heads, peer};

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

/// Runs `one` with messages of a source, `rounds` times.
fn run(rounds: u64, mut one: impl FnMut(&mut Random)) {
    let seed = number("SEED", 0x10C6_A7E0);
    let mut random = Random::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    for _ in 0..number("ROUNDS", rounds) {
        one(&mut random);
    }
}

#[test]
fn request_heads_are_read_as_httparse_reads_them_or_refused_for_a_reason() {
    let mut reasons = HashSet::new();
    run(500_000, |random| {
        let head = random.request();
        let input = random.break_some(head);
        reasons.extend(heads::request(&input).map(|reason| format!("{reason:?}")));
    });
    assert!(reasons.len() >= 9, "a run that meets few reasons says little: {reasons:?}");
}

#[test]
fn response_heads_are_read_as_httparse_reads_them_or_refused_for_a_reason() {
    let mut reasons = HashSet::new();
    run(500_000, |random| {
        let head = random.response();
        let input = random.break_some(head);
        let is_head = random.below(4) == 0;
        reasons.extend(heads::response(&input, is_head).map(|reason| format!("{reason:?}")));
    });
    assert!(reasons.len() >= 6, "a run that meets few reasons says little: {reasons:?}");
}

#[test]
fn request_heads_are_read_alike_byte_by_byte() {
    run(40_000, |random| {
        let head = random.request();
        heads::delivered(&random.break_some(head));
    });
}

#[test]
fn chunked_bodies_are_read_by_the_letter() {
    run(300_000, |random| {
        let chunks = random.chunks();
        bodies::body(&random.break_some(chunks));
    });
}

#[test]
fn connections_are_read_as_hyper_reads_them_or_refused_for_a_reason() {
    run(120_000, |random| {
        let connection = random.connection();
        peer::connection(&random.break_some(connection));
    });
}
