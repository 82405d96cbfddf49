//! PROXY headers: one reading, however they are delivered, and never of what follows them.

#![no_main]

#[path = "../../crates/http/tests/targets/proxy_protocol.rs"]
mod proxy_protocol;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| proxy_protocol::check(input));
