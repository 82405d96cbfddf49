//! Services: what several routes share.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::field::{self, Labels, Plugins};
use crate::{Id, Upstream};

/// What several routes share. `Service::from_value` reads one.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
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
    /// The plugins that run, by name, where the route has none of that name.
    #[serde(default)]
    #[schemars(schema_with = "field::plugins")]
    pub plugins: Plugins,
    /// Where requests go, where the route does not say.
    pub upstream: Option<Upstream>,
    /// The id of the upstream where requests go, where the route does not say.
    pub upstream_id: Option<Id>,
    /// A Lua script in APISIX. Not supported: Lua is not run here.
    #[schemars(length(min = 10, max = 102_400))]
    script: Option<String>,
    /// Whether a connection may become a WebSocket.
    #[schemars(extend("type" = "boolean"))]
    pub enable_websocket: Option<bool>,
    /// The hosts that its routes match where they name none: exact (`api.example.com`) or every name below one
    /// (`*.example.com`). None are all.
    #[serde(default)]
    #[schemars(schema_with = "field::hosts")]
    pub hosts: Vec<String>,
}

impl Service {
    /// Reads what was written. The text of an error names the field and the value; it never shows a secret.
    pub fn from_value(value: &Value) -> Result<Self, String> {
        let mut service = Self::deserialize(value).map_err(|error| error.to_string())?;
        if service.script.is_some() {
            return Err("script is not supported: Lua is not run here; use a plugin".to_owned());
        }
        service.upstream = service.upstream.map(Upstream::checked).transpose()?;
        Ok(service)
    }
}
