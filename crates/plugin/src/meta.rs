//! `_meta`: what users may say of any plugin beside its own configuration.

use serde::Deserialize;
use serde_json::{Value, json};

/// What users write under `_meta`.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Meta {
    /// Whether the plugin is left out.
    #[serde(default)]
    pub(crate) disable: bool,
    /// A priority in place of the plugin's own.
    pub(crate) priority: Option<i32>,
    /// A condition (`vars`): the plugin runs only where it holds.
    pub(crate) filter: Option<Value>,
    /// The body that replaces the plugin's own when it refuses: a text or an object.
    pub(crate) error_response: Option<Value>,
}

/// Takes `_meta` off a configuration.
pub(crate) fn split(mut config: Value) -> Result<(Meta, Value), String> {
    let meta = config.as_object_mut().and_then(|fields| fields.shift_remove("_meta"));
    match meta {
        None => Ok((Meta::default(), config)),
        Some(meta) => match serde_json::from_value(meta) {
            Ok(meta) => Ok((meta, config)),
            Err(error) => Err(format!("property \"_meta\" validation failed: {error}")),
        },
    }
}

/// The JSON Schema of it.
pub(crate) fn schema() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "disable": {"type": "boolean"},
            "priority": {"type": "integer"},
            "filter": {"type": "array"},
            "error_response": {"oneOf": [{"type": "string"}, {"type": "object"}]},
        },
    })
}
