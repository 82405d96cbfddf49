//! The export server: shows Prometheus what was counted. It has no key, and nothing in it is secret.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderValue, Method, StatusCode, header};
use hyper::body::Frame;
use lockgate_plugin::Variable;
use lockgate_proxy::Live;
use lockgate_proxy::health::{Report, Status, report};
use lockgate_resource::{Kind, Resources};
use lockgate_store::{Condition, Store};
use lockgate_telemetry::metric::{Exposition, Gauge, Labels, Metric, Metrics};
use serde_json::json;
use tokio::sync::watch;

use crate::settings::{Provider, Settings};

/// How the text says what it is.
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
/// The kinds whose newest revisions are shown, by the names that APISIX has for them.
const KINDS: [(&str, Kind); 8] = [
    ("consumers", Kind::Consumer),
    ("global_rules", Kind::GlobalRule),
    ("protos", Kind::Proto),
    ("routes", Kind::Route),
    ("services", Kind::Service),
    ("ssls", Kind::Ssl),
    ("stream_routes", Kind::StreamRoute),
    ("upstreams", Kind::Upstream),
];

/// What the export server tells of.
#[derive(Clone)]
pub(crate) struct MetricsApi {
    /// The one path it answers.
    pub(crate) path: Arc<str>,
    /// What was counted.
    pub(crate) metrics: Arc<Metrics>,
    /// What requests meet, with the health of its nodes.
    pub(crate) live: Live,
    /// What users wrote, in the newest form this node knows of.
    pub(crate) resources: watch::Receiver<Resources>,
    /// How etcd is, where resources are kept there.
    pub(crate) etcd: Option<watch::Receiver<Condition>>,
}

impl MetricsApi {
    /// As the settings have it.
    pub(crate) fn new(settings: &Settings, metrics: Arc<Metrics>, live: &Live, store: &dyn Store) -> Self {
        let is_etcd = matches!(settings.deployment.provider, Provider::Etcd(_));
        Self {
            path: settings.metrics.export_uri.as_str().into(),
            metrics,
            live: live.clone(),
            resources: store.watch(),
            etcd: is_etcd.then(|| store.condition()),
        }
    }

    /// Its one route.
    pub(crate) fn router(self) -> Router {
        Router::new().fallback(show).with_state(self)
    }

    /// What nobody counts while requests pass.
    fn gauges(&self) -> Vec<Gauge> {
        let mut gauges = vec![node_info(), revisions(&self.resources.borrow())];
        if let Some(etcd) = &self.etcd {
            let is_well = etcd.borrow().trouble.is_none();
            gauges.push(Gauge::plain(Metric::ETCD_REACHABLE, u64::from(is_well)));
        }
        gauges.push(health(&report(&self.live.load())));
        gauges
    }
}

async fn show(State(api): State<MetricsApi>, request: Request) -> Response {
    if request.uri().path() != &*api.path {
        return refuse(StatusCode::NOT_FOUND, "not found");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
    }
    let text = api.metrics.exposition(api.gauges());
    let mut response = Response::new(Body::new(Text(text)));
    response.headers_mut().insert(header::CONTENT_TYPE, CONTENT_TYPE);
    response
}

fn refuse(status: StatusCode, why: &str) -> Response {
    let mut response = Response::new(Body::from(format!("{}\n", json!({"error_msg": why}))));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn node_info() -> Gauge {
    let hostname = match Variable::parse("hostname") {
        Some(Variable::Constant(name)) => name.into_string(),
        _ => String::new(),
    };
    let labels = Labels::new().with("hostname", &hostname).with("version", env!("CARGO_PKG_VERSION"));
    Gauge { metric: Metric::NODE_INFO, values: vec![(labels, 1)] }
}

fn revisions(resources: &Resources) -> Gauge {
    let newest = |kind| resources.of(kind).values().map(|record| record.modified.0).max().unwrap_or(0);
    let mut all: Vec<(&str, u64)> = KINDS.iter().map(|(name, kind)| (*name, newest(*kind))).collect();
    all.push(("max_modify_index", all.iter().map(|(_, revision)| *revision).max().unwrap_or(0)));
    all.extend(["prev_index", "x_etcd_index"].map(|name| (name, resources.revision.0)));
    let values = all.into_iter().map(|(name, revision)| (Labels::new().with("key", name), revision));
    Gauge { metric: Metric::ETCD_MODIFY_INDEXES, values: values.collect() }
}

fn health(reports: &[Report]) -> Gauge {
    let nodes = reports.iter().flat_map(|report| report.nodes.iter().map(|node| (&*report.name, node)));
    let values = nodes.map(|(name, node)| {
        let labels = Labels::new().with("name", name).with("ip", &node.ip);
        let is_well = matches!(node.status, Status::Healthy | Status::MostlyHealthy);
        (labels.with("port", &node.port.to_string()), u64::from(is_well))
    });
    Gauge { metric: Metric::UPSTREAM_STATUS, values: values.collect() }
}

/// The text as a body: a piece of it is made when the one before has been taken.
struct Text(Exposition);

impl hyper::body::Body for Text {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|piece| Ok(Frame::data(piece.into()))))
    }
}
