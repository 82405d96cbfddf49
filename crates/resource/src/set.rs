//! Everything at one revision.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::{Id, Kind, Revision};

/// One resource as it rests: the JSON its user wrote (with `id`, `create_time` and `update_time`), sealed where
/// a field is secret. Defaults are not filled in, so a reader sees what was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: Id,
    /// What was written: an object.
    pub value: Value,
    /// The revision that made it.
    pub created: Revision,
    /// The revision that changed it last.
    pub modified: Revision,
}

/// Everything at one revision. A clone is a few reference counts.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// The revision of the newest change in it.
    pub revision: Revision,
    records: [Arc<BTreeMap<Id, Arc<Record>>>; Kind::ALL.len()],
}

impl Resources {
    /// The resources of a kind, by id.
    pub fn of(&self, kind: Kind) -> &BTreeMap<Id, Arc<Record>> {
        &self.records[kind as usize]
    }

    /// One resource.
    pub fn get(&self, kind: Kind, id: &str) -> Option<&Arc<Record>> {
        self.of(kind).get(id)
    }

    /// Puts a record in and takes on its revision.
    pub fn insert(&mut self, record: Record) {
        self.revision = self.revision.max(record.modified);
        Arc::make_mut(&mut self.records[record.kind as usize]).insert(record.id.clone(), Arc::new(record));
    }

    /// Takes a record out at a revision.
    pub fn remove(&mut self, kind: Kind, id: &Id, revision: Revision) -> Option<Arc<Record>> {
        self.revision = self.revision.max(revision);
        Arc::make_mut(&mut self.records[kind as usize]).remove(id)
    }
}

/// A resource that could not be made live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedResource {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: Id,
    /// The revision of it that was refused.
    pub modified: Revision,
    /// Why.
    pub reason: String,
}

/// What is live on this node. The program hands the Admin API a watch of it, so that a write can wait until
/// it is served without knowing who serves.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// Everything up to this revision is live, but for what was refused.
    pub revision: Revision,
    /// What was refused, and keeps its last good form or is left out.
    pub refused: Arc<[RefusedResource]>,
}
