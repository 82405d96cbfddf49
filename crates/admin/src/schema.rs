//! The schemas of resources and plugins, and the list of plugins.

use http::StatusCode;
use lockgate_resource::Kind;
use serde_json::{Map, Value, json};

use crate::Admin;
use crate::address::Address;
use crate::envelope::{Refusal, Reply};

/// `GET /schema/routes`, or `route`.
pub(crate) fn of_kind(name: &str) -> Result<Reply, Refusal> {
    match Kind::ALL.into_iter().find(|kind| name == kind.name() || name == kind.plural()) {
        Some(kind) => Ok(Reply::json(StatusCode::OK, kind.schema().as_value()).of_resource()),
        None => Err(Refusal::Invalid(format!("not found schema: {name}"))),
    }
}

/// `GET /plugins/list`: the names, highest priority first.
pub(crate) fn plugin_names(admin: &Admin, address: &Address) -> Result<Reply, Refusal> {
    let names = match subsystem(address)? {
        "http" => admin.registry.names(),
        _ => Vec::new(),
    };
    Ok(Reply::json(StatusCode::OK, &json!(names)))
}

/// `GET /plugins?all=true`: every plugin with its priority and schema.
pub(crate) fn plugins(admin: &Admin, address: &Address) -> Result<Reply, Refusal> {
    let subsystem = subsystem(address)?;
    if address.argument("all") != Some("true") {
        return Err(Refusal::NoSuchPlugin(subsystem.to_owned()));
    }
    let mut all = Map::new();
    for plugin in admin.registry.names().into_iter().filter_map(|name| admin.registry.get(name)) {
        if subsystem == "http" {
            let mut about = json!({"version": 0.1, "priority": plugin.priority(), "schema": plugin.schema()});
            if let Some(schema) = plugin.metadata_schema() {
                about["metadata_schema"] = schema.clone();
            }
            if let Some(schema) = plugin.consumer_schema() {
                about["type"] = json!("auth");
                about["consumer_schema"] = schema.clone();
            }
            all.insert(plugin.name().to_owned(), about);
        }
    }
    Ok(Reply::json(StatusCode::OK, &Value::Object(all)).of_resource())
}

/// `GET /plugins/NAME` and `GET /schema/plugins/NAME`: the schema of one plugin, or with `schema_type=metadata`
/// that of its metadata, or with `schema_type=consumer` that of what consumers write for it.
pub(crate) fn plugin(admin: &Admin, address: &Address, name: &str) -> Result<Reply, Refusal> {
    if address.argument("all") == Some("true") {
        return plugins(admin, address);
    }
    let subsystem = subsystem(address)?;
    let plugin = admin.registry.get(name).filter(|_| subsystem == "http");
    let plugin = plugin.ok_or_else(|| Refusal::NoSuchPlugin(subsystem.to_owned()))?;
    let schema = match address.argument("schema_type") {
        Some("metadata") => plugin.metadata_schema(),
        Some("consumer") => plugin.consumer_schema(),
        _ => Some(plugin.schema()),
    };
    let schema = schema.ok_or_else(|| Refusal::Invalid("not found schema".to_owned()))?;
    Ok(Reply::json(StatusCode::OK, schema).of_resource())
}

fn subsystem(address: &Address) -> Result<&str, Refusal> {
    match address.argument("subsystem").unwrap_or("http") {
        known @ ("http" | "stream") => Ok(known),
        other => Err(Refusal::Invalid(format!("unsupported subsystem: {other}"))),
    }
}
