//! Chunked bodies: one reading, however they are delivered, and nothing taken of what follows them.

#![no_main]

#[path = "../../crates/http/tests/targets/chunked.rs"]
mod chunked;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| chunked::check(input));
