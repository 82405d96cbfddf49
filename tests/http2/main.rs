//! HTTP/2 by its specification: frame sequences as bytes, and what the gateway and its upstream make of each.

mod bench;
mod floods;
mod frames;
mod framing;
mod messages;
mod streams;
mod upstreams;
mod websocket;
mod wire;
