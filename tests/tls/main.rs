//! TLS on both sides: certificates by name, versions, sessions, certificates of clients, and upstreams.

mod certificates;
mod clients;
mod rotation;
mod selection;
mod sessions;
mod support;
mod upstreams;
