//! What can go wrong in an exchange: what, whose fault, may it be retried.

use std::io;

use crate::peer::Peer;

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The client's: it sent something wrong, or went away.
    Client,
    /// The upstream's: it refused, broke off, stalled or sent something wrong.
    Upstream,
    /// The gateway's own.
    Gateway,
}

/// A body that could not be read to its end.
#[derive(Debug, thiserror::Error)]
#[error("{fault:?} body: {kind}")]
pub struct BodyError {
    /// Who broke off.
    pub fault: Fault,
    /// What went wrong.
    pub kind: BodyErrorKind,
}

/// What went wrong with a body.
#[derive(Debug, thiserror::Error)]
pub enum BodyErrorKind {
    /// The connection closed before the end of the body.
    #[error("closed before its end")]
    Truncated,
    /// Its framing is broken.
    #[error("broken framing: {0}")]
    Framing(&'static str),
    /// Nothing came for too long.
    #[error("timed out")]
    Timeout,
    /// It is longer than allowed.
    #[error("longer than allowed")]
    TooLarge,
    /// It is not as long as it said.
    #[error("not as long as it said")]
    Length,
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl BodyError {
    pub(crate) fn new(fault: Fault, kind: impl Into<BodyErrorKind>) -> Self {
        Self { fault, kind: kind.into() }
    }

    /// Says in the log that an answer broke off, where that is not the client's own doing.
    pub(crate) fn report(&self) {
        if self.fault != Fault::Client {
            tracing::warn!(error = %self, "answer broke off");
        }
    }
}

/// A request that got no response.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The name of the peer does not resolve.
    #[error("{host} does not resolve: {reason}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// No connection: refused, unreachable.
    #[error("connecting to {peer}: {source}")]
    Connect {
        /// Host and port.
        peer: String,
        /// What the system said.
        source: io::Error,
    },
    /// No connection in time.
    #[error("connecting to {peer}: timed out")]
    ConnectTimeout {
        /// Host and port.
        peer: String,
    },
    /// The TLS handshake failed: certificate refused, no common version.
    #[error("TLS with {peer}: {source}")]
    Tls {
        /// Host and port.
        peer: String,
        /// What rustls said.
        source: io::Error,
    },
    /// The connection closed or failed before the response head was whole.
    #[error("{peer} closed the connection before its response")]
    Closed {
        /// Host and port.
        peer: String,
        /// Whether nothing of a response had come, so that a peer that never saw the request is possible.
        untouched: bool,
    },
    /// The peer says that it has not looked at the request (RFC 9113 §8.7).
    #[error("{peer} did not take the request")]
    Refused {
        /// Host and port.
        peer: String,
    },
    /// The peer gave up on the request before its response head was whole.
    #[error("{peer} reset the request: {reason}")]
    Reset {
        /// Host and port.
        peer: String,
        /// Its error code (RFC 9113 §7), by name.
        reason: &'static str,
    },
    /// No response head in time.
    #[error("{peer} did not answer in time")]
    Timeout {
        /// Host and port.
        peer: String,
    },
    /// The response is not HTTP, or ambiguous.
    #[error("{peer} sent a malformed response: {reason}")]
    Malformed {
        /// Host and port.
        peer: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The request's own body broke off.
    #[error(transparent)]
    RequestBody(BodyError),
}

impl ClientError {
    /// No connection to a peer in time.
    pub(crate) fn connect_timeout(to: &Peer) -> Self {
        Self::ConnectTimeout { peer: to.label().to_owned() }
    }

    /// Whether the request cannot have been executed, so that another node may be asked.
    pub fn is_safe_to_retry(&self) -> bool {
        matches!(
            self,
            Self::Resolve { .. }
                | Self::Connect { .. }
                | Self::ConnectTimeout { .. }
                | Self::Tls { .. }
                | Self::Refused { .. }
        )
    }

    /// Whether it is a wait that ran out.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::ConnectTimeout { .. } | Self::Timeout { .. })
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::RequestBody(error) => error.fault,
            _ => Fault::Upstream,
        }
    }
}
