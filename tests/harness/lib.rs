//! The harness: the real gateway on free loopback ports, and everything around it under a test's control.

#![expect(clippy::missing_panics_doc, reason = "a harness fails by panicking: that is how a test fails")]

mod binary;
mod connection;
mod curl;
mod function;
mod gate;
mod gateway;
mod message;
mod peers;
mod ports;
mod process;
mod python;
mod reference;
mod settings;
pub mod strictness;
mod tls;
mod upstream;
mod wait;
pub mod wire;

#[cfg(test)]
mod tests;

pub use binary::lockgate;
pub use connection::Connection;
pub use curl::{Curl, curl, sh};
pub use function::Function;
pub use gate::Gate;
pub use gateway::{ADMIN_KEY, Gateway};
pub use message::{Head, Received, Reply};
pub use peers::{MAX_BODY, PEERS, Peer, Speaks};
pub use ports::{Ports, closed_port};
pub use process::{Finished, Process};
pub use python::python;
pub use reference::{documentation, lab};
pub use settings::Settings;
pub use tls::Authority;
pub use upstream::{FakeUpstream, Then};
pub use wait::{DEADLINE, eventually, within};
