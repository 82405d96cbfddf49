//! Whole connections, beside hyper: both see the same requests with the same bodies, until one of them refuses.

#![no_main]

#[path = "../../crates/http/tests/differential/allowed.rs"]
mod allowed;
#[path = "../../crates/http/tests/differential/heads.rs"]
#[expect(dead_code, reason = "other targets use the rest of it")]
mod heads;
#[path = "../../crates/http/tests/differential/peer.rs"]
mod peer;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| peer::connection(input));
