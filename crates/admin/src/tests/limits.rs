//! What is too large, too deep or no sense at all gets a 4xx.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::harness::Api;
use crate::body::MOST;

#[tokio::test]
async fn a_large_body_is_refused_whether_or_not_its_length_is_told() {
    let api = Api::new();
    let told = api.call("PUT", "/routes/1", "x".repeat(MOST + 1)).await;
    let untold = api.call("PUT", "/routes/1", Body::new(Chunks(25))).await;
    for answer in [told, untold] {
        let expected = json!({"error_msg": "request body is larger than 1572864 bytes"});
        assert_eq!((answer.status.as_u16(), answer.json()), (413, expected));
    }
    let fits = format!("{}{}", r#"{"uri":"/a","plugins":{}}"#, " ".repeat(MOST - 25));
    assert_eq!(api.call("PUT", "/routes/1", fits).await.status.as_u16(), 201);
}

/// A body that does not tell its length.
struct Chunks(usize);

impl HttpBody for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.0.checked_sub(1).map(|left| {
            self.0 = left;
            Ok(Frame::data(Bytes::from("x".repeat(MOST / 16))))
        });
        Poll::Ready(next)
    }
}

#[tokio::test]
async fn depth_is_bounded() {
    let api = Api::new();
    let deep = "{\"plugins\":".repeat(100_000);
    let answer = api.call("PUT", "/routes/1", deep).await;
    assert_eq!(answer.status.as_u16(), 400);
    assert!(answer.json()["error_msg"].as_str().unwrap().contains("too many nested data structures"));
}

#[tokio::test]
async fn strange_methods_and_paths_are_not_found() {
    let api = Api::new();
    for (method, path) in [
        ("TRACE", "/routes/1"),
        ("PURGE", "/routes"),
        ("PUT", "/schema/routes"),
        ("GET", ""),
        ("PUT", "/status"),
    ] {
        let answer = api.call(method, path, "").await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()),
            (404, json!({"error_msg": "not found"})),
            "{method} {path}"
        );
    }
    assert_eq!(api.call("GET", "istrator", "").await.status.as_u16(), 404);
}

#[tokio::test]
async fn concurrent_changes_all_count() {
    let api = std::sync::Arc::new(Api::new());
    let posts: Vec<_> = (0..50)
        .map(|_| {
            let api = std::sync::Arc::clone(&api);
            tokio::spawn(
                async move { api.call("POST", "/routes", r#"{"uri":"/a","plugins":{}}"#).await.status },
            )
        })
        .collect();
    for post in posts {
        assert_eq!(post.await.unwrap().as_u16(), 201);
    }
    assert_eq!(api.call("GET", "/routes", "").await.json()["total"], 50);
}

fn target() -> impl Strategy<Value = (String, String)> {
    let method = proptest::sample::select(vec!["GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "HEAD"]);
    let head = proptest::sample::select(vec![
        "routes",
        "services",
        "upstreams",
        "schema",
        "schema/validate/routes",
        "configs/validate",
        "plugins",
        "status",
    ]);
    let rest = "(/[a-z0-9%.-]{0,6}){0,3}(\\?[a-z_=&0-9%]{0,20})?";
    (method, head, rest).prop_map(|(method, head, rest)| (method.to_owned(), format!("/{head}{rest}")))
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~é]{0,8}".prop_map(Value::from),
        Just(json!("/a")),
        Just(json!("zFiwEGkjgNpxScnnijHmyQ==")),
    ];
    let names = [
        "id",
        "uri",
        "uris",
        "plugins",
        "aws-lambda",
        "authorization",
        "apikey",
        "_meta",
        "filter",
        "vars",
        "upstream",
        "nodes",
        "upstream_id",
        "labels",
        "create_time",
        "function_uri",
        "cors",
        "routes",
        "tls",
        "timeout",
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        let name =
            prop_oneof![proptest::sample::select(names.to_vec()).prop_map(str::to_owned), "[a-z:.0-9]{0,6}"];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((name, inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_json_makes_a_5xx((method, path) in target(), bodies in proptest::collection::vec(anything(), 1..4)) {
        runtime().block_on(async {
            let api = Api::new();
            api.call("PUT", "/routes/1", r#"{"uri":"/a","plugins":{"cors":{}}}"#).await;
            for body in bodies {
                let answer = api.call(&method, &path, body.to_string()).await;
                assert!(answer.status.as_u16() < 500, "{method} {path} {body}: {}", answer.text);
                let answer = api.call("PATCH", "/routes/1", body.to_string()).await;
                assert!(answer.status.as_u16() < 500, "PATCH {body}: {}", answer.text);
            }
        });
    }

    #[test]
    fn no_bytes_make_a_5xx((method, path) in target(), body in proptest::collection::vec(any::<u8>(), 0..64)) {
        runtime().block_on(async {
            let answer = Api::new().call(&method, &path, body.clone()).await;
            assert!(answer.status.as_u16() < 500, "{method} {path} {body:?}: {}", answer.text);
        });
    }
}
