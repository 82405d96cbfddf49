//! The status port: tells probes whether this node runs, and whether it is ready for requests.

use std::io;
use std::net::TcpListener;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::{StatusCode, header};
use lockgate_proxy::Phase;
use lockgate_store::Condition;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::workers::Crew;

/// What probes are told from. It knows nothing that has to be kept from anybody.
#[derive(Clone)]
pub(crate) struct StatusApi {
    /// What the program is at. Before it serves, the first configuration is live.
    pub(crate) phase: watch::Receiver<Phase>,
    /// The workers.
    pub(crate) crew: Crew,
    /// How the store is, once it is open.
    pub(crate) store: Arc<OnceLock<watch::Receiver<Condition>>>,
}

impl StatusApi {
    /// Answers probes until the program ends, on a thread of its own: they are answered while the first configuration
    /// is compiled too. Who follows a gateway that runs has its socket, so it leaves probes to that one until it
    /// serves.
    pub(crate) fn serve(self, socket: TcpListener, follows: bool) -> io::Result<()> {
        socket.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serve = async move {
            let mut phase = self.phase.clone();
            if follows {
                drop(phase.wait_for(|phase| *phase > Phase::Starting).await);
            }
            let stop = async move { drop(phase.wait_for(|phase| *phase > Phase::Serving).await) };
            match tokio::net::TcpListener::from_std(socket) {
                Ok(socket) => lockgate_admin::serve_router(socket, self.router(), stop).await,
                Err(error) => tracing::error!(%error, "probes cannot be answered"),
            }
        };
        std::thread::Builder::new().name("status".to_owned()).spawn(move || runtime.block_on(serve))?;
        Ok(())
    }

    /// Its routes, in APISIX's paths.
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/status", get(|| async { answer(StatusCode::OK, &json!({"status": "ok"})) }))
            .route("/status/ready", get(ready))
            .method_not_allowed_fallback(|| async {
                refuse(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
            })
            .fallback(|| async { refuse(StatusCode::NOT_FOUND, "not found") })
            .with_state(self)
    }

    /// Why it is not ready; `None` where it is.
    fn obstacle(&self) -> Option<String> {
        let (size, at_work) = (self.crew.size, self.crew.at_work());
        match *self.phase.borrow() {
            Phase::Starting => Some("the first configuration is not served yet".to_owned()),
            // Who has the socket now serves; only a probe that came just before is answered here.
            Phase::HandedOver => None,
            Phase::Serving if at_work == size => {
                self.store.get().and_then(|condition| condition.borrow().obstacle())
            }
            Phase::Serving => Some(format!("worker count: {size} but status report count: {at_work}")),
            Phase::Ending => Some("the program is ending".to_owned()),
        }
    }
}

async fn ready(State(api): State<StatusApi>) -> Response {
    match api.obstacle() {
        None => answer(StatusCode::OK, &json!({"status": "ok"})),
        Some(why) => answer(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "error", "error": why})),
    }
}

fn refuse(status: StatusCode, why: &str) -> Response {
    answer(status, &json!({"error_msg": why}))
}

fn answer(status: StatusCode, value: &Value) -> Response {
    let mut response = Response::new(Body::from(format!("{value}\n")));
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use http::Request;
    use lockgate_proxy::Phase;
    use lockgate_store::Condition;
    use serde_json::{Value, json};
    use std::sync::Arc;
    use tokio::sync::watch;
    use tower::ServiceExt;

    use super::StatusApi;
    use crate::workers::Crew;

    async fn ask(api: &StatusApi, path: &str) -> (u16, Value) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = api.clone().router().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1 << 16).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn it_is_ready_while_it_serves_with_all_workers() {
        let (phase, at) = watch::channel(Phase::Starting);
        let crew = Crew::new(2);
        let api = StatusApi { phase: at, crew: crew.clone(), store: Arc::default() };
        let not_ready = |why: &str| (503, json!({"status": "error", "error": why}));
        let ok = (200, json!({"status": "ok"}));
        assert_eq!(ask(&api, "/status/ready").await, not_ready("the first configuration is not served yet"));
        let first = crew.begin();
        phase.send_replace(Phase::Serving);
        assert_eq!(ask(&api, "/status/ready").await, not_ready("worker count: 2 but status report count: 1"));
        let _second = crew.begin();
        assert_eq!(ask(&api, "/status/ready").await, ok);
        let (store, condition) = watch::channel(Condition::default());
        api.store.set(condition).unwrap();
        assert_eq!(ask(&api, "/status/ready").await, not_ready("no configuration has been received yet"));
        store.send_replace(Condition { is_read: true, trouble: Some("etcd is away".to_owned()) });
        assert_eq!(ask(&api, "/status/ready").await, ok, "what was read last is served");
        drop(first);
        assert_eq!(ask(&api, "/status/ready").await.0, 503);
        phase.send_replace(Phase::HandedOver);
        assert_eq!(ask(&api, "/status/ready").await, ok);
        phase.send_replace(Phase::Ending);
        assert_eq!(ask(&api, "/status/ready").await, not_ready("the program is ending"));
        assert_eq!(ask(&api, "/status").await, ok);
    }

    #[tokio::test]
    async fn nothing_else_is_there() {
        let phase = watch::channel(Phase::Serving).1;
        let api = StatusApi { phase, crew: Crew::new(0), store: Arc::default() };
        assert_eq!(ask(&api, "/").await, (404, json!({"error_msg": "not found"})));
        assert_eq!(ask(&api, "/status/other").await.0, 404);
    }
}
