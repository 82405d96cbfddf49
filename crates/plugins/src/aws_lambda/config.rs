//! What users write under `aws-lambda`: APISIX's fields and defaults.

use schemars::JsonSchema;
use serde::Deserialize;

/// What users write under `aws-lambda`.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Config {
    /// The URL that triggers the function: an API Gateway stage, a function URL, or anything that speaks HTTP.
    /// What a route's `*` matched is joined to its path; its query comes before the client's.
    pub(crate) function_uri: String,
    /// How the request is authorized.
    pub(crate) authorization: Option<Authorization>,
    /// How long to wait for a connection, for the head of the response, and for each silence after it, in
    /// milliseconds.
    #[serde(default = "timeout")]
    #[schemars(range(min = 100))]
    pub(crate) timeout: u64,
    /// The status of the answer when that time is over.
    #[serde(default = "timeout_status")]
    #[schemars(range(min = 500, max = 599))]
    pub(crate) timeout_status: u16,
    /// Whether the function's certificate is verified.
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
    /// The longest request body, in bytes; a longer one is refused with 400.
    #[serde(default = "max_req_body_size")]
    #[schemars(range(min = 1))]
    pub(crate) max_req_body_size: u64,
}

/// How the request is authorized.
#[derive(Deserialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "it is what the header is called that users write of")]
pub(crate) struct Authorization {
    /// The key that API Gateway asks for, sent as `x-api-key` unless the client sends its own.
    #[schemars(extend("x-encrypt" = true))]
    pub(crate) apikey: Option<String>,
    /// AWS Signature Version 4. It may stand beside `apikey`.
    pub(crate) iam: Option<Iam>,
    /// What becomes of the `Authorization` of a client, where requests are signed.
    #[serde(default)]
    pub(crate) client_authorization: ClientAuthorization,
}

/// What becomes of the `Authorization` of a client, where requests are signed.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum ClientAuthorization {
    /// The function gets it as `X-Original-Authorization`.
    #[default]
    Move,
    /// It is dropped.
    Drop,
    /// It is passed on, and the request is not signed, as in APISIX.
    Passthrough,
}

/// AWS Signature Version 4.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Iam {
    /// The access key id.
    #[schemars(extend("x-encrypt" = true))]
    pub(crate) accesskey: String,
    /// The secret access key; `secret_key` is understood too.
    #[serde(alias = "secret_key")]
    #[schemars(extend("x-encrypt" = true, "x-alias" = "secret_key"))]
    pub(crate) secretkey: String,
    /// The session token of temporary credentials.
    #[schemars(extend("x-encrypt" = true))]
    pub(crate) session_token: Option<String>,
    /// The region of the endpoint. By default what the host of `function_uri` says, or `us-east-1`.
    pub(crate) aws_region: Option<String>,
    /// The service of the endpoint: `execute-api` for API Gateway, `lambda` for function URLs. By default what
    /// the host of `function_uri` says, or `execute-api`.
    pub(crate) service: Option<String>,
}

fn timeout() -> u64 {
    3000
}

fn timeout_status() -> u16 {
    503
}

fn yes() -> bool {
    true
}

fn keepalive_pool() -> usize {
    5
}

fn keepalive_timeout() -> u64 {
    60_000
}

fn max_req_body_size() -> u64 {
    64 * 1024 * 1024
}
