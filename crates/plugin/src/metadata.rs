//! Plugin metadata: what users write once for a plugin, wherever it is used.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The type that users write the metadata of a plugin in.
pub struct MetadataType {
    pub(crate) schema: fn() -> (Value, Vec<String>),
    pub(crate) read: fn(&Value) -> Result<(), String>,
}

impl MetadataType {
    /// That type is `T`. Every field of it must be one that may be left away, as there may be no metadata at all.
    pub fn of<T: DeserializeOwned + JsonSchema>() -> Self {
        Self {
            schema: crate::registry::derive::<T>,
            read: |value| T::deserialize(value).map(drop).map_err(|error| error.to_string()),
        }
    }
}

/// The metadata of all plugins, checked, with secrets opened. A clone is a reference count.
#[derive(Clone, Default)]
pub struct Metadata(Arc<BTreeMap<String, Arc<Value>>>);

impl Metadata {
    /// What was written for a plugin, where anything was.
    pub fn get<T: DeserializeOwned>(&self, plugin: &str) -> Option<T> {
        self.of(plugin).and_then(|value| T::deserialize(&**value).ok())
    }

    /// Takes in what [`Registry::metadata`](crate::Registry::metadata) has made of what was written.
    pub fn insert(&mut self, plugin: &str, value: Value) {
        Arc::make_mut(&mut self.0).insert(plugin.to_owned(), Arc::new(value));
    }

    /// Forgets what was written for a plugin.
    pub fn remove(&mut self, plugin: &str) {
        Arc::make_mut(&mut self.0).remove(plugin);
    }

    pub(crate) fn of(&self, plugin: &str) -> Option<&Arc<Value>> {
        self.0.get(plugin)
    }
}
