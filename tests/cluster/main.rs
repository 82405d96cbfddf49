//! Several gateways on one etcd: what one is told, all serve; and what they do while etcd is away.

#[cfg(test)]
#[expect(dead_code, reason = "the store's own tests do more to it")]
#[path = "../../crates/store/tests/etcd/process.rs"]
mod process;

#[cfg(test)]
mod gateways;

#[cfg(test)]
mod layout;
