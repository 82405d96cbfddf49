//! How the nodes are that are checked.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use lockgate_proxy::Live;
use lockgate_proxy::health::{NodeReport, Report, report};
use lockgate_resource::{Id, Kind, Resources};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{json_response, refuse};

/// What has upstreams, and with them checks.
const CHECKED: [Kind; 3] = [Kind::Route, Kind::Service, Kind::Upstream];

/// What is checked, and what is there.
#[derive(Clone)]
struct Ward {
    live: Live,
    resources: watch::Receiver<Resources>,
}

/// The state of all checked nodes, and that of one resource's.
pub(super) fn router(live: &Live, resources: &watch::Receiver<Resources>) -> Router {
    Router::new()
        .route("/v1/healthcheck", get(all))
        .route("/v1/healthcheck/{kind}", get(unnamed))
        .route("/v1/healthcheck/{kind}/{id}", get(one))
        .with_state(Ward { live: live.clone(), resources: resources.clone() })
}

async fn all(State(ward): State<Ward>) -> Response {
    let reports = report(&ward.live.load());
    json_response(StatusCode::OK, &reports.iter().map(shown).collect())
}

async fn unnamed(Path(kind): Path<String>) -> Response {
    refuse(StatusCode::NOT_FOUND, &format!("missing src id for src type {kind}"))
}

async fn one(State(ward): State<Ward>, Path((plural, id)): Path<(String, String)>) -> Response {
    let Some(kind) = CHECKED.into_iter().find(|kind| kind.plural() == plural) else {
        return refuse(StatusCode::BAD_REQUEST, &format!("invalid src type {plural}"));
    };
    let key = Id::of(kind, &id).map(|id| kind.key(&id)).unwrap_or_default();
    let reports = report(&ward.live.load());
    if let Some(report) = reports.iter().find(|report| report.name == key) {
        return json_response(StatusCode::OK, &shown(report));
    }
    let is_there = ward.resources.borrow().get(kind, &id).is_some();
    let why =
        if is_there { format!("no checker for {plural}[{id}]") } else { format!("{plural}[{id}] not found") };
    refuse(StatusCode::NOT_FOUND, &why)
}

fn shown(report: &Report) -> Value {
    let nodes: Vec<Value> = report.nodes.iter().map(shown_node).collect();
    json!({"name": report.name, "type": report.kind, "nodes": nodes})
}

fn shown_node(node: &NodeReport) -> Value {
    json!({
        "ip": node.ip,
        "port": node.port,
        "hostname": node.hostname,
        "status": node.status.name(),
        "counter": {
            "success": node.counter.success,
            "http_failure": node.counter.http_failure,
            "tcp_failure": node.counter.tcp_failure,
            "timeout_failure": node.counter.timeout_failure,
        },
    })
}
