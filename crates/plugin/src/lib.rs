//! What a plugin is: a type with a name, a configuration, and the phases of a request it takes part in.

mod condition;
mod consumer;
mod content;
mod context;
mod directory;
mod erased;
mod heads;
mod meta;
mod metadata;
mod phase;
mod pipeline;
mod reference;
mod registry;
mod shared;
mod variable;

pub use condition::Condition;
pub use consumer::{Consumer, ConsumerType, Credential};
pub use content::ContentLimits;
pub use context::{RequestContext, UpstreamTrace};
pub use directory::{Directory, RouteNames};
pub use metadata::{Metadata, MetadataType};
pub use phase::{Error, Flow, Phase};
pub use pipeline::{Layer, Pipeline};
pub use reference::variable;
pub use registry::{Registered, Registry, at_path_mut};
pub use shared::Shared;
pub use variable::{ContentVariable, JsonPath, TlsVariable, Variable, without_port};

use std::future::Future;
use std::sync::Arc;

use lockgate_http::peer::Protocol;
use lockgate_http::resolver::Resolver;
use lockgate_http::{Body, Request, Response};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// A plugin. Its value is one compiled configuration, shared by all workers; see CONTRIBUTING.md.
pub trait Plugin: Send + Sync + Sized + 'static {
    /// As users write it: kebab-case.
    const NAME: &'static str;
    /// Higher runs earlier; APISIX's number where it has this plugin.
    const PRIORITY: i32;
    /// The phases it takes part in; a phase that is not named here is never called.
    const PHASES: &'static [Phase];
    /// Whether it looks at what happened once a request only: that of a global rule leaves it to that of the route,
    /// where there is one. Of the phase `log` alone.
    const LOGS_ONCE: bool = false;
    /// Whether none of its phases ever waits for anything: then they cost no memory of their own. One that waits all the
    /// same has failed.
    const NEVER_WAITS: bool = false;
    /// What users write.
    type Config: DeserializeOwned + JsonSchema;

    /// Understands a configuration, once, when it changes. No effect may outlive the value.
    fn build(config: Self::Config, cx: &BuildContext) -> Result<Self, BuildError>;

    /// What users may write once for this plugin, wherever it is used; [`BuildContext::metadata`] has it. By
    /// default nothing.
    fn metadata() -> Option<MetadataType> {
        None
    }

    /// What consumers and their credentials write for this plugin, where it finds out who calls: that makes it a plugin
    /// of authentication. By default nothing.
    fn consumer() -> Option<ConsumerType> {
        None
    }

    /// What a configuration says that is accepted but probably not meant; shown in the Admin API's reply.
    fn warnings(_config: &Self::Config) -> Vec<String> {
        Vec::new()
    }

    /// May change the request, answer it, find the consumer.
    fn rewrite(
        &self,
        _request: &mut Request,
        _cx: &mut RequestContext,
    ) -> impl Future<Output = Result<Flow, Error>> {
        std::future::ready(Ok(Flow::Continue))
    }

    /// May refuse the request or answer it.
    fn access(
        &self,
        _request: &mut Request,
        _cx: &mut RequestContext,
    ) -> impl Future<Output = Result<Flow, Error>> {
        std::future::ready(Ok(Flow::Continue))
    }

    /// The last change before the upstream.
    fn before_proxy(
        &self,
        _request: &mut Request,
        _cx: &mut RequestContext,
    ) -> impl Future<Output = Result<Flow, Error>> {
        std::future::ready(Ok(Flow::Continue))
    }

    /// May change status and headers of whatever answer there is.
    fn header_filter(&self, _response: &mut Response, _cx: &mut RequestContext) {}

    /// May wrap the body of the answer.
    fn body_filter(&self, body: Body, _cx: &mut RequestContext) -> Body {
        body
    }

    /// Looks at what happened, when the last byte is out.
    fn log(&self, _request: &Request, _cx: &RequestContext) {}
}

/// What a plugin may use while it is built.
#[derive(Clone)]
pub struct BuildContext {
    /// Resolves names of peers.
    pub resolver: Resolver,
    /// Opens fields that are sealed at rest, and knows the environment.
    pub secrets: Arc<dyn Secrets>,
    /// What outlives a configuration.
    pub shared: Arc<Shared>,
    /// What was written once for each plugin. A plugin is built anew when its own changes.
    pub metadata: Metadata,
    /// Whether who is spoken to by `https://` is offered HTTP/2 in the handshake.
    pub negotiates_http2: bool,
}

impl BuildContext {
    /// With nothing shared and no metadata yet, and HTTP/1.1 to everybody.
    pub fn new(resolver: Resolver, secrets: Arc<dyn Secrets>) -> Self {
        let metadata = Metadata::default();
        Self { resolver, secrets, shared: Arc::default(), metadata, negotiates_http2: false }
    }

    /// What is spoken to peers of HTTP over TLS.
    pub fn https(&self) -> Protocol {
        if self.negotiates_http2 { Protocol::Negotiated } else { Protocol::Http1 }
    }
}

/// Where the texts come from that do not stand in a configuration as they are.
pub trait Secrets: Send + Sync {
    /// The text behind a sealed one; `None` when it is not sealed, or not with a key of ours.
    fn open(&self, sealed: &str) -> Option<String>;

    /// What `$env://NAME` stands for; `None` where there is no such variable.
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// Why a configuration cannot be built: the name of the field and why, never a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BuildError(pub String);
