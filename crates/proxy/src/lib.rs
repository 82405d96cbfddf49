//! How a request is served: the listener, the router, the line, the upstream.

mod admission;
pub mod balancer;
pub mod discovery;
mod error;
pub mod health;
mod listener;
mod request;
pub mod router;
mod routing;
mod snapshot;
mod upstream;

pub use error::ProxyError;
pub use listener::{
    AccessLogSettings, ConnectionLimits, Listener, ListenerSettings, LiveCertificates, Phase, Place,
    QuicListener, TlsSettings, Trusted, Worker, WorkerSettings, places,
};
pub use routing::Routing;
pub use snapshot::{Compiler, Live, Snapshot};
