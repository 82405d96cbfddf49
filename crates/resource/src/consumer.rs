//! Consumers: who calls.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::Id;
use crate::field::{self, Labels, Plugins};

/// Who calls: a user or a program. `Consumer::from_value` reads one.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Consumer {
    /// Its id.
    pub id: Option<Id>,
    /// Its name, which is its id too.
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^[a-zA-Z0-9_\-]+$"))]
    pub username: String,
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
    /// The id of a consumer group, whose plugins run where the consumer has none of that name.
    pub group_id: Option<Id>,
    /// How it proves who it is, and which plugins run for its requests, by name.
    #[serde(default)]
    #[schemars(schema_with = "field::plugins")]
    pub plugins: Plugins,
}

impl Consumer {
    /// Reads what was written. The text of an error names the field and the value; it never shows a secret.
    pub fn from_value(value: &Value) -> Result<Self, String> {
        Self::deserialize(value).map_err(|error| error.to_string())
    }
}
