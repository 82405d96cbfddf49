//! Does every reference lead somewhere, and may this be deleted?

use serde_json::Value;

use crate::{
    Consumer, ConsumerGroup, Credential, GlobalRule, Id, Kind, PluginConfig, Proto, Resources, Route, Secret,
    Service, Ssl, StreamRoute, Upstream, hash_key, schemas, secret,
};

/// The places that refer to another resource, and what they refer to.
const REFERENCES: [(&str, Kind); 6] = [
    ("/upstream_id", Kind::Upstream),
    ("/service_id", Kind::Service),
    ("/plugin_config_id", Kind::PluginConfig),
    ("/group_id", Kind::ConsumerGroup),
    ("/tls/client_cert_id", Kind::Ssl),
    ("/upstream/tls/client_cert_id", Kind::Ssl),
];

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
    let schema = match kind {
        Kind::Secret => schemas::secret_schema(secret::manager(value)).unwrap_or(kind.schema()),
        _ => kind.schema(),
    };
    // Certificates and keys may be kept elsewhere; in plugins, references are the plugins' affair.
    let checked = if kind == Kind::Ssl { schema.check_referring(value) } else { schema.check(value) };
    checked.map_err(|why| format!("invalid configuration: {why}"))?;
    match kind {
        Kind::Route => Route::from_value(value).map(drop).and_then(|()| hash_key::check(kind, value)),
        Kind::Service => Service::from_value(value).map(drop).and_then(|()| hash_key::check(kind, value)),
        Kind::Upstream => Upstream::from_value(value).map(drop).and_then(|()| hash_key::check(kind, value)),
        Kind::PluginMetadata => Ok(()),
        Kind::Ssl => Ssl::from_value(value).map(drop),
        Kind::GlobalRule => GlobalRule::from_value(value).map(drop),
        Kind::PluginConfig => PluginConfig::from_value(value).map(drop),
        Kind::Consumer => Consumer::from_value(value).map(drop),
        Kind::Credential => Credential::from_value(value).map(drop),
        Kind::ConsumerGroup => ConsumerGroup::from_value(value).map(drop),
        Kind::Secret => Secret::from_value(value).map(drop),
        Kind::Proto => Proto::from_value(value).map(drop),
        Kind::StreamRoute => StreamRoute::from_value(value).map(drop),
    }
}

/// What a resource refers to.
pub fn references(value: &Value) -> Vec<(Kind, Id)> {
    let refers = |(place, kind): (&str, Kind)| value.pointer(place).and_then(read_id).map(|id| (kind, id));
    REFERENCES.into_iter().filter_map(refers).collect()
}

/// Whether everything that a resource refers to is there, and is what it has to be. The error is in APISIX's words.
pub fn check_references(resources: &Resources, value: &Value) -> Result<(), String> {
    for (kind, id) in references(value) {
        let what = kind.words();
        let Some(record) = resources.get(kind, id.as_str()) else {
            return Err(format!("failed to fetch {what} info by {what} id [{id}], response code: 404"));
        };
        if kind == Kind::Ssl && record.value.get("type").and_then(Value::as_str) != Some("client") {
            return Err(format!("failed to fetch ssl info by ssl id [{id}], wrong ssl type"));
        }
    }
    Ok(())
}

/// Whether a resource goes with all others: what it refers to is there, and no other global rule has a plugin of
/// it. The error is in APISIX's words.
pub fn check_among(resources: &Resources, kind: Kind, id: &str, value: &Value) -> Result<(), String> {
    if refers(kind) {
        check_references(resources, value)?;
    }
    if kind == Kind::GlobalRule {
        let others = resources.of(kind).values().filter(|other| other.id.as_str() != id);
        for other in others {
            let mut names = value["plugins"].as_object().into_iter().flatten().map(|(name, _)| name);
            if let Some(name) = names.find(|name| other.value["plugins"].get(name).is_some()) {
                return Err(format!("plugin '{name}' already exists in global rule with id '{}'", other.id));
            }
        }
    }
    Ok(())
}

/// Whether the fields of a kind can refer to others; those of the rest may have such names and mean something else.
fn refers(kind: Kind) -> bool {
    !matches!(kind, Kind::PluginMetadata | Kind::Secret | Kind::Proto)
}

/// The first resource that refers to one: routes before services, each in the order of their ids.
pub fn user_of(resources: &Resources, kind: Kind, id: &str) -> Option<(Kind, Id)> {
    let names = |value: &Value| references(value).iter().any(|(to, name)| *to == kind && name.as_str() == id);
    let translates = |value: &Value| {
        let proto = value.pointer("/plugins/grpc-transcode/proto_id").filter(|_| kind == Kind::Proto);
        proto.and_then(read_id).is_some_and(|name| name.as_str() == id)
    };
    Kind::ALL.into_iter().filter(|user| refers(*user)).find_map(|user| {
        let records = resources.of(user).values();
        let found = records.into_iter().find(|record| names(&record.value) || translates(&record.value))?;
        Some((user, found.id.clone()))
    })
}

/// Whether a resource may be deleted: nobody refers to it. The error is in APISIX's words.
pub fn check_unused(resources: &Resources, kind: Kind, id: &str) -> Result<(), String> {
    let directly = if kind == Kind::Service { " directly" } else { "" };
    match user_of(resources, kind, id) {
        Some((user, name)) => Err(format!(
            "can not delete this {}{directly}, {} [{name}] is still using it now",
            kind.words(),
            user.words()
        )),
        None => Ok(()),
    }
}

/// An id as it can be written: a text or a whole number.
pub fn read_id(value: &Value) -> Option<Id> {
    serde::Deserialize::deserialize(value).ok()
}

#[cfg(test)]
mod kinds;
#[cfg(test)]
mod tests;
