//! A route, compiled: its rule for the router, its plugins, its upstream.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lockgate_http::client::Timeouts;
use lockgate_plugin::{Pipeline, RouteNames};
use lockgate_resource::{Id, Record};

use super::upstream::CompiledUpstream;
use crate::router::Rule;

/// A route, and what becomes of a request that matches it.
pub(crate) struct CompiledRoute {
    pub(crate) id: Id,
    /// Of this compiled form: no other one has it, of this route or of any.
    pub(crate) number: u64,
    pub(crate) names: RouteNames,
    pub(crate) pipeline: Pipeline,
    pub(crate) upstream: Option<Arc<CompiledUpstream>>,
    /// Whether that is written in the route itself.
    pub(super) has_own_upstream: bool,
    pub(crate) timeouts: Timeouts,
    /// Whether a client may go over to WebSocket.
    pub(crate) allows_websocket: bool,
    /// `None` for a route that is switched off: it is compiled, and matches nothing.
    pub(crate) rule: Option<Arc<Rule>>,
    /// What it was compiled from, to see whether any of it has changed.
    pub(crate) sources: Sources,
}

/// The records a route is made of.
#[derive(Clone)]
pub(crate) struct Sources {
    pub(crate) route: Arc<Record>,
    pub(crate) service: Option<Arc<Record>>,
    pub(crate) plugin_config: Option<Arc<Record>>,
    pub(crate) upstream: Option<Arc<Record>>,
}

/// A number that no compiled route has yet.
pub(super) fn next_number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

impl Sources {
    /// Whether these are the very same records.
    pub(crate) fn are(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.route, &other.route)
            && are_same(self.service.as_ref(), other.service.as_ref())
            && are_same(self.plugin_config.as_ref(), other.plugin_config.as_ref())
            && are_same(self.upstream.as_ref(), other.upstream.as_ref())
    }
}

fn are_same(a: Option<&Arc<Record>>, b: Option<&Arc<Record>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    }
}
