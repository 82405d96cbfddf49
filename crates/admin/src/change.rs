//! Makes one change: checked, sealed, committed, and live before it is answered.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lockgate_resource::{Id, Kind, Resources, Revision};
use lockgate_store::{Change, Expect};
use serde_json::{Map, Value};

use crate::envelope::Refusal;
use crate::{Admin, secrets, validate};

/// How long an answer waits for its change to be live on this node.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was kept of a change.
pub(crate) struct Kept {
    /// What rests now: secrets are sealed.
    pub(crate) value: Value,
    /// What was accepted but probably not meant.
    pub(crate) warnings: Vec<String>,
    pub(crate) revision: Revision,
}

/// On what terms a change is made.
#[derive(Clone, Copy)]
pub(crate) struct How {
    /// What must hold.
    pub(crate) expect: Expect,
    /// How long the resource is to live.
    pub(crate) ttl: Option<Duration>,
}

/// Checks a resource, sets its times, and keeps it. Whoever calls holds the lock on changes.
pub(crate) async fn keep(
    admin: &Admin,
    resources: &Resources,
    kind: Kind,
    id: &Id,
    mut value: Value,
    how: How,
) -> Result<Kept, Refusal> {
    secrets::open_keys(admin.keyring.as_deref(), kind, &mut value);
    let among = Some((resources, id.as_str()));
    let warnings = validate::examine(admin, among, kind, &value).map_err(Refusal::Invalid)?;
    let now = now();
    // APISIX keeps no times with plugin metadata.
    if let Some(fields) = value.as_object_mut().filter(|_| kind != Kind::PluginMetadata) {
        let before = resources.get(kind, id.as_str()).and_then(|record| record.value.get("create_time"));
        fields.entry("create_time").or_insert_with(|| before.cloned().unwrap_or_else(|| now.clone()));
        fields.entry("update_time").or_insert(now);
    }
    secrets::seal(&admin.registry, admin.keyring.as_deref(), kind, &mut value);
    let change = Change::Put { kind, id: id.clone(), value: value.clone(), ttl: how.ttl };
    let revision = admin.store.commit(change, how.expect).await?;
    tracing::info!(resource = %kind.key(id), %revision, "resource kept");
    for warning in &warnings {
        tracing::warn!(resource = %kind.key(id), "{warning}");
    }
    Ok(Kept { value, warnings, revision })
}

/// Waits until a change is live on this node, but not for long, and tells of it what its caller should know.
pub(crate) async fn wait(admin: &Admin, kind: Kind, id: &Id, kept: &mut Kept) {
    if !wait_for(admin, kept.revision).await {
        kept.warnings.push("the change is kept, but not live on this node yet".to_owned());
    }
    let refused = admin.applied.borrow().refused.clone();
    let this = refused.iter().find(|one| one.kind == kind && one.id == *id && one.modified >= kept.revision);
    if let Some(refused) = this {
        kept.warnings.push(format!("the change is kept, but cannot be made live: {}", refused.reason));
    }
}

/// Whether a revision went live in time.
pub(crate) async fn wait_for(admin: &Admin, revision: Revision) -> bool {
    let mut applied = admin.applied.clone();
    let is_live = applied.wait_for(|applied| applied.revision >= revision);
    match tokio::time::timeout(PATIENCE, is_live).await {
        Ok(Ok(_)) => true,
        Ok(Err(_)) => admin.applied.borrow().revision >= revision,
        Err(_) => false,
    }
}

/// Refuses the times that the gateway sets itself.
pub(crate) fn refuse_times(value: &Value) -> Result<(), Refusal> {
    for (place, prefix) in
        [(Some(value), ""), (value.get("upstream"), "upstream."), (value.get("plugins"), "plugins.")]
    {
        for name in ["create_time", "update_time"] {
            if place.is_some_and(|place| place.get(name).is_some()) {
                return Err(Refusal::Invalid(format!("the property is forbidden:  {prefix}{name}")));
            }
        }
    }
    Ok(())
}

/// Writes the id into a resource, in place of what its user wrote there.
pub(crate) fn set_id(fields: &mut Map<String, Value>, id: &str) {
    fields.insert("id".to_owned(), Value::from(id));
}

pub(crate) fn now() -> Value {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Value::from(since.as_secs())
}
