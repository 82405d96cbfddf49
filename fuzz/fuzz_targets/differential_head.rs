//! Heads of requests and responses, beside httparse: what is not read alike is refused, for a reason that is listed.

#![no_main]

#[path = "../../crates/http/tests/differential/allowed.rs"]
#[expect(dead_code, reason = "other targets use the rest of it")]
mod allowed;
#[path = "../../crates/http/tests/differential/heads.rs"]
mod heads;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = heads::request(input);
    for is_head in [false, true] {
        let _ = heads::response(input, is_head);
    }
    // A head is read from its start with each byte: short ones say as much as long ones.
    if input.len() < 512 {
        heads::delivered(input);
    }
});
