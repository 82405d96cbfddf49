//! HTTP/3 over quinn and the `h3` crate: the same heads and bodies as the other versions. Experimental, as `h3` is.

mod endpoint;
mod exchange;
mod frames;
mod incoming;
mod quic;
mod server;

pub use endpoint::{Arriving, Endpoint, server_config};
