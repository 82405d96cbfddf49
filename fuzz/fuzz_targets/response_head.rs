//! Response heads: one reading, however they are delivered.

#![no_main]

#[path = "../../crates/http/tests/targets/response_head.rs"]
mod response_head;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| response_head::check(input));
