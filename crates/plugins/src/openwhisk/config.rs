//! What users write under `openwhisk`: APISIX's fields and defaults.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::function::settings::{keepalive_pool, keepalive_timeout, max_req_body_size, timeout_status, yes};

/// What users write under `openwhisk`.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Config {
    /// The URL of the OpenWhisk API.
    pub(crate) api_host: String,
    /// User name and password, `user:password`, sent as basic authorization.
    #[schemars(extend("x-encrypt" = true))]
    pub(crate) service_token: String,
    /// The namespace of the action; `_` is that of the user.
    #[schemars(length(max = 256), regex(pattern = r"^(\w|\w[\w@ .-]*[\w@.-]+)$"))]
    pub(crate) namespace: String,
    /// The package of the action.
    #[schemars(length(max = 256), regex(pattern = r"^(\w|\w[\w@ .-]*[\w@.-]+)$"))]
    pub(crate) package: Option<String>,
    /// The action.
    #[schemars(length(max = 256), regex(pattern = r"^(\w|\w[\w@ .-]*[\w@.-]+)$"))]
    pub(crate) action: String,
    /// Whether the action's result is asked for alone, without the record of its activation.
    #[serde(default = "yes")]
    pub(crate) result: bool,
    /// How long the action may take, and how long to wait for a connection and for its answer, in milliseconds.
    #[serde(default = "timeout")]
    #[schemars(range(min = 1, max = 60000))]
    pub(crate) timeout: u64,
    /// The status of the answer when that time is over.
    #[serde(default = "timeout_status")]
    #[schemars(range(min = 500, max = 599))]
    pub(crate) timeout_status: u16,
    /// Whether the certificate of the API is verified.
    #[serde(default = "yes")]
    pub(crate) ssl_verify: bool,
    /// Whether connections are kept for the next request.
    #[serde(default = "yes")]
    pub(crate) keepalive: bool,
    /// How many idle connections each worker keeps. One beyond it is closed after about a second unused.
    #[serde(default = "keepalive_pool")]
    #[schemars(range(min = 1))]
    pub(crate) keepalive_pool: usize,
    /// How long a kept connection may be idle, in milliseconds.
    #[serde(default = "keepalive_timeout")]
    #[schemars(range(min = 1000))]
    pub(crate) keepalive_timeout: u64,
    /// The longest request body, in bytes; a longer one is refused with 413.
    #[serde(default = "max_req_body_size")]
    #[schemars(range(min = 1))]
    pub(crate) max_req_body_size: u64,
}

impl Config {
    /// The path and query that invoke the action and wait for it.
    pub(super) fn target(&self) -> String {
        let package = self.package.as_deref().map(|package| format!("{}/", encoded(package)));
        format!(
            "/api/v1/namespaces/{}/actions/{}{}?blocking=true&result={}&timeout={}",
            encoded(&self.namespace),
            package.unwrap_or_default(),
            encoded(&self.action),
            self.result,
            self.timeout,
        )
    }
}

/// A name as a segment of a path. The schema lets words, spaces and `@.-` through.
fn encoded(name: &str) -> String {
    let mut segment = String::with_capacity(name.len());
    for letter in name.chars() {
        if letter.is_ascii_alphanumeric() || "-._@".contains(letter) {
            segment.push(letter);
            continue;
        }
        for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
            // Writing to a text cannot fail.
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

fn timeout() -> u64 {
    3000
}
