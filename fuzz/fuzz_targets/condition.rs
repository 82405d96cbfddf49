//! Conditions: whatever JSON they are written in, they are refused or decide, and a negation decides otherwise.

#![no_main]

#[path = "../../crates/plugin/tests/targets/condition.rs"]
mod condition;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    condition::check(text);
});
