//! Paths: a tail stands for what follows its prefix and never leaves its base, decoded up to four times; nor does
//! one whose prefix was matched on another reading of the path.

#![no_main]

#[path = "../../crates/http/tests/targets/path.rs"]
mod path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| path::check(text));
