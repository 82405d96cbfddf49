//! Does every reference lead somewhere, and may this be deleted?

use serde_json::Value;

use crate::{Id, Kind, Resources, Route, Service, Upstream};

/// The fields that refer to another resource, and what they refer to.
const REFERENCES: [(&str, Kind); 2] = [("upstream_id", Kind::Upstream), ("service_id", Kind::Service)];

/// Whether a resource is well formed, by itself: its schema, then its type. Plugins are looked at elsewhere.
/// The error is in APISIX's words where it has them, and never shows a secret.
pub fn check(kind: Kind, value: &Value) -> Result<(), String> {
    if kind == Kind::Route {
        for (one, many) in [("host", "hosts"), ("remote_addr", "remote_addrs")] {
            if value.get(one).is_some() && value.get(many).is_some() {
                return Err(format!("only one of {one} or {many} is allowed"));
            }
        }
    }
    kind.schema().check(value).map_err(|why| format!("invalid configuration: {why}"))?;
    match kind {
        Kind::Route => Route::from_value(value).map(drop),
        Kind::Service => Service::from_value(value).map(drop),
        Kind::Upstream => Upstream::from_value(value).map(drop),
        Kind::PluginMetadata => Ok(()),
    }
}

/// What a resource refers to.
pub fn references(value: &Value) -> Vec<(Kind, Id)> {
    let refers = |(field, kind): (&str, Kind)| value.get(field).and_then(read_id).map(|id| (kind, id));
    REFERENCES.into_iter().filter_map(refers).collect()
}

/// Whether everything that a resource refers to is there. The error is in APISIX's words.
pub fn check_references(resources: &Resources, value: &Value) -> Result<(), String> {
    let missing =
        |what: &str, id: &str| format!("failed to fetch {what} info by {what} id [{id}], response code: 404");
    for (kind, id) in references(value) {
        if resources.get(kind, id.as_str()).is_none() {
            return Err(missing(kind.name(), id.as_str()));
        }
    }
    match value.get("plugin_config_id").and_then(read_id) {
        Some(id) => Err(missing("plugin config", id.as_str())),
        None => Ok(()),
    }
}

/// The first resource that refers to one: routes before services, each in the order of their ids.
pub fn user_of(resources: &Resources, kind: Kind, id: &str) -> Option<(Kind, Id)> {
    let refers =
        |value: &Value| references(value).iter().any(|(to, name)| *to == kind && name.as_str() == id);
    Kind::ALL.into_iter().find_map(|user| {
        let found = resources.of(user).values().find(|record| refers(&record.value))?;
        Some((user, found.id.clone()))
    })
}

/// Whether a resource may be deleted: nobody refers to it. The error is in APISIX's words.
pub fn check_unused(resources: &Resources, kind: Kind, id: &str) -> Result<(), String> {
    let directly = if kind == Kind::Service { " directly" } else { "" };
    match user_of(resources, kind, id) {
        Some((user, name)) => Err(format!(
            "can not delete this {}{directly}, {} [{name}] is still using it now",
            kind.name(),
            user.name()
        )),
        None => Ok(()),
    }
}

/// An id as it can be written: a text or a whole number.
pub fn read_id(value: &Value) -> Option<Id> {
    serde::Deserialize::deserialize(value).ok()
}

#[cfg(test)]
mod tests;
