//! Stream routes: what becomes of a TCP or UDP connection.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::field::{self, Labels, Plugins};
use crate::{Id, Upstream};

/// Matches connections of TCP and UDP. They are not proxied yet: the Admin API says so.
/// `StreamRoute::from_value` reads one.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamRoute {
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
    /// The client address it matches, or a range of them in CIDR notation.
    #[serde(default, deserialize_with = "field::maybe_network")]
    #[schemars(schema_with = "field::address")]
    pub remote_addr: Option<IpNet>,
    /// The address of ours that it matches, or a range of them in CIDR notation.
    #[serde(default, deserialize_with = "field::maybe_network")]
    #[schemars(schema_with = "field::address")]
    pub server_addr: Option<IpNet>,
    /// The port of ours that it matches.
    #[schemars(range(min = 1, max = 65_535))]
    pub server_port: Option<u16>,
    /// The name that a TLS client asks for.
    #[serde(default)]
    #[schemars(schema_with = "field::host")]
    pub sni: Option<String>,
    /// Where connections go.
    pub upstream: Option<Upstream>,
    /// The id of the upstream where connections go.
    pub upstream_id: Option<Id>,
    /// The id of a service.
    pub service_id: Option<Id>,
    /// The plugins that run, by name.
    #[serde(default)]
    #[schemars(schema_with = "field::plugins")]
    pub plugins: Plugins,
    /// The protocol on top of TCP, in APISIX one of its xRPC framework.
    #[serde(default)]
    #[schemars(schema_with = "field::object")]
    pub protocol: Option<Value>,
}

impl StreamRoute {
    /// Reads what was written. The text of an error names the field and the value; it never shows a secret.
    pub fn from_value(value: &Value) -> Result<Self, String> {
        Self::deserialize(value).map_err(|error| error.to_string())
    }
}
