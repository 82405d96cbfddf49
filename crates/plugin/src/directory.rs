//! What is known of resources while a request is served, found only where somebody asks.

use std::sync::Arc;

use crate::{Consumer, Credential};

/// Finds what the live configuration says of a route.
pub trait Directory: std::fmt::Debug {
    /// What is written of a route, by its id.
    fn route(&self, id: &str) -> Option<&RouteNames>;

    /// The credential with this key among those of a plugin. The time it takes says nothing of the keys there are.
    fn credential(&self, _plugin: &str, _key: &[u8]) -> Option<&Arc<Credential>> {
        None
    }

    /// A consumer by its name.
    fn consumer(&self, _name: &str) -> Option<&Arc<Consumer>> {
        None
    }
}

/// What a route and its service are called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteNames {
    /// The route's `name`; empty for none.
    pub name: String,
    /// The service's id; empty for none.
    pub service_id: String,
    /// The service's `name`; empty for none.
    pub service_name: String,
    /// The route's `uris`, by which [`crate::RequestContext::matched_uri`] counts.
    pub uris: Vec<String>,
    /// The hosts that the route is for, its own or its service's, by which [`crate::RequestContext::matched_host`]
    /// counts.
    pub hosts: Vec<String>,
}
