//! Lockgate: parse the command line, build the runtime, run.

mod admin_key;
mod banner;
mod cli;
mod settings;

fn main() {}
