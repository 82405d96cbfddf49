//! Who calls: what plugins of authentication look up, and how they say whom they have found.

use std::fmt;
use std::sync::Arc;

use lockgate_http::name::Name;
use lockgate_http::{Line, Request};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::RequestContext;

/// What nodes are told of who calls, as APISIX names it.
const USERNAME: Name<'static> = Name::of("X-Consumer-Username");
const CREDENTIAL: Name<'static> = Name::of("X-Credential-Identifier");
const CUSTOM_ID: Name<'static> = Name::of("X-Consumer-Custom-ID");

/// A value that no header can carry is not told.
fn told(name: Name<'static>, value: Option<&str>) -> Option<Line> {
    Line::new(name, value?.as_bytes()).ok()
}

/// Who calls.
#[derive(Debug)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// The id of its consumer group, where it is in one.
    pub group_id: Option<String>,
    /// Its label `custom_id`, where it has one.
    pub custom_id: Option<String>,
    /// Whether plugins come with it, its own or its group's.
    pub has_plugins: bool,
    username_line: Option<Line>,
    custom_id_line: Option<Line>,
}

impl Consumer {
    /// A consumer of this name, in a group or none; `has_plugins` of its own.
    pub fn new(name: String, group_id: Option<String>, custom_id: Option<String>, has_plugins: bool) -> Self {
        Self {
            username_line: told(USERNAME, Some(&name)),
            custom_id_line: told(CUSTOM_ID, custom_id.as_deref()),
            has_plugins: has_plugins || group_id.is_some(),
            name,
            group_id,
            custom_id,
        }
    }
}

/// One way in which a consumer shows who it is, for one plugin.
pub struct Credential {
    /// The name of the consumer.
    pub consumer: String,
    /// The id of the credential; `None` where it is written in the consumer itself.
    pub id: Option<String>,
    /// What was written for the plugin, secrets opened.
    pub config: Value,
    id_line: Option<Line>,
}

impl Credential {
    /// What a consumer has written for a plugin, in a credential of this id or in itself.
    pub fn new(consumer: String, id: Option<String>, config: Value) -> Self {
        Self { id_line: told(CREDENTIAL, id.as_deref()), consumer, id, config }
    }
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
        let id_line = credential.as_deref().and_then(|credential| credential.id_line.as_ref());
        let lines = [consumer.username_line.as_ref(), id_line, consumer.custom_id_line.as_ref()];
        for (name, line) in [USERNAME, CREDENTIAL, CUSTOM_ID].into_iter().zip(lines) {
            request.headers.remove_alike(name);
            if let Some(line) = line {
                // A head is far from the size where it fails.
                let _ = request.headers.append_line(line);
            }
        }
        self.consumer = Some(consumer);
        self.credential = credential;
    }
}
