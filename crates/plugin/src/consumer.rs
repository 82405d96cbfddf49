//! Who calls: what plugins of authentication look up, and how they say whom they have found.

use std::fmt;
use std::sync::{Arc, LazyLock};

use lockgate_http::Request;
use lockgate_http::name::OwnedName;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::RequestContext;

/// What nodes are told of who calls, as APISIX names it: user name, credential, custom id.
static TOLD: LazyLock<[OwnedName; 3]> = LazyLock::new(|| {
    ["X-Consumer-Username", "X-Credential-Identifier", "X-Consumer-Custom-ID"].map(OwnedName::new)
});

/// Who calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// The id of its consumer group, where it is in one.
    pub group_id: Option<String>,
    /// Its label `custom_id`, where it has one.
    pub custom_id: Option<String>,
}

/// One way in which a consumer shows who it is, for one plugin.
pub struct Credential {
    /// The name of the consumer.
    pub consumer: String,
    /// The id of the credential; `None` where it is written in the consumer itself.
    pub id: Option<String>,
    /// What was written for the plugin, secrets opened.
    pub config: Value,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { consumer, id, .. } = self;
        f.debug_struct("Credential").field("consumer", consumer).field("id", id).finish_non_exhaustive()
    }
}

/// The type in which consumers write what a plugin of authentication has to see of them.
pub struct ConsumerType {
    pub(crate) schema: fn() -> (Value, Vec<String>),
    pub(crate) read: fn(&Value) -> Result<(), String>,
    pub(crate) key: &'static str,
}

impl ConsumerType {
    /// That type is `T`, and its field `key`, a text, is what tells one consumer from all others.
    pub fn of<T: DeserializeOwned + JsonSchema>(key: &'static str) -> Self {
        Self {
            schema: crate::registry::derive::<T>,
            read: |value| T::deserialize(value).map(drop).map_err(|error| error.to_string()),
            key,
        }
    }
}

impl RequestContext {
    /// Says who calls, here and to the node. What the client says of that itself goes no further.
    pub fn attach(
        &mut self,
        request: &mut Request,
        consumer: Arc<Consumer>,
        credential: Option<Arc<Credential>>,
    ) {
        let id = credential.as_deref().and_then(|credential| credential.id.as_deref());
        let values = [Some(consumer.name.as_str()), id, consumer.custom_id.as_deref()];
        for (name, value) in TOLD.iter().zip(values) {
            request.headers.remove_alike(name.as_str());
            if let Some(value) = value {
                // A label that no header can carry is not told.
                let _ = request.headers.append(name, value.as_bytes());
            }
        }
        self.consumer = Some(consumer);
        self.credential = credential;
    }
}
