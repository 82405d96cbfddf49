//! Resources, compiled into what a request needs: nothing is parsed after this.

mod attendance;
#[cfg(test)]
mod bench;
mod by_host;
mod compile;
mod consumer;
mod global;
mod identity;
#[cfg(test)]
mod many;
mod metadata;
mod node;
mod route;
mod shared;
mod ssl;
mod upstream;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use imbl::OrdMap;
use lockgate_http::client::Timeouts;
use lockgate_http::peer::KeepAlive;
use lockgate_http::tls::server::ServerTls;
use lockgate_plugin::{BuildContext, Consumer, Credential, Directory, Pipeline, Registry, RouteNames};
use lockgate_resource::{Id, Record, Resources, Revision, Timeout};

pub(crate) use node::{CompiledNode, NodeSet};
pub(crate) use route::CompiledRoute;
pub(crate) use ssl::{Certificates, CompiledSsl, normal};
pub(crate) use upstream::{CompiledUpstream, HostRule, Nodes};

use crate::router::Router;
use crate::routing::Routing;

/// Everything a request needs, at one revision.
#[derive(Default)]
pub struct Snapshot {
    /// The revision it was compiled from.
    pub revision: Revision,
    pub(crate) router: Router<Arc<CompiledRoute>>,
    /// How requests find their route.
    pub(crate) routing: Routing,
    global: global::GlobalRules,
    /// What clients are shown, and have to show, in TLS.
    pub(crate) certificates: Certificates,
    /// What it was compiled from.
    resources: Resources,
    routes: OrdMap<Id, Arc<CompiledRoute>>,
    /// Whether a route has, or has had, a plugin that looks at what happened.
    any_logs: bool,
    /// The routes that were refused in their newest form: they are tried again with each change.
    refused: BTreeSet<Id>,
    upstreams: BTreeMap<Id, SharedUpstream>,
    /// Those that services have of their own.
    service_upstreams: BTreeMap<Id, SharedUpstream>,
    consumers: consumer::Consumers,
    /// What tells this snapshot from all others.
    identity: Arc<()>,
    attended: attendance::Attended,
    metadata: metadata::LiveMetadata,
}

impl Snapshot {
    /// The plugins that run for every request; `None` where there is none.
    pub(crate) fn global(&self) -> Option<&Pipeline> {
        self.global.pipeline.as_deref()
    }

    /// The upstreams that are attended to in the background, each by the name of its resource.
    pub(crate) fn attended(&self) -> impl Iterator<Item = (&str, &CompiledUpstream)> {
        self.attended.upstreams()
    }

    /// A route by id, where plugins look at what happened at all.
    pub(crate) fn logging_route(&self, id: &str) -> Option<&CompiledRoute> {
        if self.any_logs { self.routes.get(id).map(|route| &**route) } else { None }
    }
}

impl Directory for Snapshot {
    fn route(&self, id: &str) -> Option<&RouteNames> {
        self.routes.get(id).map(|route| &route.names)
    }

    fn credential(&self, plugin: &str, key: &[u8]) -> Option<&Arc<Credential>> {
        self.consumers.credential(plugin, key)
    }

    fn consumer(&self, name: &str) -> Option<&Arc<Consumer>> {
        self.consumers.consumer(name)
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("revision", &self.revision).finish_non_exhaustive()
    }
}

/// An upstream with an id: routes that share it share its connections and its turns.
#[derive(Clone)]
struct SharedUpstream {
    source: Arc<Record>,
    compiled: Arc<CompiledUpstream>,
}

/// The snapshot that is live. Workers look once for each request.
pub type Live = Arc<ArcSwap<Snapshot>>;

/// What compiling needs besides the resources.
pub struct Compiler {
    /// The plugins there are.
    pub registry: Arc<Registry>,
    /// What plugins and upstreams are built with.
    pub build: BuildContext,
    /// How requests find their route. It is the same for every snapshot.
    pub routing: Routing,
    /// Which connections to nodes are kept, where the upstream does not say.
    pub keep_alive: KeepAlive,
    /// How TLS is spoken to clients, where a certificate does not say.
    pub tls: ServerTls,
}

pub(crate) fn timeouts(written: &Timeout) -> Timeouts {
    Timeouts { connect: written.connect, send: written.send, read: written.read }
}
