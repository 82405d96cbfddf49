//! Upstreams: nodes, and how requests are spread over them.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Id;
use crate::checks::Checks;
use crate::field::{self, Labels, Timeout};
use crate::node::{self, Node};

/// Nodes, and how requests are spread over them. `Upstream::from_value` reads one.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Upstream {
    /// Its id.
    pub id: Option<Id>,
    /// A name for people.
    #[schemars(length(min = 1, max = 256))]
    pub name: Option<String>,
    /// What it is for.
    #[schemars(length(max = 256))]
    pub desc: Option<String>,
    /// Words to find it by.
    #[serde(default)]
    #[schemars(schema_with = "field::labels")]
    pub labels: Labels,
    /// When it was made, in seconds since 1970. Set by the gateway.
    #[serde(default)]
    #[schemars(schema_with = "field::timestamp")]
    pub create_time: Option<i64>,
    /// When it was changed last, in seconds since 1970. Set by the gateway.
    #[serde(default)]
    #[schemars(schema_with = "field::timestamp")]
    pub update_time: Option<i64>,
    /// Where requests go: weights by address (`{"127.0.0.1:8080": 1}`), or a list of objects with `host`,
    /// `port`, `weight` and `priority`. None is an upstream that answers 503.
    #[serde(default, deserialize_with = "node::read")]
    #[schemars(schema_with = "node::schema")]
    pub nodes: Vec<Node>,
    /// How many more nodes are tried when one fails. By default as many as there are others.
    #[schemars(range(max = 4_294_967_295_u32))]
    pub retries: Option<u32>,
    /// Seconds after which no further node is tried. 0 is no limit.
    #[serde(default, deserialize_with = "field::maybe_seconds")]
    #[schemars(schema_with = "field::not_negative")]
    pub retry_timeout: Option<Duration>,
    /// How long to wait for a node.
    pub timeout: Option<Timeout>,
    /// How nodes are spoken to over TLS.
    pub tls: Option<Tls>,
    /// Which idle connections to nodes are kept.
    pub keepalive_pool: Option<KeepalivePool>,
    /// How requests are spread over nodes.
    #[serde(default, rename = "type")]
    pub balance: Balance,
    /// Health checks of the nodes.
    pub checks: Option<Checks>,
    /// Of what the hash of `chash` is taken.
    #[serde(default)]
    pub hash_on: HashOn,
    /// The name of the variable, header or cookie of `hash_on`.
    pub key: Option<String>,
    /// What nodes speak.
    #[serde(default)]
    pub scheme: Scheme,
    /// Which service registry knows the nodes.
    pub discovery_type: Option<String>,
    /// What else that registry has to be told.
    #[serde(default)]
    #[schemars(schema_with = "field::object")]
    pub discovery_args: Option<Value>,
    /// Which Host a node is sent.
    #[serde(default)]
    pub pass_host: PassHost,
    /// The Host that `pass_host: rewrite` sends.
    #[serde(default)]
    #[schemars(schema_with = "field::host")]
    pub upstream_host: Option<String>,
    /// The name of the service in the registry.
    #[schemars(length(min = 1, max = 256))]
    pub service_name: Option<String>,
}

/// How requests are spread over nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline, transform = crate::schemas::plain_choices)]
pub enum Balance {
    /// In turn, by weight.
    #[default]
    #[serde(rename = "roundrobin")]
    RoundRobin,
    /// The same node for the same hash.
    Chash,
    /// The node that answered fastest of late.
    Ewma,
    /// The node with the fewest requests under way.
    LeastConn,
}

/// Of what a hash is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline, transform = crate::schemas::plain_choices)]
pub enum HashOn {
    /// A variable.
    #[default]
    Vars,
    /// A header.
    Header,
    /// A cookie.
    Cookie,
    /// The name of the consumer.
    Consumer,
    /// A text with variables in it.
    VarsCombinations,
}

/// What nodes speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline, transform = crate::schemas::plain_choices)]
pub enum Scheme {
    /// HTTP.
    #[default]
    Http,
    /// HTTP over TLS.
    Https,
    /// gRPC.
    Grpc,
    /// gRPC over TLS.
    Grpcs,
}

impl Scheme {
    /// The port of a node that names none.
    pub const fn default_port(self) -> u16 {
        if self.is_tls() { 443 } else { 80 }
    }

    /// Whether it goes over TLS.
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Grpcs)
    }
}

/// Which Host a node is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline, transform = crate::schemas::plain_choices)]
pub enum PassHost {
    /// The client's.
    #[default]
    Pass,
    /// The node's own name.
    Node,
    /// That of `upstream_host`, which is then present and not empty.
    Rewrite,
}

/// Which idle connections to nodes are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct KeepalivePool {
    /// How many idle connections are kept for each worker.
    #[serde(default = "KeepalivePool::default_size")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub size: u32,
    /// Seconds after which an idle connection is closed. 0 keeps it as long as the node does.
    #[serde(default = "KeepalivePool::default_idle_timeout", deserialize_with = "field::seconds")]
    #[schemars(schema_with = "field::not_negative", extend("default" = 60))]
    pub idle_timeout: Duration,
    /// How many requests one connection carries before it is closed.
    #[serde(default = "KeepalivePool::default_requests")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub requests: u32,
}

impl KeepalivePool {
    const fn default_size() -> u32 {
        320
    }

    const fn default_idle_timeout() -> Duration {
        Duration::from_mins(1)
    }

    const fn default_requests() -> u32 {
        1000
    }
}

impl Default for KeepalivePool {
    fn default() -> Self {
        Self {
            size: Self::default_size(),
            idle_timeout: Self::default_idle_timeout(),
            requests: Self::default_requests(),
        }
    }
}

/// How nodes are spoken to over TLS.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Tls {
    /// Whether the certificate of a node is verified.
    #[serde(default)]
    pub verify: bool,
    /// The id of the certificate that is shown to nodes.
    pub client_cert_id: Option<Id>,
    /// The certificate that is shown to nodes, in PEM.
    #[schemars(length(min = 128, max = 65_536))]
    pub client_cert: Option<String>,
    /// The private key of it, in PEM. Sealed at rest.
    #[schemars(length(min = 64, max = 65_536))]
    pub client_key: Option<String>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("verify", &self.verify).finish_non_exhaustive()
    }
}

impl Upstream {
    /// Reads what was written. The text of an error names the field and the value; it never shows a secret.
    pub fn from_value(value: &Value) -> Result<Self, String> {
        Self::deserialize(value).map_err(|error| error.to_string())?.checked()
    }

    /// What one field alone cannot tell.
    pub(crate) fn checked(self) -> Result<Self, String> {
        if self.pass_host == PassHost::Rewrite && self.upstream_host.as_deref().is_none_or(str::is_empty) {
            return Err("`upstream_host` can't be empty when `pass_host` is `rewrite`".to_owned());
        }
        if self.balance == Balance::Chash && self.hash_on != HashOn::Consumer && self.key.is_none() {
            return Err("missing key".to_owned());
        }
        if let Some(checks) = &self.checks {
            checks.check()?;
        }
        Ok(self)
    }
}
