//! Global rules: plugins that run for every request.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::Id;
use crate::field::{self, Plugins};

/// Plugins that run for every request, before those of its route and also where no route matches.
/// `GlobalRule::from_value` reads one.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GlobalRule {
    /// Its id.
    pub id: Option<Id>,
    /// When it was made, in seconds since 1970. Set by the gateway.
    #[serde(default)]
    #[schemars(schema_with = "field::timestamp")]
    pub create_time: Option<i64>,
    /// When it was changed last, in seconds since 1970. Set by the gateway.
    #[serde(default)]
    #[schemars(schema_with = "field::timestamp")]
    pub update_time: Option<i64>,
    /// The plugins that run, by name. No two global rules have one of the same name.
    #[schemars(schema_with = "field::plugins")]
    pub plugins: Plugins,
}

impl GlobalRule {
    /// Reads what was written. The text of an error names the field and the value; it never shows a secret.
    pub fn from_value(value: &Value) -> Result<Self, String> {
        Self::deserialize(value).map_err(|error| error.to_string())
    }
}
