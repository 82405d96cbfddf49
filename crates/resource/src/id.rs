//! How resources are named and counted.

use std::fmt;
use std::sync::Arc;

/// The name of one resource among those of its kind: 1 to 64 of `a-zA-Z0-9-_.`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Arc<str>);

/// A text that cannot be an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to 64 of the characters a-zA-Z0-9-_.")]
pub struct InvalidId;

impl Id {
    /// Checks and keeps an id.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_id = (1..=64).contains(&text.len()) && text.bytes().all(fits);
        is_id.then(|| Self(text.into())).ok_or(InvalidId)
    }

    /// The text of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The kinds of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// What matches a request and says what becomes of it.
    Route,
    /// What several routes share.
    Service,
    /// Nodes, and how a request is spread over them.
    Upstream,
    /// What is said once of a plugin, wherever it is used. Its id is the plugin's name.
    PluginMetadata,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Route, Self::Service, Self::Upstream, Self::PluginMetadata];

    /// As error messages name one: `route`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Service => "service",
            Self::Upstream => "upstream",
            Self::PluginMetadata => "plugin_metadata",
        }
    }

    /// As keys and the Admin API name them: `routes`.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Route => "routes",
            Self::Service => "services",
            Self::Upstream => "upstreams",
            Self::PluginMetadata => "plugin_metadata",
        }
    }

    /// The kind with this plural.
    pub fn from_plural(plural: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.plural() == plural)
    }

    /// The key of a resource, as APISIX lays out etcd: `/apisix/routes/1`.
    pub fn key(self, id: &Id) -> String {
        format!("/apisix/{}/{id}", self.plural())
    }
}

/// A count of all changes ever made to a store: it only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
