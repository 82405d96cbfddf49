//! Who may call, what the headers say, what becomes of secrets, and when an answer comes.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, StatusCode};
use lockgate_resource::{Id, Kind, Record, RefusedResource, Resources, Revision};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::harness::{Answer, Api, KEY, VIEWER_KEY, admin};
use crate::serve;

const LAMBDA: &str = r#"{"uri":"/aws","plugins":{"aws-lambda":{"function_uri":"http://x","authorization":{"apikey":"MYKEY","iam":{"accesskey":"AKIAEXAMPLE","secret_key":"SECRETEXAMPLE"}}}}}"#;

async fn with_headers(api: &Api, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(format!("/apisix/admin{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    api.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_call_needs_a_key() {
    let api = Api::new();
    let refusal = |why: &str| json!({"error_msg": "failed to check token", "description": why});
    let answer = with_headers(&api, "GET", "/routes", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (401, refusal("missing apikey")));
    for wrong in ["wrong", "", "edd1c9f034335f136f87ad84b625c8f"] {
        let answer = with_headers(&api, "GET", "/routes", &[("X-API-KEY", wrong)]).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (401, refusal("wrong apikey")));
    }
    assert_eq!(with_headers(&api, "GET", "/routes", &[("x-api-key", KEY)]).await.status, StatusCode::OK);
    assert_eq!(
        with_headers(&api, "GET", &format!("/routes?api_key={KEY}"), &[]).await.status,
        StatusCode::OK
    );
    assert_eq!(with_headers(&api, "GET", "/nosuch", &[]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(with_headers(&api, "HEAD", "", &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_viewer_may_look_and_no_more() {
    let api = Api::new();
    let key = [("X-API-KEY", VIEWER_KEY)];
    assert_eq!(with_headers(&api, "GET", "/routes", &key).await.status, StatusCode::OK);
    for method in ["PUT", "POST", "PATCH", "DELETE"] {
        let answer = with_headers(&api, method, "/routes/1", &key).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.json()["description"], "invalid method for role viewer");
    }
}

#[tokio::test]
async fn without_keys_nobody_can_call_unless_none_is_required() {
    let api = Api::with(|admin| admin.keys.clear());
    assert_eq!(
        with_headers(&api, "GET", "/routes", &[("X-API-KEY", "")]).await.status,
        StatusCode::UNAUTHORIZED
    );
    let api = Api::with(|admin| admin.key_required = false);
    assert_eq!(with_headers(&api, "GET", "/routes", &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn calls_from_elsewhere_are_refused() {
    let api = Api::new();
    for (peer, status) in [("10.0.0.1:1", 403), ("[::1]:1", 200), ("[::ffff:127.0.0.1]:1", 200)] {
        let request = Request::builder().uri("/apisix/admin/routes").header("X-API-KEY", KEY);
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        assert_eq!(api.send(request).await.status.as_u16(), status, "{peer}");
    }
}

#[tokio::test]
async fn web_pages_cannot_call_where_only_loopback_may() {
    let api = Api::with(|admin| admin.loopback_hosts_only = true);
    let cases = [
        (vec![("Host", "127.0.0.1:9080")], 200),
        (vec![("Host", "localhost")], 200),
        (vec![("Host", "[::1]:9080"), ("Origin", "http://localhost:3000")], 200),
        (vec![("Host", "evil.example:9080")], 403),
        (vec![], 403),
        (vec![("Host", "127.0.0.1"), ("Origin", "https://evil.example")], 403),
        (vec![("Host", "127.0.0.1"), ("Origin", "null")], 403),
    ];
    for (mut headers, status) in cases {
        headers.push(("X-API-KEY", KEY));
        assert_eq!(
            with_headers(&api, "GET", "/routes", &headers).await.status.as_u16(),
            status,
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn headers_are_as_recorded() {
    let api = Api::new();
    let header = |answer: &Answer, name: &str| {
        answer.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    let answer = api.call("GET", "/routes", "").await;
    assert_eq!(header(&answer, "server").unwrap(), format!("lockgate/{}", env!("CARGO_PKG_VERSION")));
    assert_eq!(header(&answer, "content-type").unwrap(), "application/json");
    assert_eq!(header(&answer, "x-api-version").unwrap(), "v3");
    assert_eq!(header(&answer, "access-control-allow-origin").unwrap(), "*");
    assert_eq!(header(&answer, "access-control-expose-headers").unwrap(), "*");
    for (method, path, body) in [
        ("GET", "/nosuch", ""),
        ("PUT", "/routes/1", "{"),
        ("GET", "/plugins/list", ""),
        ("POST", "/schema/validate/routes", "{}"),
    ] {
        assert_eq!(header(&api.call(method, path, body).await, "x-api-version"), None, "{path}");
    }
    let answer = with_headers(&api, "OPTIONS", "/routes/1", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
    assert_eq!(header(&answer, "content-type").unwrap(), "text/plain");
    let methods = header(&answer, "access-control-allow-methods").unwrap();
    assert_eq!(methods, "POST, GET, PUT, OPTIONS, DELETE, PATCH");
    let api = Api::with(|admin| admin.cors = false);
    assert_eq!(header(&api.call("GET", "/routes", "").await, "access-control-allow-origin"), None);
    assert_eq!(api.call("OPTIONS", "/routes/1", "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn secrets_are_sealed_at_rest_and_opened_for_readers() {
    let api = Api::new();
    let sealed = json!({"apikey": "zFiwEGkjgNpxScnnijHmyQ==",
        "iam": {"accesskey": "NnMqbwQWH3Lvd1tER4Ztiw==", "secret_key": "cw6J74s+/gaWNGU4zTtiBg=="}});
    let opened =
        json!({"apikey": "MYKEY", "iam": {"accesskey": "AKIAEXAMPLE", "secret_key": "SECRETEXAMPLE"}});
    let authorization = |answer: &Value| answer["value"]["plugins"]["aws-lambda"]["authorization"].clone();
    assert_eq!(authorization(&api.call("PUT", "/routes/1", LAMBDA).await.json()), sealed);
    assert_eq!(authorization(&api.call("GET", "/routes/1", "").await.json()), opened);
    assert_eq!(authorization(&api.call("GET", "/routes", "").await.json()["list"][0]), opened);
    let answer = api.call("PATCH", "/routes/1", r#"{"name":"n"}"#).await;
    assert_eq!(authorization(&answer.json()), sealed, "a patch must not seal twice");
    let path = "/routes/1/plugins/aws-lambda/authorization/apikey";
    assert_eq!(api.call("PATCH", path, r#""OTHER""#).await.status, StatusCode::OK);
    assert_eq!(authorization(&api.call("GET", "/routes/1", "").await.json())["apikey"], "OTHER");
    let stored =
        lockgate_store::Store::watch(&*api.store).borrow().get(Kind::Route, "1").unwrap().value.to_string();
    assert!(
        !["OTHER", "AKIAEXAMPLE", "SECRETEXAMPLE"].iter().any(|secret| stored.contains(secret)),
        "{stored}"
    );
}

#[tokio::test]
async fn a_change_can_insist_on_what_was_seen() {
    let api = Api::new();
    let tag = |answer: &Answer| answer.headers["etag"].to_str().unwrap().to_owned();
    let first = tag(&api.call("PUT", "/routes/1", r#"{"uri":"/a","plugins":{}}"#).await);
    assert_eq!(tag(&api.call("GET", "/routes/1", "").await), first);
    let change = async |method: &str, tag: &str, body: &'static str| {
        let request = Request::builder().method(method).uri("/apisix/admin/routes/1");
        let request = request.header("X-API-KEY", KEY).header("If-Match", tag);
        api.send(request.body(Body::from(body)).unwrap()).await
    };
    let second = tag(&change("PATCH", &first, r#"{"name":"n"}"#).await);
    assert_ne!(second, first);
    for method in ["PUT", "PATCH", "DELETE"] {
        let answer = change(method, &first, r#"{"uri":"/b","plugins":{}}"#).await;
        assert_eq!(answer.status, StatusCode::PRECONDITION_FAILED, "{method}");
    }
    assert_eq!(change("PUT", &second, r#"{"uri":"/b","plugins":{}}"#).await.status, StatusCode::OK);
    assert_eq!(change("DELETE", "*", "").await.status, StatusCode::OK);
    assert_eq!(
        change("PUT", "*", r#"{"uri":"/b","plugins":{}}"#).await.status,
        StatusCode::PRECONDITION_FAILED
    );
}

#[tokio::test]
async fn times_are_kept_and_renewed() {
    let api = Api::new();
    let first = api.call("PUT", "/routes/1", r#"{"uri":"/a","plugins":{}}"#).await.json()["value"].clone();
    let patched =
        api.call("PATCH", "/routes/1", r#"{"create_time":5,"update_time":6}"#).await.json()["value"].clone();
    assert_eq!((patched["create_time"].as_u64(), patched["update_time"].as_u64()), (Some(5), Some(6)));
    let again = api.call("PUT", "/routes/1", r#"{"uri":"/b","plugins":{}}"#).await.json()["value"].clone();
    assert_eq!(again["create_time"], 5);
    assert!(again["update_time"].as_u64() >= first["update_time"].as_u64());
    let patched = api.call("PATCH", "/routes/1/uri", r#""/c""#).await.json()["value"].clone();
    assert!(patched["update_time"].as_u64() >= again["update_time"].as_u64());
}

#[tokio::test]
async fn an_answer_waits_for_its_change_but_not_for_ever() {
    let api = Api::with(|admin| {
        let (sender, receiver) = tokio::sync::watch::channel(lockgate_resource::Applied::default());
        admin.applied = receiver;
        tokio::spawn(async move { sender.closed().await });
    });
    let answer = api.call("PUT", "/routes/1", r#"{"uri":"/a","plugins":{}}"#).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.json()["warnings"], json!(["the change is kept, but not live on this node yet"]));
}

fn refused(modified: u64) -> RefusedResource {
    let id = Id::new("1").unwrap();
    RefusedResource {
        kind: Kind::Route,
        id,
        modified: Revision(modified),
        reason: "no such thing".to_owned(),
    }
}

#[tokio::test]
async fn what_cannot_be_made_live_is_told_of() {
    let mut resources = Resources::default();
    let (id, modified) = (Id::new("1").unwrap(), Revision(7));
    let value = json!({"uri": "/a", "plugins": {}});
    resources.insert(Record { kind: Kind::Route, id, value, created: modified, modified });
    let api = Api::refusing(resources.clone(), vec![refused(7)]);
    let status = api.call("GET", "/status", "").await.json();
    assert_eq!((&status["revision"], &status["live"]), (&json!(7), &json!(7)));
    let expected = json!([{"key": "/apisix/routes/1", "modifiedIndex": 7, "reason": "no such thing"}]);
    assert_eq!(status["refused"], expected);
    let api = Api::refusing(resources, vec![refused(8)]);
    let answer = api.call("PUT", "/routes/1", r#"{"uri":"/b","plugins":{}}"#).await.json();
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("the change is kept, but cannot be made live: no such thing"), "{warnings}");
}

#[tokio::test]
async fn schemas_and_plugins_are_shown() {
    let api = Api::new();
    let routes = api.call("GET", "/schema/routes", "").await.json();
    assert_eq!(routes["additionalProperties"], false);
    for (one, many) in [("route", "routes"), ("service", "services"), ("upstream", "upstreams")] {
        let one = api.call("GET", &format!("/schema/{one}"), "").await.json();
        assert_eq!(one, api.call("GET", &format!("/schema/{many}"), "").await.json());
    }
    let lambda = api.call("GET", "/schema/plugins/aws-lambda", "").await.json();
    assert_eq!(lambda["required"], json!(["function_uri"]));
    assert_eq!(lambda, api.call("GET", "/plugins/aws-lambda", "").await.json());
    let all = api.call("GET", "/plugins?all=true", "").await.json();
    assert_eq!(all["aws-lambda"], json!({"version": 0.1, "priority": -1899, "schema": lambda}));
    assert_eq!(api.call("GET", "/plugins/list?subsystem=stream", "").await.json(), json!([]));
    let answer = api.call("GET", "/plugins/list?subsystem=x", "").await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()),
        (400, json!({"error_msg": "unsupported subsystem: x"}))
    );
}

#[tokio::test]
async fn a_listener_is_served_until_it_is_told_to_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(serve(listener, admin(), None, async { drop(stopped.await) }));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET /apisix/admin/routes?api_key={KEY} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(r#"{"list":[],"total":0}"#),
        "{answer}"
    );
    let idle = TcpStream::connect(address).await.unwrap();
    stop.send(()).unwrap();
    serving.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    drop(idle);
}

#[tokio::test]
async fn a_method_that_is_not_there_is_refused_with_those_that_are() {
    let api = Api::new();
    for (method, path, allowed) in [
        ("PATCH", "/consumers/joe", "GET, PUT, DELETE"),
        ("POST", "/global_rules", "GET, PUT, PATCH, DELETE"),
        ("GET", "/plugins/reload", "PUT"),
    ] {
        let answer = api.call(method, path, "").await;
        assert_eq!(
            (answer.status.as_u16(), answer.headers["allow"].to_str().unwrap()),
            (405, allowed),
            "{path}"
        );
    }
}
