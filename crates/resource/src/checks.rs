//! Health checks of an upstream's nodes: what is asked of them, and how many answers of which kind change their
//! status.

use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::field;

/// Health checks of an upstream's nodes.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[schemars(inline, extend("anyOf" = [{"required": ["active"]}, {"required": ["active", "passive"]}]))]
pub struct Checks {
    /// Requests of the gateway's own.
    pub active: Option<ActiveCheck>,
    /// What the answers to clients' requests say.
    pub passive: Option<PassiveCheck>,
}

/// What is asked in a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline, transform = crate::schemas::plain_choices)]
pub enum CheckType {
    /// A request over HTTP.
    #[default]
    Http,
    /// A request over HTTP in TLS.
    Https,
    /// A connection.
    Tcp,
}

/// Requests that ask nodes whether they are well.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct ActiveCheck {
    /// What is asked.
    #[serde(default, rename = "type")]
    pub kind: CheckType,
    /// Seconds that an answer may take.
    #[serde(default = "one_second", deserialize_with = "field::seconds")]
    #[schemars(schema_with = "timeout", extend("default" = 1))]
    pub timeout: Duration,
    /// How many nodes are asked at once.
    #[serde(default = "ten")]
    #[schemars(schema_with = "concurrency")]
    pub concurrency: u32,
    /// The Host that is sent. By default the one that requests are sent with.
    #[serde(default)]
    #[schemars(schema_with = "field::host")]
    pub host: Option<String>,
    /// The port that is asked. By default the node's.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// The method of the request.
    #[serde(default = "get")]
    #[schemars(schema_with = "method")]
    pub http_method: String,
    /// The path of the request.
    #[serde(default = "slash")]
    pub http_path: String,
    /// The body of the request.
    #[serde(default)]
    #[schemars(extend("default" = ""))]
    pub http_req_body: String,
    /// Whether the node's certificate is verified.
    #[serde(default = "yes")]
    pub https_verify_certificate: bool,
    /// What speaks for a node.
    #[serde(default)]
    pub healthy: ActiveHealthy,
    /// What speaks against it.
    #[serde(default)]
    pub unhealthy: ActiveUnhealthy,
    /// More fields of the request, such as `User-Agent: check`.
    #[serde(default)]
    #[schemars(schema_with = "headers")]
    pub req_headers: Vec<String>,
}

/// What speaks for a node that is asked.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(inline)]
pub struct ActiveHealthy {
    /// Seconds between two requests to a node that is healthy.
    #[schemars(range(min = 1))]
    pub interval: u32,
    /// Statuses of good answers.
    #[schemars(schema_with = "good_statuses")]
    pub http_statuses: Vec<u16>,
    /// Good answers in a row that make a node healthy.
    #[schemars(range(min = 1, max = 254))]
    pub successes: u8,
}

/// What speaks against a node that is asked.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(inline)]
pub struct ActiveUnhealthy {
    /// Seconds between two requests to a node that is unhealthy.
    #[schemars(range(min = 1))]
    pub interval: u32,
    /// Statuses of bad answers.
    #[schemars(schema_with = "bad_statuses")]
    pub http_statuses: Vec<u16>,
    /// Bad answers in a row that make a node unhealthy.
    #[schemars(range(min = 1, max = 254))]
    pub http_failures: u8,
    /// Connections that fail in a row that make a node unhealthy.
    #[schemars(range(min = 1, max = 254))]
    pub tcp_failures: u8,
    /// Answers in a row that do not come in time that make a node unhealthy.
    #[schemars(range(min = 1, max = 254))]
    pub timeouts: u8,
}

/// What the answers to clients' requests say about nodes.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct PassiveCheck {
    /// What clients ask.
    #[serde(default, rename = "type")]
    pub kind: CheckType,
    /// What speaks for a node.
    #[serde(default)]
    pub healthy: PassiveHealthy,
    /// What speaks against it.
    #[serde(default)]
    pub unhealthy: PassiveUnhealthy,
}

/// What speaks for a node that clients ask.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(inline)]
pub struct PassiveHealthy {
    /// Statuses of good answers.
    #[schemars(schema_with = "passed_statuses")]
    pub http_statuses: Vec<u16>,
    /// Good answers in a row that make a node healthy. 0 takes no note of them.
    #[schemars(range(max = 254))]
    pub successes: u8,
}

/// What speaks against a node that clients ask.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(inline)]
pub struct PassiveUnhealthy {
    /// Statuses of bad answers.
    #[schemars(schema_with = "failed_statuses")]
    pub http_statuses: Vec<u16>,
    /// Connections that fail in a row that make a node unhealthy. 0 takes no note of them.
    #[schemars(range(max = 254))]
    pub tcp_failures: u8,
    /// Answers in a row that do not come in time that make a node unhealthy. 0 takes no note of them.
    #[schemars(range(max = 254))]
    pub timeouts: u8,
    /// Bad answers in a row that make a node unhealthy. 0 takes no note of them.
    #[schemars(range(max = 254))]
    pub http_failures: u8,
}

const GOOD: [u16; 2] = [200, 302];
const BAD: [u16; 8] = [429, 404, 500, 501, 502, 503, 504, 505];
const PASSED: [u16; 19] =
    [200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308];
const FAILED: [u16; 3] = [429, 500, 503];
const METHODS: [&str; 10] =
    ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PURGE"];

impl Default for ActiveHealthy {
    fn default() -> Self {
        Self { interval: 1, http_statuses: GOOD.into(), successes: 2 }
    }
}

impl Default for ActiveUnhealthy {
    fn default() -> Self {
        Self { interval: 1, http_statuses: BAD.into(), http_failures: 5, tcp_failures: 2, timeouts: 3 }
    }
}

impl Default for PassiveHealthy {
    fn default() -> Self {
        Self { http_statuses: PASSED.into(), successes: 5 }
    }
}

impl Default for PassiveUnhealthy {
    fn default() -> Self {
        Self { http_statuses: FAILED.into(), tcp_failures: 2, timeouts: 7, http_failures: 5 }
    }
}

impl Checks {
    /// What one field alone cannot tell.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Some(active) = &self.active else {
            return Err(
                "checks.active is required: passive checks alone never find a node well again".to_owned()
            );
        };
        if active.timeout.is_zero() {
            return Err("checks.active.timeout 0 is no time for an answer".to_owned());
        }
        let is_line = |text: &str| text.bytes().all(|byte| byte == b'\t' || (0x20..0x7F).contains(&byte));
        let is_path =
            active.http_path.starts_with('/') && active.http_path.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_path {
            return Err(format!("checks.active.http_path {} is no path", active.http_path.escape_debug()));
        }
        if let Some(line) = active.req_headers.iter().find(|line| !line.contains(':') || !is_line(line)) {
            return Err(format!("checks.active.req_headers: {} is not name: value", line.escape_debug()));
        }
        Ok(())
    }
}

fn one_second() -> Duration {
    Duration::from_secs(1)
}

fn ten() -> u32 {
    10
}

fn get() -> String {
    "GET".to_owned()
}

fn slash() -> String {
    "/".to_owned()
}

fn yes() -> bool {
    true
}

fn timeout(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "number", "default": 1})
}

fn concurrency(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "default": 10})
}

fn method(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": METHODS, "default": "GET"})
}

fn headers(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "minItems": 1, "items": {"type": "string"}})
}

fn statuses(default: &[u16]) -> Schema {
    let status = json_schema!({"type": "integer", "minimum": 200, "maximum": 599});
    json_schema!({"type": "array", "minItems": 1, "uniqueItems": true, "items": status, "default": default})
}

fn good_statuses(_: &mut SchemaGenerator) -> Schema {
    statuses(&GOOD)
}

fn bad_statuses(_: &mut SchemaGenerator) -> Schema {
    statuses(&BAD)
}

fn passed_statuses(_: &mut SchemaGenerator) -> Schema {
    statuses(&PASSED)
}

fn failed_statuses(_: &mut SchemaGenerator) -> Schema {
    statuses(&FAILED)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{Kind, Upstream};

    fn read(checks: &Value) -> Result<Upstream, String> {
        let upstream = json!({"nodes": {"a:80": 1}, "checks": checks});
        Kind::Upstream.schema().check(&upstream)?;
        Upstream::from_value(&upstream)
    }

    #[test]
    fn what_is_not_written_is_as_apisix_has_it() {
        let upstream = read(&json!({"active": {}, "passive": {}})).unwrap();
        let checks = upstream.checks.unwrap();
        let (active, passive) = (checks.active.unwrap(), checks.passive.unwrap());
        assert_eq!((active.http_method.as_str(), active.http_path.as_str()), ("GET", "/"));
        assert_eq!((active.concurrency, active.timeout.as_secs()), (10, 1));
        assert!(active.https_verify_certificate);
        let (good, bad) = (&active.healthy, &active.unhealthy);
        assert_eq!((good.interval, good.successes, bad.interval), (1, 2, 1));
        assert_eq!((bad.http_failures, bad.tcp_failures, bad.timeouts), (5, 2, 3));
        let (good, bad) = (&passive.healthy, &passive.unhealthy);
        assert_eq!((good.successes, bad.http_failures, bad.tcp_failures, bad.timeouts), (5, 5, 2, 7));
    }

    #[test]
    fn a_spoilt_check_is_refused() {
        for checks in [
            json!({"passive": {}}),
            json!({"active": {"type": "ping"}}),
            json!({"active": {"healthy": {"interval": 0}}}),
            json!({"active": {"healthy": {"http_statuses": [100]}}}),
            json!({"active": {"unhealthy": {"tcp_failures": 255}}}),
            json!({"active": {"http_path": "status"}}),
            json!({"active": {"http_path": "/ HTTP/1.1\r\nA: b"}}),
            json!({"active": {"req_headers": ["A: b\r\nC: d"]}}),
            json!({"active": {"port": 0}}),
            json!({"active": {"timeout": 0}}),
        ] {
            assert!(read(&checks).is_err(), "{checks}");
        }
    }
}
