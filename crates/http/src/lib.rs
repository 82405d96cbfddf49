//! The HTTP engine: HTTP/1.1 by hand over `httparse`, HTTP/2 through the `h2` crate, both sides of a proxy.
//!
//! One task drives a client's connection and the upstream exchange of its request. Bodies are pulled: who
//! sends a body on reads the socket it comes from. Nothing here is `Send`; a request never leaves its worker.

pub mod body;
pub mod error;
pub mod headers;
pub mod message;
pub mod name;

mod h1;
mod h2;

pub use body::{Body, BodyStream, CollectError};
pub use error::{BodyError, BodyErrorKind, ClientError, Fault};
pub use headers::{Headers, InvalidHeader};
pub use message::{InvalidTarget, Request, Response, Version};

use std::net::SocketAddr;

/// The connection a request came on.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionInfo {
    /// The client's address.
    pub peer: SocketAddr,
    /// The listener's address.
    pub local: SocketAddr,
    /// Whether the client speaks TLS.
    pub is_tls: bool,
}
