//! Bodies of the Admin API: what the JSON parser reads is read alike, a forgiven comma aside, and no resource
//! makes a check panic.

#![no_main]

#[path = "../../crates/admin/tests/targets/admin_json.rs"]
mod admin_json;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| admin_json::check(text));
