//! Until when those resources live that are not to live for good: kept beside their records, and so after a restart.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lockgate_resource::{Id, Kind, Resources};
use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

use crate::Change;

/// Key, such as `/apisix/routes/1`, to when the record has to go, in milliseconds since 1970.
const DEADLINES: TableDefinition<'_, &str, u64> = TableDefinition::new("deadlines");

/// When what has to go.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    in_time: BTreeSet<(u64, Kind, Id)>,
    of: HashMap<(Kind, Id), u64>,
}

impl Deadlines {
    /// Reads those that there are of these resources. A file that never had any has no table of them.
    pub(super) fn read(transaction: &ReadTransaction, resources: &Resources) -> Result<Self, redb::Error> {
        let mut deadlines = Self::default();
        let table = match transaction.open_table(DEADLINES) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(deadlines),
            Err(error) => return Err(error.into()),
        };
        for row in table.iter()? {
            let (key, at) = row?;
            if let Ok((kind, id)) = Kind::of_key(key.value())
                && resources.get(kind, id.as_str()).is_some()
            {
                deadlines.set(kind, &id, Some(at.value()));
            }
        }
        Ok(deadlines)
    }

    /// Takes the changes of a transaction in, and writes them down with it.
    pub(super) fn keep<'a>(
        &mut self,
        transaction: &WriteTransaction,
        changes: impl Iterator<Item = &'a Change> + Clone,
    ) -> Result<(), redb::Error> {
        let lasts = |change: &Change| !matches!(change, Change::Put { ttl: Some(_), .. });
        if self.of.is_empty() && changes.clone().all(lasts) {
            return Ok(());
        }
        let mut table = transaction.open_table(DEADLINES)?;
        for change in changes {
            let (Change::Put { kind, id, .. } | Change::Delete { kind, id }) = change;
            let ttl = match change {
                Change::Put { ttl, .. } => *ttl,
                Change::Delete { .. } => None,
            };
            let at = ttl.map(|ttl| now().saturating_add(milliseconds(ttl)));
            match at {
                Some(at) => drop(table.insert(kind.key(id).as_str(), at)?),
                None => drop(table.remove(kind.key(id).as_str())?),
            }
            self.set(*kind, id, at);
        }
        Ok(())
    }

    fn set(&mut self, kind: Kind, id: &Id, at: Option<u64>) {
        let before = match at {
            Some(at) => self.of.insert((kind, id.clone()), at),
            None => self.of.remove(&(kind, id.clone())),
        };
        if let Some(before) = before {
            self.in_time.remove(&(before, kind, id.clone()));
        }
        self.in_time.extend(at.map(|at| (at, kind, id.clone())));
    }

    /// When the next one is.
    pub(super) fn next(&self) -> Option<u64> {
        self.in_time.first().map(|(at, ..)| *at)
    }

    /// What has to go by now.
    pub(super) fn due(&self, now: u64) -> Vec<(Kind, Id)> {
        self.in_time
            .iter()
            .take_while(|(at, ..)| *at <= now)
            .map(|(_, kind, id)| (*kind, id.clone()))
            .collect()
    }
}

/// Milliseconds since 1970, by the clock of the wall: the one that goes on while nothing runs.
pub(super) fn now() -> u64 {
    milliseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use lockgate_resource::{Id, Kind};
    use serde_json::json;

    use crate::redb::file;
    use crate::{Change, Expect, RedbStore, Store};

    fn put(ttl: Option<Duration>) -> Change {
        Change::Put { kind: Kind::Route, id: Id::new("1").unwrap(), value: json!({"uri": "/"}), ttl }
    }

    async fn keep(path: &Path, ttl: Option<Duration>) {
        RedbStore::open(path).unwrap().commit(put(ttl), Expect::Anything).await.unwrap();
    }

    #[tokio::test]
    async fn a_resource_goes_when_its_time_is_up() {
        let folder = tempfile::tempdir().unwrap();
        let store = RedbStore::open(&folder.path().join("store")).unwrap();
        let put = store.commit(put(Some(Duration::from_millis(30))), Expect::Anything).await.unwrap();
        let mut seen = store.watch();
        let gone = seen.wait_for(|resources| resources.revision > put).await.unwrap();
        assert!(gone.of(Kind::Route).is_empty(), "it is deleted, which is a change");
    }

    #[tokio::test]
    async fn time_goes_on_while_nobody_has_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        keep(&path, Some(Duration::from_nanos(1))).await;
        assert!(RedbStore::open(&path).unwrap().watch().borrow().of(Kind::Route).is_empty());
    }

    #[tokio::test]
    async fn the_last_change_says_how_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let ends = || file::open(&path).unwrap().deadlines.next();
        keep(&path, Some(Duration::from_hours(1))).await;
        let first = ends().expect("it is kept with the resource");
        keep(&path, Some(Duration::from_hours(2))).await;
        assert!(ends().is_some_and(|second| second > first));
        keep(&path, None).await;
        assert_eq!(ends(), None);
        keep(&path, Some(Duration::from_hours(1))).await;
        let store = RedbStore::open(&path).unwrap();
        store
            .commit(Change::Delete { kind: Kind::Route, id: Id::new("1").unwrap() }, Expect::Anything)
            .await
            .unwrap();
        drop(store);
        assert_eq!(ends(), None);
    }
}
