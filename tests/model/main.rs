//! Random changes against a model too simple to be wrong: the same answers, and the same state after every restart.

#[cfg(test)]
#[expect(dead_code, reason = "the store's own tests do more to it")]
#[path = "../../crates/store/tests/etcd/process.rs"]
mod process;

#[cfg(test)]
mod state;

#[cfg(test)]
mod stores;
