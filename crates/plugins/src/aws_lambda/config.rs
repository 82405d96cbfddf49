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
    /// Where credentials come from. With `static`, the default, they are `accesskey` and `secretkey`.
    pub(crate) source: Option<Source>,
    /// The access key id. Required with source `static`.
    #[schemars(extend("x-encrypt" = true))]
    pub(crate) accesskey: Option<String>,
    /// The secret access key; `secret_key` is understood too. Required with source `static`.
    #[serde(alias = "secret_key")]
    #[schemars(extend("x-encrypt" = true, "x-alias" = "secret_key"))]
    pub(crate) secretkey: Option<String>,
    /// The session token of temporary credentials.
    #[schemars(extend("x-encrypt" = true))]
    pub(crate) session_token: Option<String>,
    /// The profile of the machine's AWS files, with source `profile`. By default `AWS_PROFILE`, or `default`.
    #[schemars(length(min = 1))]
    pub(crate) profile: Option<String>,
    /// The role to assume with those credentials.
    #[schemars(length(min = 20, max = 2048), regex(pattern = r"^arn:[^:]+:iam::[0-9]{12}:role/"))]
    pub(crate) role_arn: Option<String>,
    /// What the owner of `role_arn` asks for, where that is another account.
    #[schemars(length(min = 2, max = 1224))]
    pub(crate) external_id: Option<String>,
    /// What CloudTrail calls the role's sessions. By default `lockgate`.
    #[schemars(length(min = 2, max = 64), regex(pattern = r"^[a-zA-Z0-9_+=,.@-]+$"))]
    pub(crate) session_name: Option<String>,
    /// How long credentials of the role are good, in seconds. By default what AWS gives: an hour.
    #[schemars(range(min = 900, max = 43200))]
    pub(crate) session_duration: Option<u32>,
    /// Roles to assume before `role_arn`, each with the credentials of the one before it.
    #[schemars(length(min = 1, max = 8))]
    pub(crate) role_chain: Option<Vec<ChainedRole>>,
    /// Where roles are assumed. By default STS in `AWS_REGION`, or in the region of the endpoint.
    #[schemars(regex(pattern = r"^https?://[^/@]+"))]
    pub(crate) sts_endpoint: Option<String>,
    /// The region of the endpoint. By default what the host of `function_uri` says, or `us-east-1`. For an
    /// endpoint in many regions a list of them, in which `*` stands for anything: `*`, `us-east-1,eu-*`.
    pub(crate) aws_region: Option<String>,
    /// Which signature is made: `v4` for one region, `v4a` for one or many. By default `v4a` where the region is
    /// a list or has a `*`, as that of a multi-region web function, and `v4` everywhere else.
    pub(crate) signature_version: Option<SignatureVersion>,
    /// The service of the endpoint: `execute-api` for API Gateway, `lambda` for function URLs. By default what
    /// the host of `function_uri` says, or `execute-api`.
    pub(crate) service: Option<String>,
}

/// Where credentials come from.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum Source {
    /// `accesskey`, `secretkey` and `session_token`.
    Static,
    /// The first of those below that has any.
    Default,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN` of the gateway's environment.
    Env,
    /// A profile of `~/.aws/config` and `~/.aws/credentials`.
    Profile,
    /// The token of a Kubernetes service account, or another in `AWS_WEB_IDENTITY_TOKEN_FILE`.
    WebIdentity,
    /// The credentials endpoint of ECS, Fargate or EKS Pod Identity.
    Container,
    /// The instance metadata of EC2, version 2.
    Imds,
}

/// A role on the way to another.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ChainedRole {
    /// The role.
    #[schemars(length(min = 20, max = 2048), regex(pattern = r"^arn:[^:]+:iam::[0-9]{12}:role/"))]
    pub(crate) role_arn: String,
    /// What its owner asks for, where that is another account.
    #[schemars(length(min = 2, max = 1224))]
    pub(crate) external_id: Option<String>,
}

/// Which signature is made.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum SignatureVersion {
    /// For one region.
    V4,
    /// For one region or many.
    V4a,
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
