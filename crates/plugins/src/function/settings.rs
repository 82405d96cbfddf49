//! What users write of a function behind a URL: the fields that APISIX's serverless plugins have in common.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use lockgate_http::peer::KeepAlive;
use lockgate_plugin::BuildError;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Settings;

/// What APISIX answers to a body that is too long: not 413.
pub(crate) const TOO_LARGE: StatusCode = StatusCode::BAD_REQUEST;

/// What users write of a function behind a URL.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Remote {
    /// The URL that triggers the function. What a route's `*` matched is joined to its path; its query comes before
    /// the client's.
    function_uri: String,
    /// How long to wait for a connection, for the head of the response, and for each silence after it, in
    /// milliseconds.
    #[serde(default = "timeout")]
    #[schemars(range(min = 100))]
    timeout: u64,
    /// The status of the answer when that time is over.
    #[serde(default = "timeout_status")]
    #[schemars(range(min = 500, max = 599))]
    timeout_status: u16,
    /// Whether the function's certificate is verified.
    #[serde(default = "yes")]
    ssl_verify: bool,
    /// Whether connections are kept for the next request.
    #[serde(default = "yes")]
    keepalive: bool,
    /// How many idle connections each worker keeps. One beyond it is closed after about a second unused.
    #[serde(default = "keepalive_pool")]
    #[schemars(range(min = 1))]
    keepalive_pool: usize,
    /// How long a kept connection may be idle, in milliseconds.
    #[serde(default = "keepalive_timeout")]
    #[schemars(range(min = 1000))]
    keepalive_timeout: u64,
    /// The longest request body, in bytes; a longer one is refused with 400.
    #[serde(default = "max_req_body_size")]
    #[schemars(range(min = 1))]
    max_req_body_size: u64,
}

impl Remote {
    pub(crate) fn settings(&self) -> Result<Settings<'_>, BuildError> {
        let connections = if self.keepalive { self.keepalive_pool } else { 0 };
        Ok(Settings {
            field: "function_uri",
            uri: &self.function_uri,
            timeout: Duration::from_millis(self.timeout),
            timeout_status: status(self.timeout_status)?,
            verifies: self.ssl_verify,
            keep_alive: keep_alive(connections, self.keepalive_timeout),
            max_body: self.max_req_body_size,
            too_large: TOO_LARGE,
        })
    }
}

/// The status of a time-out.
pub(crate) fn status(code: u16) -> Result<StatusCode, BuildError> {
    StatusCode::from_u16(code)
        .map_err(|error| BuildError(format!("property \"timeout_status\" validation failed: {error}")))
}

/// How connections are kept; `timeout` is in milliseconds.
pub(crate) fn keep_alive(connections: usize, timeout: u64) -> KeepAlive {
    KeepAlive { connections, timeout: Duration::from_millis(timeout), requests: 0 }
}

/// Basic authorization (RFC 7617 §2) by `user:password`.
pub(crate) fn basic(token: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(token))
}

/// Refuses a text that cannot stand in a header.
pub(crate) fn header_value(field: &str, text: &str) -> Result<Box<[u8]>, BuildError> {
    if text.bytes().any(|byte| byte < b' ' || byte == 127) {
        return Err(BuildError(format!(
            "property \"{field}\" validation failed: expected a text without control characters"
        )));
    }
    Ok(text.as_bytes().into())
}

fn timeout() -> u64 {
    3000
}

pub(crate) fn timeout_status() -> u16 {
    503
}

pub(crate) fn yes() -> bool {
    true
}

pub(crate) fn keepalive_pool() -> usize {
    5
}

pub(crate) fn keepalive_timeout() -> u64 {
    60_000
}

pub(crate) fn max_req_body_size() -> u64 {
    64 * 1024 * 1024
}
