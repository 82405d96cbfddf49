//! The newest resources, compiled and made live; what was refused is reported.

use std::sync::Arc;

use lockgate_proxy::{Compiler, Live};
use lockgate_resource::{Applied, Record, Resources};
use tokio::sync::watch;

use crate::secrets::Referred;

/// Takes changes from the store to the data plane.
pub(crate) struct Reload {
    pub(crate) compiler: Arc<Compiler>,
    pub(crate) live: Live,
    pub(crate) applied: watch::Sender<Applied>,
    /// Routes of the program's own, beside those of the store.
    pub(crate) built_in: Option<Record>,
    /// The secrets that resources refer to.
    pub(crate) secrets: Referred,
    /// Whether this process serves requests; a control plane compiles nothing.
    pub(crate) serves: bool,
}

impl Reload {
    /// Makes the first set of resources live, and has secrets fetched from then on.
    pub(crate) async fn begin(&self, resources: Resources) {
        if self.serves {
            self.secrets.begin();
            self.secrets.gather(&resources).await;
        }
        self.apply(&resources);
    }

    /// Compiles what the store has, with each change of that and of secrets. A burst of changes compiles once for what
    /// came while the last one was compiled, not once each.
    pub(crate) async fn run(self, mut changes: watch::Receiver<Resources>) {
        let this = Arc::new(self);
        let mut news = this.secrets.news();
        loop {
            tokio::select! {
                told = changes.changed() => if told.is_err() { break },
                // Who tells of them is held by `this`.
                _ = news.changed() => {}
            }
            let resources = changes.borrow_and_update().clone();
            news.borrow_and_update();
            if this.serves {
                this.secrets.gather(&resources).await;
            }
            let reload = this.clone();
            if let Err(error) = tokio::task::spawn_blocking(move || reload.apply(&resources)).await {
                tracing::error!(%error, "compiling failed; what was live stays live");
            }
        }
    }

    /// Makes a set of resources live.
    fn apply(&self, resources: &Resources) {
        let revision = resources.revision;
        if !self.serves {
            self.applied.send_replace(Applied { revision, ..Applied::default() });
            return;
        }
        let mut filled = self.secrets.fill(resources);
        let mut resources = std::mem::take(&mut filled.resources);
        if let Some(route) = &self.built_in {
            resources.insert(route.clone());
        }
        let previous = self.live.load_full();
        let (mut snapshot, mut refused) = self.compiler.compile(&resources, &previous);
        for resource in &mut refused {
            resource.reason = filled.mask(std::mem::take(&mut resource.reason));
        }
        refused.append(&mut filled.refused);
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
