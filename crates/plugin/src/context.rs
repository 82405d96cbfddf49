//! What is known of a request besides the request itself.

use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use lockgate_http::{ConnectionInfo, Version};

/// What is known of a request besides the request itself: what plugins share, variables read and logs write.
#[derive(Debug)]
pub struct RequestContext {
    /// The connection it came on.
    pub connection: ConnectionInfo,
    /// The method, as it came.
    pub method: Method,
    /// The version it came in.
    pub version: Version,
    /// Path and query, as they came.
    pub target: Box<str>,
    /// The path as rules match on it: percent-decoded, dot segments resolved, slashes merged (nginx's `$uri`).
    pub path: Box<str>,
    /// The id of the matched route; empty before one was found.
    pub route_id: Box<str>,
    /// What followed the `*` of the matched uri, in the client's own encoding, dot segments resolved and
    /// slashes merged; `None` when it was matched whole.
    pub path_tail: Option<Box<str>>,
    /// What the upstream, or a function, did with it.
    pub upstream: UpstreamTrace,
    /// The status of the answer; 0 before there is one.
    pub status: u16,
    /// Bytes of the answer's body that were sent.
    pub body_bytes_sent: u64,
    /// From the first byte of the request to the last byte of the answer.
    pub duration: Duration,
}

/// What the upstream did, for logs.
#[derive(Debug, Default)]
pub struct UpstreamTrace {
    /// The node that was asked last.
    pub address: Option<SocketAddr>,
    /// The status it gave; 0 when it gave none.
    pub status: u16,
    /// From the first try to the head of its answer.
    pub duration: Option<Duration>,
}
