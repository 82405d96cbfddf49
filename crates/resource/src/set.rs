//! Everything at one revision.

use std::sync::Arc;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;
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

/// Everything at one revision. A clone is a few reference counts, and a change of one shares all the others with it.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// The revision of the newest change in it.
    pub revision: Revision,
    records: [OrdMap<Id, Arc<Record>>; Kind::ALL.len()],
}

impl Resources {
    /// The resources of a kind, by id.
    pub fn of(&self, kind: Kind) -> &OrdMap<Id, Arc<Record>> {
        &self.records[kind as usize]
    }

    /// One resource.
    pub fn get(&self, kind: Kind, id: &str) -> Option<&Arc<Record>> {
        self.of(kind).get(id)
    }

    /// Whether nothing of a kind differs, seen at a glance: `false` may still be a set that is alike.
    pub fn shares(&self, other: &Self, kind: Kind) -> bool {
        self.of(kind).ptr_eq(other.of(kind))
    }

    /// The resources of a kind that are new or changed since `before`, and the ids of those that are gone. What the two
    /// share is not looked at.
    pub fn changes(&self, before: &Self, kind: Kind) -> (Vec<&Arc<Record>>, Vec<Id>) {
        let (mut changed, mut gone) = (Vec::new(), Vec::new());
        for difference in before.of(kind).diff(self.of(kind)) {
            match difference {
                DiffItem::Add(_, record) | DiffItem::Update { new: (_, record), .. } => changed.push(record),
                DiffItem::Remove(id, _) => gone.push(id.clone()),
            }
        }
        (changed, gone)
    }

    /// Puts a record in and takes on its revision.
    pub fn insert(&mut self, record: Record) {
        self.revision = self.revision.max(record.modified);
        self.records[record.kind as usize].insert(record.id.clone(), Arc::new(record));
    }

    /// Puts a record in that is known already, in place of what has its id.
    pub fn put(&mut self, record: Arc<Record>) {
        self.records[record.kind as usize].insert(record.id.clone(), record);
    }

    /// Has of a kind what `other` has.
    pub fn adopt(&mut self, kind: Kind, other: &Self) {
        self.records[kind as usize] = other.records[kind as usize].clone();
    }

    /// Takes a record out at a revision.
    pub fn remove(&mut self, kind: Kind, id: &Id, revision: Revision) -> Option<Arc<Record>> {
        self.revision = self.revision.max(revision);
        self.records[kind as usize].remove(id)
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
    /// How often was compiled since the start: a burst of changes is compiled a few times.
    pub compilations: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &[&str]) -> Resources {
        let mut resources = Resources::default();
        for id in ids {
            resources.insert(route(id));
        }
        resources
    }

    fn route(id: &str) -> Record {
        let id = Id::new(id).unwrap();
        Record { kind: Kind::Route, id, value: Value::Null, created: Revision(1), modified: Revision(1) }
    }

    fn changed(id: &str) -> Record {
        Record { modified: Revision(2), ..route(id) }
    }

    #[test]
    fn changes_are_what_is_new_other_or_gone() {
        let before = set(&["a", "b", "d", "e"]);
        let mut after = before.clone();
        assert!(after.shares(&before, Kind::Route));
        after.insert(changed("b"));
        after.insert(route("c"));
        for id in ["a", "e"] {
            after.remove(Kind::Route, &Id::new(id).unwrap(), Revision(2));
        }
        let (changed, gone) = after.changes(&before, Kind::Route);
        assert_eq!(changed.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(gone.iter().map(Id::as_str).collect::<Vec<_>>(), ["a", "e"]);
    }
}
