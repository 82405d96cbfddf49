//! What users write: the kinds of resource, their fields in APISIX's names, and what makes a set of them sound.

mod check;
mod checks;
mod consumer;
mod consumer_group;
mod credential;
mod field;
mod global_rule;
mod hash_key;
mod id;
mod kind;
mod node;
mod plugin_config;
mod proto;
mod reference;
mod route;
mod schema;
mod schemas;
mod secret;
mod service;
mod set;
mod ssl;
mod stream_route;
mod upstream;

pub use check::{check, check_among, check_references, check_unused, read_id, references, user_of};
pub use checks::{
    ActiveCheck, ActiveHealthy, ActiveUnhealthy, CheckType, Checks, PassiveCheck, PassiveHealthy,
    PassiveUnhealthy,
};
pub use consumer::Consumer;
pub use consumer_group::ConsumerGroup;
pub use credential::Credential;
pub use field::{Labels, Plugins, Timeout};
pub use global_rule::GlobalRule;
pub use id::{Id, InvalidId, Revision};
pub use kind::Kind;
pub use node::Node;
pub use plugin_config::PluginConfig;
pub use proto::Proto;
pub use reference::is_reference;
pub use route::{Route, Status};
pub use schema::{InvalidSchema, Schema};
pub use schemas::secret_schema;
pub use secret::{AwsSecrets, GcpAccount, GcpSecrets, Secret, VaultSecrets};
pub use service::Service;
pub use set::{Applied, Record, RefusedResource, Resources};
pub use ssl::{Ssl, SslClient, SslProtocol, SslUsage};
pub use stream_route::StreamRoute;
pub use upstream::{Balance, HashOn, KeepalivePool, PassHost, Scheme, Tls, Upstream};
