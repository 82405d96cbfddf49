//! Stand-alone: everything comes at once, from a file or from one call, and is held in memory.

mod file;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use lockgate_resource::{Id, Kind, Record, Resources, Revision};
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::document::Item;
use crate::{Answer, Change, Condition, Expect, Store, StoreError};

pub use file::{Check, StandaloneFile};

/// Holds resources that are only ever replaced as a whole. What a replacement leaves as it was keeps its record, so
/// nothing of it is compiled again.
pub struct StandaloneStore {
    resources: watch::Sender<Resources>,
    condition: watch::Sender<Condition>,
    /// What `modifiedIndex` said of each resource that has one.
    indices: Mutex<HashMap<(Kind, Id), u64>>,
    configuration: Mutex<Option<Arc<Configuration>>>,
    is_by_api: bool,
    read_only: String,
}

/// A configuration as it came by the Admin API.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configuration {
    /// Its lists and their versions.
    pub document: Map<String, Value>,
    /// `X-Digest`: what its sender calls it.
    pub digest: String,
    /// `X-Last-Modified`: when it came, in seconds since 1970.
    pub modified: u64,
}

impl StandaloneStore {
    /// An empty one, for what a file says.
    pub fn of_file(path: &Path) -> Arc<Self> {
        let why = format!("resources are read from {}: change them there", path.display());
        Arc::new(Self::new(false, why))
    }

    /// An empty one, for what the Admin API is told by `PUT /apisix/admin/configs`.
    pub fn of_api() -> Arc<Self> {
        let why = "resources are one configuration: change them by PUT /apisix/admin/configs".to_owned();
        Arc::new(Self::new(true, why))
    }

    fn new(is_by_api: bool, read_only: String) -> Self {
        Self {
            resources: watch::Sender::new(Resources::default()),
            condition: watch::Sender::new(Condition::default()),
            indices: Mutex::default(),
            configuration: Mutex::default(),
            is_by_api,
            read_only,
        }
    }

    /// Whether the Admin API may replace the configuration.
    pub fn is_by_api(&self) -> bool {
        self.is_by_api
    }

    /// Why one resource cannot be changed by itself.
    pub fn read_only(&self) -> StoreError {
        StoreError::ReadOnly(self.read_only.clone())
    }

    /// The configuration that came last by the Admin API.
    pub fn configuration(&self) -> Option<Arc<Configuration>> {
        self.configuration.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a configuration of the Admin API in. Gives the revision it is live at.
    pub fn configure(&self, configuration: Configuration, items: Vec<Item>) -> Revision {
        let revision = self.replace(items);
        *self.configuration.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(configuration));
        revision
    }

    /// Replaces everything. Gives the revision it is live at: the one before where nothing has changed.
    pub fn replace(&self, items: Vec<Item>) -> Revision {
        let before = self.resources.borrow().clone();
        let mut indices = self.indices.lock().unwrap_or_else(PoisonError::into_inner);
        let revision = Revision(before.revision.0 + 1);
        let (mut next, mut is_changed) = (before.clone(), false);
        let mut there = HashMap::new();
        for Item { kind, id, value, index, .. } in items {
            let known = before.get(kind, id.as_str());
            let old_index = indices.get(&(kind, id.clone())).copied();
            there.insert((kind, id.clone()), index);
            let is_same =
                known.is_some_and(|known| known.value == value || (index.is_some() && index == old_index));
            if !is_same {
                let created = known.map_or(revision, |known| known.created);
                next.insert(Record { kind, id, value, created, modified: revision });
                is_changed = true;
            }
        }
        for kind in Kind::ALL {
            for id in before.of(kind).keys().filter(|id| !there.contains_key(&(kind, (*id).clone()))) {
                next.remove(kind, id, revision);
                is_changed = true;
            }
        }
        *indices = there.into_iter().filter_map(|(name, index)| Some((name, index?))).collect();
        drop(indices);
        if is_changed {
            self.resources.send_replace(next);
        }
        self.condition.send_replace(Condition::SOUND);
        if is_changed { revision } else { before.revision }
    }

    /// Notes that what there is cannot be taken in: what was taken in last stays.
    pub fn fail(&self, trouble: String) {
        self.condition.send_modify(|condition| condition.trouble = Some(trouble));
    }
}

impl Store for StandaloneStore {
    fn commit(&self, _: Change, _: Expect) -> Answer<'_, Revision> {
        Box::pin(std::future::ready(Err(self.read_only())))
    }

    fn watch(&self) -> watch::Receiver<Resources> {
        self.resources.subscribe()
    }

    fn condition(&self) -> watch::Receiver<Condition> {
        self.condition.subscribe()
    }

    fn standalone(&self) -> Option<&StandaloneStore> {
        Some(self)
    }
}

#[cfg(test)]
mod tests;
