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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lockgate_resource::Revision;
    use serde_json::{Value, json};
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::health::report;
    use crate::snapshot::bench::Bench;

    /// Whose one node takes connections and answers nothing, so that a check of it lasts.
    fn upstream(port: u16, weight: u64, is_checked: bool) -> Value {
        let mut upstream = json!({"nodes": {format!("127.0.0.1:{port}"): weight}});
        if is_checked {
            upstream["checks"] = json!({"active": {"timeout": 3600}});
        }
        upstream
    }

    async fn come_to(tasks: usize) {
        let alive = || Handle::current().metrics().num_alive_tasks();
        let come = async {
            while alive() != tasks {
                sleep(Duration::from_millis(1)).await;
            }
        };
        assert!(timeout(Duration::from_secs(20), come).await.is_ok(), "{} tasks, not {tasks}", alive());
    }

    #[tokio::test]
    async fn thousands_of_changes_leave_no_checker_behind() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        let mut bench = Bench::on(&Handle::current());
        // What a request that lasts, such as a WebSocket, holds on to.
        let mut held = Vec::new();
        for change in 0..3000_u64 {
            let id = format!("r{}", change % 20);
            let is_checked = change % 3 > 0;
            let weight = 1 + change / 40 % 2;
            match change % 11 {
                0 => drop(bench.resources.remove(Kind::Route, &Id::new(&id).unwrap(), Revision(change))),
                1 => drop(bench.put(Kind::Upstream, &id, upstream(port, weight, is_checked))),
                2 => drop(bench.put(
                    Kind::Service,
                    &id,
                    json!({"upstream": upstream(port, weight, is_checked)}),
                )),
                _ => {
                    let upstream = upstream(port, weight, is_checked);
                    let refused = bench.put(Kind::Route, &id, json!({"uri": "/", "upstream": upstream}));
                    assert!(refused.is_empty(), "{refused:?}");
                }
            }
            held.extend(bench.snapshot.attended().next().map(|_| bench.snapshot.attended.clone()));
            if change % 100 == 0 {
                tokio::task::yield_now().await;
            }
        }
        let checked = report(&bench.snapshot).len();
        assert!(checked > 10);
        // One for each upstream, and one for the check of its node that is under way.
        come_to(2 * checked).await;
        for kind in [Kind::Route, Kind::Service, Kind::Upstream] {
            for id in 0..20 {
                bench.resources.remove(kind, &Id::new(&format!("r{id}")).unwrap(), Revision(9999));
            }
        }
        bench.compile();
        come_to(0).await;
        drop(held);
    }

    #[tokio::test]
    async fn a_change_of_something_else_does_not_begin_checks_again() {
        let mut bench = Bench::on(&Handle::current());
        let attendance = |bench: &Bench| bench.snapshot.attended.upstreams.values().next().unwrap().clone();
        let put = |bench: &mut Bench, route: Value| bench.put(Kind::Route, "1", route);
        put(&mut bench, json!({"uri": "/a", "upstream": upstream(9, 1, true)}));
        let first = attendance(&bench);
        put(&mut bench, json!({"uri": "/b", "desc": "another", "upstream": upstream(9, 1, true)}));
        bench.put(Kind::Route, "2", json!({"uri": "/c"}));
        assert!(Arc::ptr_eq(&first, &attendance(&bench)));
        put(&mut bench, json!({"uri": "/b", "upstream": upstream(9, 2, true)}));
        assert!(!Arc::ptr_eq(&first, &attendance(&bench)));
        assert_eq!(report(&bench.snapshot)[0].name, "/apisix/routes/1");
    }
}
