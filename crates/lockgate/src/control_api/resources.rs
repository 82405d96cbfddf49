//! What users wrote, with asterisks in the place of secrets.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use lockgate_plugin::Registry;
use lockgate_resource::{Kind, Record, Resources, Upstream};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{json_response, refuse};

/// What is shown: the kind, the path of all, and the path of one. APISIX has the second in the singular.
const SHOWN: [(Kind, &str, &str); 5] = [
    (Kind::Route, "/v1/routes", "/v1/route"),
    (Kind::Service, "/v1/services", "/v1/service"),
    (Kind::Upstream, "/v1/upstreams", "/v1/upstream"),
    (Kind::Consumer, "/v1/consumers", "/v1/consumer"),
    (Kind::PluginMetadata, "/v1/plugin_metadatas", "/v1/plugin_metadata"),
];

/// Where the resources of one kind are found.
#[derive(Clone)]
struct Shelf {
    kind: Kind,
    resources: watch::Receiver<Resources>,
    registry: Arc<Registry>,
}

/// Lists and single resources of each kind that is shown.
pub(super) fn router(resources: &watch::Receiver<Resources>, registry: &Arc<Registry>) -> Router {
    SHOWN.into_iter().fold(Router::new(), |router, (kind, all, one)| {
        let shelf = Shelf { kind, resources: resources.clone(), registry: registry.clone() };
        let by_id = get(show).with_state(shelf.clone());
        let list = get(list).with_state(shelf);
        // What APISIX has in the plural alone is there in the singular too, and the other way round.
        let router = router.route(all, list.clone()).route(&format!("{all}/{{id}}"), by_id.clone());
        let router = router.route(&format!("{one}/{{id}}"), by_id);
        if kind == Kind::PluginMetadata { router.route(one, list) } else { router }
    })
}

async fn list(State(shelf): State<Shelf>) -> Response {
    let resources = shelf.resources.borrow().clone();
    let records = resources.of(shelf.kind).values();
    json_response(StatusCode::OK, &records.map(|record| shelf.shown(record)).collect())
}

async fn show(State(shelf): State<Shelf>, Path(id): Path<String>) -> Response {
    let resources = shelf.resources.borrow().clone();
    if let Some(record) = resources.get(shelf.kind, &id) {
        return json_response(StatusCode::OK, &shelf.shown(record));
    }
    let kind = shelf.kind.name().replace('_', " ");
    refuse(StatusCode::NOT_FOUND, &format!("{kind}[{id}] not found"))
}

impl Shelf {
    /// As APISIX shows a record: plugin metadata bare, everything else in an envelope.
    fn shown(&self, record: &Record) -> Value {
        let mut value = record.value.clone();
        lockgate_admin::mask(&self.registry, record.kind, &mut value);
        if self.kind == Kind::PluginMetadata {
            return value;
        }
        let has_domain = has_domain(self.kind, &value);
        json!({
            "key": record.kind.key(&record.id),
            "value": value,
            "createdIndex": record.created.0,
            "modifiedIndex": record.modified.0,
            "has_domain": has_domain,
        })
    }
}

/// Whether a node is written by its name.
fn has_domain(kind: Kind, value: &Value) -> bool {
    let upstream = if kind == Kind::Upstream { Some(value) } else { value.get("upstream") };
    let upstream = upstream.and_then(|upstream| Upstream::from_value(upstream).ok());
    upstream.is_some_and(|upstream| upstream.nodes.iter().any(|node| node.host.parse::<IpAddr>().is_err()))
}
