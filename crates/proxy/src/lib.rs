//! How a request is served: the listener, the router, the line, the upstream.

mod balancer;
mod error;
mod listener;
mod request;
pub mod router;
mod snapshot;
mod upstream;

pub use error::ProxyError;
pub use listener::{
    AccessLogSettings, ConnectionLimits, Listener, ListenerSettings, Phase, Place, QuicListener, Trusted,
    Worker, WorkerSettings, places,
};
pub use snapshot::{Compiler, Live, Snapshot};
