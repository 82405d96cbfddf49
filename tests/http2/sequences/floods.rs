//! RFC 9113 §10.5: what costs a server more than its client.

use lockgate_tests::wire::*;

use super::{Case, Then, begun_in_chunks};

const CALM: Then = Then::Closed(&[code::CALM]);

/// More than any limit that these rows rely on.
const MANY: usize = 3000;

pub(crate) fn idle_frames() -> Vec<Case> {
    let few = settings(setting(4, 65_535).repeat(2730)).repeat(30);
    vec![
        ("9113 §10.5", "3,000 pings", ping(0).repeat(MANY), CALM),
        ("9113 §10.5", "3,000 answers to no pings", ping(ACK).repeat(MANY), CALM),
        ("9113 §10.5", "3,000 settings", settings(setting(4, 65_535)).repeat(MANY), CALM),
        ("9113 §10.5", "82,000 settings in 30 frames", few, CALM),
        ("9113 §10.5", "3,000 priorities", frame(PRIORITY, 0, 1, [0, 0, 0, 0, 1]).repeat(MANY), CALM),
        ("9113 §10.5", "3,000 windows", window(0, 1).repeat(MANY), CALM),
        ("9113 §10.5", "3,000 unknown frames", frame(0x42, 0, 0, "x").repeat(MANY), CALM),
        (
            "9113 §10.5",
            "3,000 frames of no data",
            [post(1), data(1, 0, "").repeat(MANY)].concat(),
            begun_in_chunks(Then::Reset(1, &[code::CALM]), ""),
        ),
    ]
}

pub(crate) fn heads_without_end() -> Vec<Case> {
    let open = || headers(1, END_STREAM, block(&GET));
    let empty = frame(CONTINUATION, 0, 1, []).repeat(MANY);
    let fields = frame(CONTINUATION, 0, 1, field("x-a", "b".repeat(1000))).repeat(MANY);
    vec![
        ("9113 §10.5", "3,000 continuations of nothing", [open(), empty].concat(), CALM),
        ("9113 §10.5", "3,000 continuations of 1 kB", [open(), fields].concat(), CALM),
    ]
}

pub(crate) fn large_heads() -> Vec<Case> {
    let large: Vec<u8> = (0..5).flat_map(|_| field("x", "y".repeat(16_000))).collect();
    let parts = |fields: &[u8]| {
        let all = [block(&GET), fields.to_vec()].concat();
        let mut chunks = all.chunks(16_384).peekable();
        let mut bytes = headers(1, END_STREAM, chunks.next().unwrap_or_default());
        while let Some(chunk) = chunks.next() {
            bytes.extend(frame(CONTINUATION, if chunks.peek().is_none() { 4 } else { 0 }, 1, chunk));
        }
        bytes
    };
    // A field of 4,000 bytes that goes into the table, then 100 and 5,000 references to it (RFC 7541 §7.3).
    let bomb = |count: usize| {
        let mut fields = field("x", "y".repeat(4000));
        fields[0] = 0x40;
        fields.extend(vec![0xbe; count]);
        headers(1, WHOLE, [block(&GET), fields].concat())
    };
    vec![
        ("9113 §10.5.1", "a head of 80 kB", parts(&large), Then::Refused(1, 431)),
        ("9113 §10.5.1", "a small head that becomes 400 kB", bomb(100), CALM),
        ("9113 §10.5.1", "a small head that becomes 20 MB", bomb(5000), CALM),
        ("9113 §10.5.1", "a small head that becomes 80 kB", bomb(20), Then::Refused(1, 431)),
    ]
}
