//! The Control API: how this node does, for its operators. It has no key, so it is for loopback.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use http::{StatusCode, header};
use lockgate_admin::is_loopback;
use lockgate_aws::credentials::{CredentialCache, CredentialSource, Report};
use serde_json::{Value, json};

/// What the Control API tells of.
pub(crate) struct ControlApi {
    /// The AWS credentials in use.
    pub(crate) credentials: Arc<CredentialCache>,
    /// Whether callers have to name this machine by a loopback name or address, so that no web page can call by
    /// pointing a name of its own here.
    pub(crate) loopback_hosts_only: bool,
}

impl ControlApi {
    /// Its routes. Further ones are added here.
    pub(crate) fn router(self) -> Router {
        let credentials = get(credentials).with_state(self.credentials);
        let router = Router::new()
            .route("/v1/aws/credentials", credentials)
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

async fn credentials(State(cache): State<Arc<CredentialCache>>) -> Response {
    let list: Vec<Value> = cache.reports().iter().map(|(source, report)| shown(source, report)).collect();
    json_response(StatusCode::OK, &json!({"total": list.len(), "list": list}))
}

/// A source and how it does. Times are seconds since 1970, as in the Admin API.
fn shown(source: &CredentialSource, report: &Report) -> Value {
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let is_good =
        report.refreshed.is_some() && report.expires.is_none_or(|expires| SystemTime::now() < expires);
    let last_error = report.failure.as_ref().map(|(at, failure)| {
        json!({"time": seconds(*at), "message": failure.to_string(), "failures": report.failures})
    });
    let roles: Vec<&str> = source.roles().iter().map(|role| &*role.arn).collect();
    json!({
        "source": source.origin().name(),
        "roles": roles,
        "region": source.region(),
        "is_good": is_good,
        "provider": report.provider,
        "refreshed": report.refreshed.map(seconds),
        "expires": report.expires.map(seconds),
        "next_fetch": report.next.map(seconds),
        "last_error": last_error,
    })
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
mod tests {
    use std::sync::Arc;

    use axum::body::{Body, to_bytes};
    use http::Request;
    use lockgate_aws::Credentials;
    use lockgate_aws::credentials::{CredentialCache, CredentialSource, Origin, Role};
    use lockgate_http::resolver::Resolver;
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use super::ControlApi;

    async fn call(cache: &Arc<CredentialCache>, method: &str, path: &str, host: &str) -> (u16, Value) {
        let api = ControlApi { credentials: cache.clone(), loopback_hosts_only: true };
        let request = Request::builder().method(method).uri(path).header("host", host);
        let response = api.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    fn cache() -> Arc<CredentialCache> {
        Arc::new(CredentialCache::new(Resolver::new(tokio::runtime::Handle::current(), [])))
    }

    #[tokio::test]
    async fn credentials_are_told_of_without_a_secret() {
        let cache = cache();
        let keys = Credentials::new("AKIDEXAMPLE", "hidden-secret", Some("hidden-token")).unwrap();
        let role = Role {
            arn: "arn:aws:iam::000000000000:role/r".into(),
            external_id: Some("hidden-id".into()),
            session_name: "s".into(),
            duration: None,
        };
        let source =
            CredentialSource::new(Origin::Static(keys), vec![role], "eu-west-1", Some("http://127.0.0.1:1"));
        let held = cache.provider(&source);
        held.fetched(std::time::Duration::from_secs(20)).await;
        let (status, body) = call(&cache, "GET", "/v1/aws/credentials", "localhost:9090").await;
        assert_eq!((status, &body["total"]), (200, &json!(1)));
        let entry = &body["list"][0];
        assert_eq!(entry["source"], "static");
        assert_eq!(entry["roles"], json!(["arn:aws:iam::000000000000:role/r"]));
        assert_eq!((&entry["is_good"], &entry["provider"]), (&json!(false), &Value::Null));
        let error = entry["last_error"]["message"].as_str().unwrap();
        assert!(error.starts_with("assume_role arn:aws:iam::000000000000:role/r: "), "{error}");
        assert!(!body.to_string().contains("hidden"), "{body}");
    }

    #[tokio::test]
    async fn other_paths_methods_and_hosts_are_refused() {
        let cache = cache();
        for (method, path, host, expected) in [
            ("GET", "/v1/schema", "127.0.0.1:9090", 404),
            ("POST", "/v1/aws/credentials", "127.0.0.1:9090", 405),
            ("GET", "/v1/aws/credentials", "evil.example", 403),
            ("GET", "/v1/aws/credentials", "[::1]:9090", 200),
        ] {
            let (status, body) = call(&cache, method, path, host).await;
            assert_eq!(status, expected, "{method} {path} {host}");
            assert_eq!(body["error_msg"].is_string(), expected != 200, "{body}");
        }
    }
}
