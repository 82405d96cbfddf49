//! Plugin configs: sets of plugins that several routes share.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::Id;
use crate::field::{self, Labels, Plugins};

/// Plugins that several routes share by `plugin_config_id`. `PluginConfig::from_value` reads one.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PluginConfig {
    /// Its id.
    pub id: Option<Id>,
    /// A name for people.
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
    #[schemars(schema_with = "field::plugins")]
    pub plugins: Plugins,
}

impl PluginConfig {
    /// Reads what was written. The text of an error names the field and the value; it never shows a secret.
    pub fn from_value(value: &Value) -> Result<Self, String> {
        Self::deserialize(value).map_err(|error| error.to_string())
    }
}
