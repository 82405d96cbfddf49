//! Resources, compiled into what a request needs: nothing is parsed after this.

mod compile;
mod metadata;
mod route;
mod upstream;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use lockgate_http::client::Timeouts;
use lockgate_http::peer::KeepAlive;
use lockgate_plugin::{BuildContext, Registry};
use lockgate_resource::{Id, Record, Resources, Revision, Timeout};

pub(crate) use route::CompiledRoute;
pub(crate) use upstream::{CompiledNode, CompiledUpstream, HostRule};

use crate::router::Router;

/// Everything a request needs, at one revision.
#[derive(Default)]
pub struct Snapshot {
    /// The revision it was compiled from.
    pub revision: Revision,
    pub(crate) router: Router<Arc<CompiledRoute>>,
    /// What it was compiled from.
    resources: Resources,
    routes: BTreeMap<Id, Arc<CompiledRoute>>,
    /// Whether a route has, or has had, a plugin that looks at what happened.
    any_logs: bool,
    /// The routes that were refused in their newest form: they are tried again with each change.
    refused: BTreeSet<Id>,
    upstreams: BTreeMap<Id, SharedUpstream>,
    metadata: metadata::LiveMetadata,
}

impl Snapshot {
    /// A route by id, where plugins look at what happened at all.
    pub(crate) fn logging_route(&self, id: &str) -> Option<&CompiledRoute> {
        if self.any_logs { self.routes.get(id).map(|route| &**route) } else { None }
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
    /// Which connections to nodes are kept, where the upstream does not say.
    pub keep_alive: KeepAlive,
}

pub(crate) fn timeouts(written: &Timeout) -> Timeouts {
    Timeouts { connect: written.connect, send: written.send, read: written.read }
}
