//! Everything that can go wrong with a request, and the one response for it.

use http::StatusCode;
use lockgate_http::{BodyErrorKind, ClientError, Fault, Response};
use lockgate_plugin::Error as PluginError;

/// Why a request has no answer but ours.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// No route matches.
    #[error("404 Route Not Found")]
    NoRoute,
    /// The path cannot be read in one way only.
    #[error("400 Bad Request: {0}")]
    BadPath(&'static str),
    /// It is no request (RFC 9112), or one beyond a limit.
    #[error("{} {}: {reason}", status.as_u16(), status.canonical_reason().unwrap_or_default())]
    Refused {
        /// What is answered.
        status: StatusCode,
        /// What is wrong.
        reason: &'static str,
    },
    /// The route has no upstream, or its upstream has no node.
    #[error("503 Service Unavailable: no upstream node is available")]
    NoNode,
    /// The upstream failed.
    #[error("{}", describe(.0))]
    Upstream(ClientError),
    /// A plugin failed.
    #[error(transparent)]
    Plugin(#[from] PluginError),
}

impl ProxyError {
    /// The status of the answer. A timeout is 504, any other failure of the upstream 502, and a client that
    /// broke off gets 400, 408 or 413 if it still listens.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::BadPath(_) => StatusCode::BAD_REQUEST,
            Self::Refused { status, .. } => *status,
            Self::NoNode => StatusCode::SERVICE_UNAVAILABLE,
            Self::Upstream(error) => upstream_status(error),
            Self::Plugin(error) => error.status,
        }
    }

    /// The response: `{"error_msg": …}`.
    pub fn into_response(self) -> Response {
        let body = serde_json::json!({ "error_msg": self.to_string() });
        Response::text(self.status(), "application/json", format!("{body}\n"))
    }
}

fn upstream_status(error: &ClientError) -> StatusCode {
    match error {
        ClientError::RequestBody(body) if body.fault == Fault::Client => match body.kind {
            BodyErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            BodyErrorKind::Timeout => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::BAD_REQUEST,
        },
        error if error.is_timeout() => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    }
}

/// What a client is told: what failed, without the addresses behind the gateway. Those are in the log.
fn describe(error: &ClientError) -> String {
    let status = upstream_status(error);
    let what = match error {
        ClientError::RequestBody(body) if body.fault == Fault::Client => match body.kind {
            BodyErrorKind::TooLarge => "request body is too large",
            BodyErrorKind::Timeout => "request body did not arrive in time",
            _ => "request body broke off",
        },
        ClientError::RequestBody(_) => "request body could not be made",
        ClientError::Resolve { .. } => "upstream's host does not resolve",
        ClientError::Connect { .. } => "upstream refused the connection",
        ClientError::ConnectTimeout { .. } => "upstream could not be connected to in time",
        ClientError::Tls { .. } => "TLS handshake with the upstream failed",
        ClientError::Closed { .. } => "upstream closed the connection before its response",
        ClientError::Refused { .. } => "upstream did not take the request",
        ClientError::Reset { .. } => "upstream reset the request",
        ClientError::Timeout { .. } => "upstream did not answer in time",
        ClientError::Malformed { .. } => "upstream sent a malformed response",
    };
    format!("{} {}: {what}", status.as_u16(), status.canonical_reason().unwrap_or_default())
}
