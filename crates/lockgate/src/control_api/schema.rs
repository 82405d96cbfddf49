//! The schemas of everything that can be written.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use lockgate_plugin::Registry;
use lockgate_resource::Kind;
use serde_json::{Map, Value, json};

use super::json_response;

/// `GET /v1/schema`.
pub(super) async fn show(State(registry): State<Arc<Registry>>) -> Response {
    let main: Map<String, Value> = Kind::ALL
        .into_iter()
        // What they may hold is said by the schemas of plugins and of secret managers.
        .filter(|kind| !matches!(kind, Kind::PluginMetadata | Kind::Secret))
        .map(|kind| (kind.name().to_owned(), kind.schema().as_value().clone()))
        .collect();
    let plugins: Map<String, Value> = registry
        .names()
        .into_iter()
        .filter_map(|name| {
            let plugin = registry.get(name)?;
            let mut about = json!({"version": 0.1, "priority": plugin.priority()});
            about["schema"] = plugin.schema().clone();
            if let Some(schema) = plugin.metadata_schema() {
                about["metadata_schema"] = schema.clone();
            }
            Some((name.to_owned(), about))
        })
        .collect();
    json_response(StatusCode::OK, &json!({"main": main, "plugins": plugins, "stream-plugins": {}}))
}
