//! What a change does to a set of resources, alike in every store.

use std::sync::Arc;

use lockgate_resource::{Record, Resources, Revision};

use crate::{Change, Expect, StoreError};

/// Makes a change to the set at its next revision. The set stays as it was where the answer is an error.
pub(crate) fn apply(
    resources: &mut Resources,
    change: &Change,
    expect: Expect,
) -> Result<Revision, StoreError> {
    let (Change::Put { kind, id, .. } | Change::Delete { kind, id }) = change;
    let current = resources.get(*kind, id.as_str()).map(Arc::clone);
    let holds = match expect {
        Expect::Anything => true,
        Expect::Absent => current.is_none(),
        Expect::Unchanged(revision) => current.as_ref().is_some_and(|record| record.modified == revision),
    };
    if !holds {
        return Err(StoreError::Conflict(kind.key(id)));
    }
    let revision = Revision(resources.revision.0 + 1);
    match change {
        Change::Put { value, .. } => resources.insert(Record {
            kind: *kind,
            id: id.clone(),
            value: value.clone(),
            created: current.map_or(revision, |record| record.created),
            modified: revision,
        }),
        Change::Delete { .. } if current.is_none() => return Err(StoreError::Missing(kind.key(id))),
        Change::Delete { .. } => drop(resources.remove(*kind, id, revision)),
    }
    Ok(revision)
}
