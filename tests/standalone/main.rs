//! Gateways that read everything from a file or are told everything in one call, their roles, and `lockgate store`.

#[cfg(test)]
#[expect(dead_code, reason = "the store's own tests do more to it")]
#[path = "../../crates/store/tests/etcd/process.rs"]
mod process;

#[cfg(test)]
mod api;
#[cfg(test)]
mod export;
#[cfg(test)]
mod file;
#[cfg(test)]
mod role;
