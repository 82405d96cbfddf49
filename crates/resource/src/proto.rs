//! Protos: what a gRPC service offers.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::Id;
use crate::field::{self, Labels};

/// Definitions in Protocol Buffers, which `grpc-transcode` reads. `Proto::from_value` reads one.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proto {
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
    /// The text of a `.proto` file, or a compiled set of them in base64.
    #[schemars(length(min = 1, max = 1_048_576))]
    pub content: String,
}

impl Proto {
    /// Reads what was written. The text of an error names the field and the value; it never shows a secret.
    pub fn from_value(value: &Value) -> Result<Self, String> {
        Self::deserialize(value).map_err(|error| error.to_string())
    }
}
