//! The newest resources, compiled and made live; what was refused is reported.

use std::sync::Arc;

use lockgate_proxy::{Compiler, Live};
use lockgate_resource::{Applied, Record, Resources};
use tokio::sync::watch;

/// Takes changes from the store to the data plane.
pub(crate) struct Reload {
    pub(crate) compiler: Arc<Compiler>,
    pub(crate) live: Live,
    pub(crate) applied: watch::Sender<Applied>,
    /// Routes of the program's own, beside those of the store.
    pub(crate) built_in: Option<Record>,
    /// Whether this process serves requests; a control plane compiles nothing.
    pub(crate) serves: bool,
}

impl Reload {
    /// Compiles what the store has now, and goes on with each change. A burst of changes compiles once for what
    /// came while the last one was compiled, not once each.
    pub(crate) async fn run(self, mut changes: watch::Receiver<Resources>) {
        let this = Arc::new(self);
        while changes.changed().await.is_ok() {
            let resources = changes.borrow_and_update().clone();
            let reload = this.clone();
            if let Err(error) = tokio::task::spawn_blocking(move || reload.apply(resources)).await {
                tracing::error!(%error, "compiling failed; what was live stays live");
            }
        }
    }

    /// Makes a set of resources live.
    pub(crate) fn apply(&self, mut resources: Resources) {
        let revision = resources.revision;
        if !self.serves {
            self.applied.send_replace(Applied { revision, ..Applied::default() });
            return;
        }
        if let Some(route) = &self.built_in {
            resources.insert(route.clone());
        }
        let previous = self.live.load_full();
        let (mut snapshot, refused) = self.compiler.compile(&resources, &previous);
        snapshot.revision = revision;
        for resource in &refused {
            let (kind, id) = (resource.kind.name(), resource.id.as_str());
            tracing::error!(kind, id, reason = resource.reason, "resource is refused");
        }
        self.live.store(Arc::new(snapshot));
        self.applied.send_modify(|applied| {
            let compilations = applied.compilations + 1;
            *applied = Applied { revision, refused: refused.into(), compilations };
        });
    }
}
