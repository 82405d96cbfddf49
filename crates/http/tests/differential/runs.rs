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
fn bodies_of_many_chunks_are_read_by_the_letter() {
    run(20, |random| {
        let count = 10_000 + random.below(20_000);
        let mut input = Vec::new();
        for _ in 0..count {
            let size = 1 + random.below(3);
            let zeros = "0".repeat(random.below(size + 1));
            let extension = if random.below(50) == 0 { ";ex" } else { "" };
            input.extend_from_slice(format!("{zeros}{size}{extension}\r\n").as_bytes());
            input.extend_from_slice(&b"abc"[..size]);
            input.extend_from_slice(b"\r\n");
        }
        input.extend_from_slice(b"0\r\n\r\n");
        bodies::body(&input);
    });
}

#[test]
fn connections_are_read_as_hyper_reads_them_or_refused_for_a_reason() {
    run(120_000, |random| {
        let connection = random.connection();
        peer::connection(&random.break_some(connection));
    });
}
