//! The HTTP engine: HTTP/1.1 by hand, HTTP/2 through the `h2` crate, both sides of a proxy.
//!
//! One task drives a client's connection and the upstream exchange of its request. Bodies are pulled: who
//! sends a body on reads the socket it comes from. Nothing here is `Send`; a request never leaves its worker.

pub mod body;
pub mod client;
pub mod error;
pub mod headers;
pub mod limits;
pub mod message;
pub mod name;
pub mod outgoing;
pub mod path;
pub mod peer;
pub mod probe;
pub mod proxy_protocol;
pub mod resolver;
pub mod server;
pub mod tls;

#[cfg(feature = "http3")]
pub mod h3;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

mod blocks;
mod buffer;
mod eights;
mod h1;
mod h2;
mod line;
mod pool;
mod stream;
mod timer;
mod websocket;

pub use body::{Body, BodyStream, CollectError};
pub use error::{BodyError, BodyErrorKind, ClientError, Fault};
pub use headers::{Headers, InvalidHeader};
pub use limits::{AnswerLimits, Limits};
pub use line::Line;
pub use message::{InvalidTarget, Request, Response, Version};
pub use outgoing::Outgoing;
pub use stream::Stream;

use std::net::SocketAddr;

/// The connection a request came on, with the texts of it that each request needs.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// The client's address.
    pub peer: SocketAddr,
    /// The listener's address.
    pub local: SocketAddr,
    /// The balancer that the connection came through, where that said who the client is.
    pub via: Option<SocketAddr>,
    /// Whether the client speaks TLS.
    pub is_tls: bool,
    /// What is known of its TLS.
    pub tls: Option<Box<tls::TlsInfo>>,
    /// The client's address without its port.
    pub peer_ip: Box<str>,
    /// The listener's port.
    pub local_port: Box<str>,
    /// What every request of it is forwarded with, as lines: `X-Forwarded-For` first.
    pub(crate) forwarded: Box<str>,
    /// How much of that the first line is.
    pub(crate) forwarded_for: usize,
}

impl ConnectionInfo {
    /// A connection between two addresses.
    pub fn new(peer: SocketAddr, local: SocketAddr, is_tls: bool) -> Self {
        // An IPv4 client of a socket for both families is an IPv4 client.
        let ip = peer.ip().to_canonical();
        let own = format!("X-Forwarded-For: {ip}\r\n");
        let scheme = if is_tls { "https" } else { "http" };
        let port = local.port();
        let more = format!("X-Real-IP: {ip}\r\nX-Forwarded-Proto: {scheme}\r\nX-Forwarded-Port: {port}\r\n");
        Self {
            peer: SocketAddr::new(ip, peer.port()),
            local,
            via: None,
            is_tls,
            tls: None,
            peer_ip: ip.to_string().into(),
            local_port: port.to_string().into(),
            forwarded_for: own.len(),
            forwarded: (own + &more).into(),
        }
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }
}
