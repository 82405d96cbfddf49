//! A store that forgets: for tests and `lockgate check`.

use lockgate_resource::{Resources, Revision};
use tokio::sync::watch;

use crate::apply::apply;
use crate::{Answer, Change, Expect, Store, StoreError};

/// Keeps resources in memory alone: for tests and `lockgate check`. It answers as the lasting stores do, but has no
/// clock: nothing expires.
#[derive(Debug, Default)]
pub struct MemoryStore {
    resources: watch::Sender<Resources>,
}

impl MemoryStore {
    /// A store that holds these resources.
    pub fn new(resources: Resources) -> Self {
        Self { resources: watch::Sender::new(resources) }
    }

    /// Makes a change at once, without a runtime.
    pub fn change(&self, change: &Change, expect: Expect) -> Result<Revision, StoreError> {
        let mut answer = Err(StoreError::Unavailable("the change was not tried".to_owned()));
        self.resources.send_if_modified(|resources| {
            answer = apply(resources, change, expect);
            answer.is_ok()
        });
        answer
    }
}

impl Store for MemoryStore {
    fn commit(&self, change: Change, expect: Expect) -> Answer<'_, Revision> {
        let answer = self.change(&change, expect);
        Box::pin(std::future::ready(answer))
    }

    fn watch(&self) -> watch::Receiver<Resources> {
        self.resources.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use lockgate_resource::{Id, Kind, Revision};
    use serde_json::json;

    use super::MemoryStore;
    use crate::{Change, Expect, Store, StoreError};

    fn put(id: &str) -> Change {
        let id = Id::new(id).unwrap();
        Change::Put { kind: Kind::Route, id, value: json!({"uri": "/"}), ttl: None }
    }

    fn delete(id: &str) -> Change {
        Change::Delete { kind: Kind::Route, id: Id::new(id).unwrap() }
    }

    #[test]
    fn a_replaced_resource_keeps_the_revision_that_made_it() {
        let store = MemoryStore::default();
        assert_eq!(store.change(&put("1"), Expect::Absent).unwrap(), Revision(1));
        assert_eq!(store.change(&put("1"), Expect::Unchanged(Revision(1))).unwrap(), Revision(2));
        let seen = store.watch().borrow().clone();
        let record = seen.get(Kind::Route, "1").unwrap();
        assert_eq!((record.created, record.modified), (Revision(1), Revision(2)));
        assert_eq!(seen.revision, Revision(2));
    }

    #[test]
    fn what_was_expected_must_hold() {
        let store = MemoryStore::default();
        store.change(&put("1"), Expect::Anything).unwrap();
        let refused = |change: &Change, expect| store.change(change, expect).unwrap_err();
        assert!(
            matches!(refused(&put("1"), Expect::Absent), StoreError::Conflict(key) if key == "/apisix/routes/1")
        );
        assert!(matches!(refused(&delete("1"), Expect::Unchanged(Revision(9))), StoreError::Conflict(_)));
        assert!(matches!(refused(&put("2"), Expect::Unchanged(Revision(1))), StoreError::Conflict(_)));
        assert_eq!(store.watch().borrow().revision, Revision(1));
    }

    #[test]
    fn what_is_not_there_cannot_be_deleted() {
        let store = MemoryStore::default();
        let refused = store.change(&delete("1"), Expect::Anything).unwrap_err();
        assert_eq!(refused.to_string(), "/apisix/routes/1 does not exist");
        store.change(&put("1"), Expect::Anything).unwrap();
        store.change(&delete("1"), Expect::Anything).unwrap();
        assert!(store.watch().borrow().of(Kind::Route).is_empty());
    }
}
