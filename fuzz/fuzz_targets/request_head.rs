//! Request heads: one reading, however they are delivered; what is sent on reads the same again.

#![no_main]

#[path = "../../crates/http/tests/targets/request_head.rs"]
mod request_head;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| request_head::check(input));
