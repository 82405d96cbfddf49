//! The whole Admin API as an `OpenAPI` 3.1 document, made of the types that calls are read with.

mod kinds;
mod operation;
mod others;
mod schemas;

use lockgate_plugin::Registry;
use lockgate_resource::Kind;
use serde_json::{Map, Value, json};

const ABOUT: &str = "How resources are changed. It answers as Apache APISIX's Admin API does, in the envelopes of \
    version 3 (`deployment.admin.admin_api_version: v3`). Every call is made with a key.";

/// The document, with the plugins that resources may name.
pub fn openapi(registry: &Registry) -> Value {
    let mut paths = Map::new();
    for kind in Kind::ALL {
        kinds::describe(kind, &mut paths);
    }
    others::describe(&mut paths);
    let tags = Kind::ALL.map(|kind| json!({"name": kind.plural()}));
    let tags = tags.into_iter().chain(others::TAGS.map(|name| json!({"name": name})));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Lockgate Admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/apisix/admin"}],
        "security": [{"key": []}],
        "tags": tags.collect::<Value>(),
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {
                "type": "apiKey",
                "in": "header",
                "name": "X-API-KEY",
                "description": "A key of deployment.admin.admin_key. One with the role viewer may only GET.",
            }},
            "parameters": operation::parameters(),
            "responses": operation::refusals(),
            "schemas": schemas::all(registry),
        },
    })
}

/// What the document calls a kind: `PluginConfig`.
fn type_name(kind: Kind) -> String {
    let capital = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    };
    kind.name().split('_').map(capital).collect()
}
