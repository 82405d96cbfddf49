//! The phases of a request, and what a plugin may say in them.

use http::StatusCode;
use lockgate_http::Response;

/// A phase of a request, in the order they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Change the request, find the consumer.
    Rewrite,
    /// Refuse or answer.
    Access,
    /// The last change before the upstream.
    BeforeProxy,
    /// Change status and headers.
    HeaderFilter,
    /// Wrap the body.
    BodyFilter,
    /// Look only.
    Log,
}

/// What becomes of the request.
#[derive(Debug)]
pub enum Flow {
    /// It goes on.
    Continue,
    /// It is answered with this.
    Respond(Response),
}

/// A plugin that failed. The client gets the status and the text; the cause goes to the log.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The status to answer with.
    pub status: StatusCode,
    /// What failed, for the client: lowercase, no secrets.
    pub message: String,
}
