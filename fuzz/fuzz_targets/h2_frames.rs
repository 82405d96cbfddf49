//! Frames of HTTP/2: whatever comes, each request that is made of it is one request of HTTP/1.1, with nothing over.

#![no_main]

#[path = "../../crates/http/tests/targets/h2_frames.rs"]
mod h2_frames;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| h2_frames::check(input));
