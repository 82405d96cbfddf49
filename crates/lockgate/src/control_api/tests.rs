//! What the Control API tells, asked of its router.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::body::{Body, to_bytes};
use http::Request;
use lockgate_aws::Credentials;
use lockgate_aws::credentials::{CredentialCache, CredentialSource, Origin, Role};
use lockgate_http::resolver::Resolver;
use lockgate_proxy::{Live, Snapshot};
use lockgate_resource::{Id, Kind, Record, Resources, Revision};
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt;

use super::ControlApi;

async fn call(cache: &Arc<CredentialCache>, method: &str, path: &str, host: &str) -> (u16, Value) {
    let registry = Arc::new(lockgate_plugins::registry());
    let resources = watch::channel(resources()).1;
    let live: Live = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
    let credentials = cache.clone();
    let api = ControlApi { credentials, live, resources, registry, loopback_hosts_only: true };
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
        ("GET", "/v1/dragons", "127.0.0.1:9090", 404),
        ("POST", "/v1/routes", "127.0.0.1:9090", 405),
        ("GET", "/v1/routes", "evil.example:9090", 403),
        ("POST", "/v1/aws/credentials", "127.0.0.1:9090", 405),
        ("GET", "/v1/aws/credentials", "evil.example", 403),
        ("GET", "/v1/aws/credentials", "[::1]:9090", 200),
    ] {
        let (status, body) = call(&cache, method, path, host).await;
        assert_eq!(status, expected, "{method} {path} {host}");
        assert_eq!(body["error_msg"].is_string(), expected != 200, "{body}");
    }
}

fn resources() -> Resources {
    let mut resources = Resources::default();
    let mut put = |kind, id: &str, value| {
        let (id, at) = (Id::new(id).unwrap(), Revision(7));
        resources.insert(Record { kind, id, value, created: Revision(3), modified: at });
    };
    let lambda = json!({"function_uri": "https://f.example/", "authorization": {"apikey": "hidden-key"}});
    let upstream = json!({"nodes": {"api.example.com:80": 1}, "tls": {"client_key": "hidden-pem"}});
    put(Kind::Route, "1", json!({"id": "1", "uri": "/a", "plugins": {"aws-lambda": lambda}}));
    put(Kind::Upstream, "u", upstream);
    put(Kind::Service, "s", json!({"id": "s", "upstream": {"nodes": {"127.0.0.1:80": 1}}}));
    put(Kind::Consumer, "jack", json!({"username": "jack"}));
    put(Kind::PluginMetadata, "aws-lambda", json!({"id": "aws-lambda"}));
    resources
}

#[tokio::test]
async fn resources_are_shown_without_their_secrets() {
    let get = async |path: &str| call(&cache(), "GET", path, "127.0.0.1:9090").await;
    let (status, routes) = get("/v1/routes").await;
    assert_eq!(status, 200);
    let route = &routes[0];
    assert_eq!((&route["key"], &route["createdIndex"]), (&json!("/apisix/routes/1"), &json!(3)));
    assert_eq!((&route["modifiedIndex"], &route["has_domain"]), (&json!(7), &json!(false)));
    assert_eq!(route["value"]["plugins"]["aws-lambda"]["authorization"]["apikey"], "******");
    for path in ["/v1/route/1", "/v1/routes/1"] {
        assert_eq!(get(path).await, (200, route.clone()));
    }
    let (_, upstream) = get("/v1/upstream/u").await;
    assert_eq!(upstream["has_domain"], true);
    assert!(!upstream.to_string().contains("hidden"), "{upstream}");
    assert_eq!(get("/v1/services").await.1[0]["has_domain"], false);
    assert_eq!(get("/v1/consumers/jack").await.1["value"]["username"], "jack");
    for path in ["/v1/plugin_metadata", "/v1/plugin_metadatas"] {
        assert_eq!(get(path).await, (200, json!([{"id": "aws-lambda"}])));
    }
    for (path, why) in [
        ("/v1/route/2", "route[2] not found"),
        ("/v1/upstreams/1", "upstream[1] not found"),
        ("/v1/plugin_metadata/no", "plugin metadata[no] not found"),
    ] {
        assert_eq!(get(path).await, (404, json!({"error_msg": why})));
    }
}

#[tokio::test]
async fn the_schemas_of_kinds_and_plugins_are_shown() {
    let (status, schema) = call(&cache(), "GET", "/v1/schema", "127.0.0.1:9090").await;
    assert_eq!(status, 200);
    assert_eq!(schema["main"]["route"], *Kind::Route.schema().as_value());
    assert_eq!(schema["main"]["plugin_config"]["type"], "object");
    assert_eq!(schema["plugins"]["aws-lambda"]["schema"]["type"], "object");
    assert!(schema["main"].get("secret").is_none(), "the schema of a secret depends on its manager");
}

#[tokio::test]
async fn what_is_not_checked_is_told_from_what_is_not_there() {
    let get = async |path: &str| call(&cache(), "GET", path, "127.0.0.1:9090").await;
    assert_eq!(get("/v1/healthcheck").await, (200, json!([])));
    for (path, status, why) in [
        ("/v1/healthcheck/routes", 404, "missing src id for src type routes"),
        ("/v1/healthcheck/dragons/1", 400, "invalid src type dragons"),
        ("/v1/healthcheck/consumers/jack", 400, "invalid src type consumers"),
        ("/v1/healthcheck/upstreams/u", 404, "no checker for upstreams[u]"),
        ("/v1/healthcheck/upstreams/v", 404, "upstreams[v] not found"),
        ("/v1/healthcheck/upstreams/a%20b", 404, "upstreams[a b] not found"),
    ] {
        assert_eq!(get(path).await, (status, json!({"error_msg": why})), "{path}");
    }
}
