//! Where connections come in: a worker, its sockets, and the service that answers on them.

mod accept;
mod proxy_protocol;
#[cfg(feature = "http3")]
mod quic;
#[cfg(not(feature = "http3"))]
#[path = "no_quic.rs"]
mod quic;
mod service;
mod team;
mod tls;
mod worker;

pub use accept::{Listener, ListenerSettings};
pub use proxy_protocol::Trusted;
pub use quic::QuicListener;
pub use service::AccessLogSettings;
pub use team::{ConnectionLimits, Place, places};
pub use tls::{LiveCertificates, TlsSettings};
pub use worker::{Phase, Worker, WorkerSettings};
