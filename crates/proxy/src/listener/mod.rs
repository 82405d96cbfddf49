//! Where connections come in: a worker, its sockets, and the service that answers on them.

mod accept;
mod service;

pub use accept::{Listener, Worker, WorkerSettings};
pub use service::AccessLogSettings;
