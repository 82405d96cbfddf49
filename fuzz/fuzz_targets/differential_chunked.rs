//! Chunked bodies, beside the letter of RFC 9112 §7.1 and beside httparse's sizes, at once and in pieces.

#![no_main]

#[path = "../../crates/http/tests/differential/allowed.rs"]
#[expect(dead_code, reason = "other targets use the rest of it")]
mod allowed;
#[path = "../../crates/http/tests/differential/bodies.rs"]
mod bodies;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| bodies::body(input));
