//! Upstreams that several routes share: those with an id, and those of services.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockgate_resource::{Id, Kind, Record, RefusedResource, Resources, Service, Upstream};

use super::compile::refusal;
use super::identity::is_renewed;
use super::upstream::CompiledUpstream;
use super::{Compiler, SharedUpstream, Snapshot};

impl Compiler {
    /// Those with an id. What is unchanged is taken from `previous`; what is refused keeps its last good form.
    pub(super) fn upstreams(
        &self,
        resources: &Resources,
        previous: &Snapshot,
        refused: &mut Vec<RefusedResource>,
    ) -> BTreeMap<Id, SharedUpstream> {
        let mut compile = |(id, record): (&Id, &Arc<Record>)| {
            let before = previous.upstreams.get(id);
            let is_same = |before: &&SharedUpstream| {
                Arc::ptr_eq(&before.source, record) && !is_renewed(record, resources, previous)
            };
            if let Some(same) = before.filter(is_same) {
                return Some((id.clone(), same.clone()));
            }
            let read =
                || Upstream::from_value(&record.value).and_then(|read| self.identified(read, resources));
            Some((id.clone(), self.shared(record, before, refused, read)?))
        };
        resources.of(Kind::Upstream).iter().filter_map(&mut compile).collect()
    }

    /// Those of services. A service that cannot be read is reported with each route that has it.
    pub(super) fn service_upstreams(
        &self,
        resources: &Resources,
        previous: &Snapshot,
        refused: &mut Vec<RefusedResource>,
    ) -> BTreeMap<Id, SharedUpstream> {
        let mut compile = |(id, record): (&Id, &Arc<Record>)| {
            record.value.get("upstream")?;
            let before = previous.service_upstreams.get(id);
            let is_same = |before: &&SharedUpstream| {
                Arc::ptr_eq(&before.source, record) && !is_renewed(record, resources, previous)
            };
            if let Some(same) = before.filter(is_same) {
                return Some((id.clone(), same.clone()));
            }
            let upstream = Service::from_value(&record.value).ok()?.upstream?;
            let shared = self.shared(record, before, refused, || self.identified(upstream, resources));
            Some((id.clone(), shared?))
        };
        resources.of(Kind::Service).iter().filter_map(&mut compile).collect()
    }

    fn shared(
        &self,
        record: &Arc<Record>,
        before: Option<&SharedUpstream>,
        refused: &mut Vec<RefusedResource>,
        read: impl FnOnce() -> Result<Upstream, String>,
    ) -> Option<SharedUpstream> {
        let compiled = read().and_then(|upstream| {
            let before = before.map(|before| &before.compiled);
            CompiledUpstream::compile(&upstream, self.keep_alive, &self.build, before)
        });
        match compiled {
            Ok(compiled) => Some(SharedUpstream { source: record.clone(), compiled }),
            Err(reason) => {
                refused.push(refusal(record, reason));
                before.cloned()
            }
        }
    }

    /// Sees to it that what is done in the background is done for the upstreams of `next` and no others. Those of
    /// routes were seen to when these were compiled.
    pub(super) fn attend(&self, previous: &Snapshot, next: &mut Snapshot) {
        let runtime = self.build.resolver.runtime();
        let kinds = [(Kind::Upstream, &next.upstreams), (Kind::Service, &next.service_upstreams)];
        for (kind, shared) in kinds {
            next.attended.keep(kind, |id| shared.contains_key(id));
            for (id, upstream) in shared {
                next.attended.put(kind, id, Some(&upstream.compiled), runtime);
            }
        }
        previous.attended.end_all_but(&next.attended);
    }
}
