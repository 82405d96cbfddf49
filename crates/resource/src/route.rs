//! Routes: what matches a request and says what becomes of it.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::field::{self, Labels, Plugins, Timeout};
use crate::{Id, Upstream};

/// The methods that a route can name.
const METHODS: [&str; 10] =
    ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PURGE"];

/// Matches requests and says what becomes of them: plugins, an upstream, or both.
///
/// `Route::from_value` reads one: what was written as `uri`, `host` or `remote_addr` is then among `uris`, `hosts`
/// and `remote_addrs`, and `uris` has at least one that begins with `/`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
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
    /// The path it matches: exact (`/aws`), a prefix (`/aws/*`), or with parameters (`/users/:id`).
    #[schemars(length(min = 1, max = 4096), regex(pattern = "^/"))]
    uri: Option<String>,
    /// The paths it matches, each as in `uri`.
    #[serde(default)]
    #[schemars(schema_with = "uris")]
    pub uris: Vec<String>,
    /// Which of the routes that match one path is tried first: the highest.
    #[serde(default)]
    #[schemars(schema_with = "priority")]
    pub priority: i64,
    /// The methods it matches. None are all.
    #[serde(default)]
    #[schemars(schema_with = "methods")]
    pub methods: Vec<String>,
    /// The host it matches: exact (`api.example.com`) or every name below one (`*.example.com`).
    #[serde(default)]
    #[schemars(schema_with = "field::host")]
    host: Option<String>,
    /// The hosts it matches, each as in `host`. None are all.
    #[serde(default)]
    #[schemars(schema_with = "field::hosts")]
    pub hosts: Vec<String>,
    /// The client address it matches, or a range of them in CIDR notation.
    #[serde(default, deserialize_with = "field::maybe_network")]
    #[schemars(schema_with = "field::address")]
    remote_addr: Option<IpNet>,
    /// The client addresses it matches, each as in `remote_addr`. None are all.
    #[serde(default, deserialize_with = "field::networks")]
    #[schemars(schema_with = "field::addresses")]
    pub remote_addrs: Vec<IpNet>,
    /// How long to wait for the upstream. Replaces the upstream's own.
    pub timeout: Option<Timeout>,
    /// Conditions on what is known of the request, such as `[["arg_name", "==", "json"]]`. An empty
    /// list always holds.
    #[serde(default)]
    #[schemars(schema_with = "vars")]
    pub vars: Vec<Value>,
    /// A Lua function in APISIX. Not supported: Lua is not run here.
    #[schemars(length(min = 10), regex(pattern = "^function"))]
    filter_func: Option<String>,
    /// A Lua script in APISIX. Not supported: Lua is not run here.
    #[schemars(length(min = 10, max = 102_400))]
    script: Option<String>,
    /// The id of a Lua script in APISIX. Not supported: Lua is not run here.
    script_id: Option<Id>,
    /// The plugins that run, by name.
    #[serde(default)]
    #[schemars(schema_with = "field::plugins")]
    pub plugins: Plugins,
    /// The id of a set of plugins that several routes share.
    pub plugin_config_id: Option<Id>,
    /// Where requests go.
    pub upstream: Option<Upstream>,
    /// The id of a service: its plugins run where the route has none of that name, its upstream is used where
    /// the route has none.
    pub service_id: Option<Id>,
    /// The id of the upstream where requests go.
    pub upstream_id: Option<Id>,
    /// Whether a connection may become a WebSocket.
    #[serde(default)]
    #[schemars(schema_with = "websocket")]
    pub enable_websocket: bool,
    /// Whether it matches anything: 1 for yes, 0 for no.
    #[serde(default)]
    #[schemars(schema_with = "field::status")]
    pub status: Status,
}

/// Whether a route matches anything, or a certificate is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// It does: 1.
    #[default]
    Enabled,
    /// It does not: 0.
    Disabled,
}

impl Route {
    /// Reads what was written. The text of an error names the field and the value; it never shows a secret.
    pub fn from_value(value: &Value) -> Result<Self, String> {
        let mut route = Self::deserialize(value).map_err(|error| error.to_string())?;
        let lua = [("filter_func", route.filter_func.is_some()), ("script", route.script.is_some())];
        let lua = lua.into_iter().chain([("script_id", route.script_id.is_some())]);
        if let Some((field, _)) = lua.into_iter().find(|(_, is_written)| *is_written) {
            return Err(format!("{field} is not supported: Lua is not run here; use vars or a plugin"));
        }
        route.uris.extend(route.uri.take());
        route.hosts.extend(route.host.take());
        route.remote_addrs.extend(route.remote_addr.take());
        if route.uris.is_empty() {
            return Err("one of uri or uris is required".to_owned());
        }
        if let Some(uri) = route.uris.iter().find(|uri| !uri.starts_with('/')) {
            return Err(format!("uri {uri} does not begin with /"));
        }
        if let Some(method) = route.methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
            return Err(format!("method {method} is unknown"));
        }
        route.upstream = route.upstream.map(Upstream::checked).transpose()?;
        Ok(route)
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match i64::deserialize(deserializer)? {
            0 => Ok(Self::Disabled),
            1 => Ok(Self::Enabled),
            other => Err(serde::de::Error::custom(format!("status {other} is neither 0 nor 1"))),
        }
    }
}

mod schemas {
    use schemars::{Schema, SchemaGenerator, json_schema};

    pub(super) fn uris(_: &mut SchemaGenerator) -> Schema {
        let uri = json_schema!({"type": "string", "pattern": "^/"});
        json_schema!({"type": "array", "minItems": 1, "uniqueItems": true, "items": uri})
    }

    pub(super) fn methods(_: &mut SchemaGenerator) -> Schema {
        let method = json_schema!({"type": "string", "enum": super::METHODS});
        json_schema!({"type": "array", "uniqueItems": true, "items": method})
    }

    pub(super) fn priority(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "default": 0})
    }

    pub(super) fn vars(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array"})
    }

    pub(super) fn websocket(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "boolean"})
    }
}

use schemas::{methods, priority, uris, vars, websocket};
