//! Work in the background for upstreams that are live: checks of nodes, and the search for them. It ends with the
//! snapshot in which nobody has the upstream any more, however long requests hold on to an older one.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockgate_resource::{Id, Kind};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::CompiledUpstream;
use crate::health::watch;
use crate::snapshot::upstream::Nodes;

/// The upstreams that are attended to, by the resource that has them.
#[derive(Clone, Default)]
pub(super) struct Attended {
    upstreams: BTreeMap<(Kind, Id), Arc<Attendance>>,
}

/// An upstream, and the tasks that attend to it until it is dropped, or they are ended.
struct Attendance {
    upstream: Arc<CompiledUpstream>,
    name: String,
    tasks: Vec<AbortHandle>,
}

impl Attended {
    /// This resource has this upstream from now on.
    pub(super) fn put(&mut self, kind: Kind, id: &Id, upstream: Option<&Arc<CompiledUpstream>>, on: &Handle) {
        let upstream = upstream.filter(|upstream| upstream.plan.is_some() || upstream.search.is_some());
        let key = (kind, id.clone());
        match upstream {
            None => drop(self.upstreams.remove(&key)),
            Some(upstream) => {
                let before = self.upstreams.get(&key);
                if !before.is_some_and(|before| Arc::ptr_eq(&before.upstream, upstream)) {
                    self.upstreams.insert(key, Arc::new(Attendance::begin(kind, id, upstream, on)));
                }
            }
        }
    }

    /// Only those of which `is_there` says so stay.
    pub(super) fn keep(&mut self, kind: Kind, is_there: impl Fn(&Id) -> bool) {
        self.upstreams.retain(|(of, id), _| *of != kind || is_there(id));
    }

    /// Ends what was done for upstreams that are no longer among `next`.
    pub(super) fn end_all_but(&self, next: &Self) {
        for (key, attendance) in &self.upstreams {
            if !next.upstreams.get(key).is_some_and(|next| Arc::ptr_eq(next, attendance)) {
                attendance.end();
            }
        }
    }

    pub(super) fn upstreams(&self) -> impl Iterator<Item = (&str, &CompiledUpstream)> {
        self.upstreams.values().map(|attendance| (&*attendance.name, &*attendance.upstream))
    }
}

impl Attendance {
    fn begin(kind: Kind, id: &Id, upstream: &Arc<CompiledUpstream>, on: &Handle) -> Self {
        let mut tasks = Vec::new();
        if let (Some(search), Nodes::Discovered(found)) = (&upstream.search, &upstream.nodes) {
            tasks.push(on.spawn(search.clone().keep_up(found.clone())).abort_handle());
        }
        if let Some(plan) = &upstream.plan {
            tasks.push(on.spawn(watch(plan.clone(), upstream.nodes.clone())).abort_handle());
        }
        Self { upstream: upstream.clone(), name: kind.key(id), tasks }
    }

    fn end(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        self.end();
    }
}
