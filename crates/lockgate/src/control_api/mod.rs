//! The Control API: how this node does, for its operators. It has no key, so it is for loopback.

mod credentials;
mod healthcheck;
mod resources;
mod schema;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post, put};
use http::{StatusCode, header};
use lockgate_admin::is_loopback;
use lockgate_aws::credentials::CredentialCache;
use lockgate_plugin::Registry;
use lockgate_proxy::Live;
use lockgate_resource::Resources;
use serde_json::{Value, json};
use tokio::sync::watch;

/// What the Control API tells of.
pub(crate) struct ControlApi {
    /// The AWS credentials in use.
    pub(crate) credentials: Arc<CredentialCache>,
    /// What requests meet, with the health of its nodes.
    pub(crate) live: Live,
    /// What users wrote, in the newest form this node knows of.
    pub(crate) resources: watch::Receiver<Resources>,
    /// The plugins there are.
    pub(crate) registry: Arc<Registry>,
    /// Whether callers have to name this machine by a loopback name or address, so that no web page can call by
    /// pointing a name of its own here.
    pub(crate) loopback_hosts_only: bool,
}

impl ControlApi {
    /// Its routes. Further ones are added here.
    pub(crate) fn router(self) -> Router {
        let credentials = get(credentials::list).with_state(self.credentials);
        let schema = get(schema::show).with_state(self.registry.clone());
        let router = Router::new()
            .route("/v1/aws/credentials", credentials)
            .route("/v1/schema", schema)
            .merge(healthcheck::router(&self.live, &self.resources))
            .merge(resources::router(&self.resources, &self.registry))
            // Nothing is collected here and no plugin is loaded while the program runs; APISIX's tools may ask.
            .route("/v1/gc", post(|| async { Response::new(Body::empty()) }))
            .route("/v1/plugins/reload", put(|| async { Response::new(Body::from("done")) }))
            .method_not_allowed_fallback(|| async {
                refuse(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
            })
            .fallback(|| async { refuse(StatusCode::NOT_FOUND, "not found") });
        if self.loopback_hosts_only { router.layer(middleware::from_fn(from_here)) } else { router }
    }
}

async fn from_here(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    if host.is_some_and(is_loopback) {
        return next.run(request).await;
    }
    refuse(StatusCode::FORBIDDEN, "the Host is no loopback name or address")
}

fn refuse(status: StatusCode, why: &str) -> Response {
    json_response(status, &json!({"error_msg": why}))
}

fn json_response(status: StatusCode, value: &Value) -> Response {
    let mut response = Response::new(Body::from(format!("{value}\n")));
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests;
