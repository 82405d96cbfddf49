//! The kinds of resource, their names and their keys.

use crate::Id;

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
    /// A certificate and its key: for the names of clients' connections, or to show to upstreams.
    Ssl,
    /// Plugins that run for every request.
    GlobalRule,
    /// Plugins that several routes share.
    PluginConfig,
    /// Somebody who calls. Its id is `username`.
    Consumer,
    /// How a consumer shows who it is. Its id is `consumer/id`.
    Credential,
    /// Plugins that several consumers share.
    ConsumerGroup,
    /// Where secrets are fetched from. Its id is `manager/id`, such as `vault/1`.
    Secret,
    /// A Protocol Buffers definition, for plugins that translate gRPC.
    Proto,
    /// What becomes of a TCP or UDP connection. Not proxied yet, so none can be made.
    StreamRoute,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::Route,
        Self::Service,
        Self::Upstream,
        Self::PluginMetadata,
        Self::Ssl,
        Self::GlobalRule,
        Self::PluginConfig,
        Self::Consumer,
        Self::Credential,
        Self::ConsumerGroup,
        Self::Secret,
        Self::Proto,
        Self::StreamRoute,
    ];

    /// As schemas and error messages name one: `plugin_config`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Service => "service",
            Self::Upstream => "upstream",
            Self::PluginMetadata => "plugin_metadata",
            Self::Ssl => "ssl",
            Self::GlobalRule => "global_rule",
            Self::PluginConfig => "plugin_config",
            Self::Consumer => "consumer",
            Self::Credential => "credential",
            Self::ConsumerGroup => "consumer_group",
            Self::Secret => "secret",
            Self::Proto => "proto",
            Self::StreamRoute => "stream_route",
        }
    }

    /// As sentences name one: `plugin config`.
    pub const fn words(self) -> &'static str {
        match self {
            Self::GlobalRule => "global rule",
            Self::PluginConfig => "plugin config",
            Self::ConsumerGroup => "consumer group",
            Self::StreamRoute => "stream route",
            _ => self.name(),
        }
    }

    /// As keys and the Admin API name them: `routes`.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Route => "routes",
            Self::Service => "services",
            Self::Upstream => "upstreams",
            Self::PluginMetadata => "plugin_metadata",
            Self::Ssl => "ssls",
            Self::GlobalRule => "global_rules",
            Self::PluginConfig => "plugin_configs",
            Self::Consumer => "consumers",
            Self::Credential => "credentials",
            Self::ConsumerGroup => "consumer_groups",
            Self::Secret => "secrets",
            Self::Proto => "protos",
            Self::StreamRoute => "stream_routes",
        }
    }

    /// The kind with this plural.
    pub fn from_plural(plural: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.plural() == plural)
    }

    /// The key of a resource, as APISIX lays out etcd: `/apisix/routes/1`, and for the credential of a consumer
    /// `/apisix/consumers/NAME/credentials/ID`.
    pub fn key(self, id: &Id) -> String {
        match (self, id.parent()) {
            (Self::Credential, Some(consumer)) => {
                format!("/apisix/consumers/{consumer}/credentials/{}", id.own())
            }
            _ => format!("/apisix/{}/{id}", self.plural()),
        }
    }

    /// The kind and the id of the resource with this key. The error says what is wrong with it.
    pub fn of_key(key: &str) -> Result<(Self, Id), String> {
        let name = key.strip_prefix("/apisix/").and_then(|rest| rest.split_once('/'));
        let (plural, id) = name.ok_or_else(|| "the key is not /apisix/KIND/ID".to_owned())?;
        let credential = id.split_once("/credentials/").filter(|_| plural == Self::Consumer.plural());
        let (kind, id) = match (credential, Self::from_plural(plural)) {
            (Some((consumer, id)), _) => (Self::Credential, format!("{consumer}/{id}")),
            (None, Some(kind)) if kind != Self::Credential => (kind, id.to_owned()),
            (None, _) => return Err(format!("this version knows no {plural}")),
        };
        Id::of(kind, &id).map(|id| (kind, id)).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;
    use crate::Id;

    #[test]
    fn a_key_tells_its_kind_and_id() {
        let long = "j".repeat(256);
        let consumer = format!("/apisix/consumers/{long}");
        let rows = [
            ("/apisix/routes/1", Kind::Route, "1"),
            ("/apisix/plugin_configs/a.b", Kind::PluginConfig, "a.b"),
            ("/apisix/consumers/joe", Kind::Consumer, "joe"),
            (&consumer, Kind::Consumer, &long),
            ("/apisix/consumers/joe/credentials/c1", Kind::Credential, "joe/c1"),
            ("/apisix/secrets/vault/v1", Kind::Secret, "vault/v1"),
        ];
        for (key, kind, id) in rows {
            let id = Id::of(kind, id).unwrap();
            assert_eq!(Kind::of_key(key), Ok((kind, id.clone())));
            assert_eq!(kind.key(&id), key);
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for key in [
            "/apisix/routes",
            "/apisix/routes/",
            "/apisix/routes/a/b",
            "/apisix/nosuch/1",
            "/apisix/credentials/joe/c1",
            "/apisix/consumers/joe.x",
            "/apisix/consumers//credentials/c1",
            "/apisix/consumers/joe/credentials/a/b",
            "/apisix/secrets/vault",
            "/apisix/secrets/vault/",
            "/apisix/secrets/vault/a/b",
            "/other/routes/1",
        ] {
            assert!(Kind::of_key(key).is_err(), "{key}");
        }
    }
}
