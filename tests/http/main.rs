//! HTTP itself: framing, connections, streaming and HTTP/2, seen from a client and from an upstream.

mod connections;
mod forwarding;
mod http2;
mod proxy_protocol;
mod responses;
mod streaming;
mod websocket;
