//! What consumers and credentials show who they are by: well formed, and nobody else's.

use std::sync::Arc;

use lockgate_plugin::Registered;
use lockgate_resource::{Kind, Record, Resources};
use lockgate_store::Keyring;
use serde_json::Value;

use crate::Admin;

/// Checks what a consumer or a credential has for a plugin of authentication.
pub(crate) fn examine(admin: &Admin, name: &str, config: &Value) -> Result<Vec<String>, String> {
    let checked = admin.registry.credential(name, config, &*admin.build.secrets);
    checked
        .map(|_| Vec::new())
        .map_err(|why| format!("failed to check the configuration of plugin {name} err: {why}"))
}

/// Refuses a key that another consumer or credential has. A consumer and its own credentials may share one while it is
/// the consumer that is written, as in APISIX.
pub(crate) fn check_unique(
    admin: &Admin,
    resources: &Resources,
    (kind, id): (Kind, &str),
    value: &Value,
) -> Result<(), String> {
    if !matches!(kind, Kind::Consumer | Kind::Credential) {
        return Ok(());
    }
    for (name, config) in value.get("plugins").and_then(Value::as_object).into_iter().flatten() {
        let Some(field) = admin.registry.get(name).and_then(Registered::consumer_key) else { continue };
        let Some(key) = key(admin, name, config) else { continue };
        let is_self = |record: &Record| match kind {
            Kind::Consumer => record.id.as_str() == id || record.id.parent() == Some(id),
            _ => record.kind == kind && record.id.as_str() == id,
        };
        let sealed = admin.keyring.as_deref().map(|keyring| keyring.seal(&key));
        let has_older = admin.keyring.as_deref().is_some_and(Keyring::has_older);
        let has_key = |record: &&Arc<Record>| {
            let Some(other) = record.value.get("plugins").and_then(|plugins| plugins.get(name)) else {
                return false;
            };
            // The same text is sealed the same, so that a key that was sealed with our newest is told apart unopened.
            let written = other.get(field).and_then(Value::as_str);
            let is_same = written == Some(&key) || written == sealed.as_deref();
            let is_open =
                sealed.is_none() || has_older || written.is_some_and(lockgate_resource::is_reference);
            (is_same || is_open && self::key(admin, name, other).as_ref() == Some(&key)) && !is_self(record)
        };
        let kinds = [Kind::Consumer, Kind::Credential];
        let owner = kinds.into_iter().find_map(|kind| resources.of(kind).values().find(has_key));
        if let Some(owner) = owner {
            let whose = match owner.id.parent().filter(|_| owner.kind == Kind::Credential) {
                Some(consumer) => format!("credential: {} of consumer: {consumer}", owner.id.own()),
                None => format!("consumer: {}", owner.id),
            };
            return Err(format!("duplicate {field} of plugin {name} found with {whose}"));
        }
    }
    Ok(())
}

/// The key as a request would show it; `None` where a secret of a manager is not at hand.
fn key(admin: &Admin, name: &str, config: &Value) -> Option<String> {
    let field = admin.registry.get(name)?.consumer_key()?;
    let written = config.get(field)?.as_str()?;
    let secrets = &admin.build.secrets;
    let opened = secrets.open(written).unwrap_or_else(|| written.to_owned());
    match lockgate_plugin::variable(&opened, &**secrets) {
        Some(found) => found.ok(),
        None if lockgate_resource::is_reference(&opened) => None,
        None => Some(opened),
    }
}
