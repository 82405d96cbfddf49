//! The engine as a proxy between two sockets: what clients, upstreams and networks do to it.

mod client;
mod h2;
mod server;
mod support;
mod upload;
