//! Tests of events and answers, without a process.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::event::{Facts, of_api, of_url};
use super::{answer, decode, named};
use crate::body::Body;
use crate::id::RequestId;
use crate::invocation::{AnswerStream, Chunk};

fn event(path: &str, body: &[u8], make: impl Fn(&Facts<'_>) -> Bytes) -> Value {
    let headers: HeaderMap = [
        ("host", "127.0.0.1:9070"),
        ("x-dup", "1"),
        ("x-dup", "2"),
        ("cookie", "a=1; b=2"),
        ("x-forwarded-for", "192.0.2.7"),
    ]
    .into_iter()
    .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
    .fold(HeaderMap::new(), |mut map, (name, value)| {
        map.append(name, value);
        map
    });
    let facts = Facts {
        method: "POST",
        path,
        query: "k=v%201&k=v+2&e",
        headers: &headers,
        protocol: "HTTP/1.1",
        body,
        source_ip: "127.0.0.1".to_owned(),
        host: "127.0.0.1:9070",
        function: "hello",
        id: RequestId::new(),
        trace: "Root=1-0-0",
        now: Timestamp::UNIX_EPOCH,
    };
    serde_json::from_slice(&make(&facts)).unwrap()
}

#[test]
fn a_function_url_makes_events_of_format_2() {
    let event = event("/a%20b", b"hi", of_url);
    assert_eq!((&event["version"], &event["rawPath"]), (&json!("2.0"), &json!("/a%20b")));
    assert_eq!(event["rawQueryString"], json!("k=v%201&k=v+2&e"));
    assert_eq!(event["queryStringParameters"], json!({"k": "v 1,v 2", "e": ""}));
    assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
    assert_eq!(event["headers"]["x-dup"], json!("1,2"));
    assert_eq!(event["headers"]["x-forwarded-for"], json!("192.0.2.7, 127.0.0.1"));
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("hi"), &json!(false)));
    assert_eq!(event["requestContext"]["time"], json!("01/Jan/1970:00:00:00 +0000"));
}

#[test]
fn an_api_makes_events_of_format_1() {
    let event = event("/hello/a%20b", b"\xff\x00", |facts| of_api(facts, "default"));
    assert_eq!((&event["version"], &event["path"]), (&json!("1.0"), &json!("/hello/a%20b")));
    assert_eq!(event["resource"], json!("/hello/{proxy+}"));
    assert_eq!(event["pathParameters"], json!({"proxy": "a b"}));
    assert_eq!(event["requestContext"]["path"], json!("/default/hello/a%20b"));
    assert_eq!(event["multiValueQueryStringParameters"], json!({"k": ["v 1", "v 2"], "e": [""]}));
    assert_eq!(event["queryStringParameters"]["k"], json!("v 2"));
    assert_eq!(event["multiValueHeaders"]["x-dup"], json!(["1", "2"]));
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("/wA="), &json!(true)));
}

async fn body(response: Response<Body>) -> Result<Bytes, String> {
    response
        .into_body()
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn an_answer_says_status_headers_cookies_and_body() {
    let payload = json!({
        "statusCode": "418", "headers": {"X-A": "1", "x-n": 7, "Content-Length": "9", "bad name": "x"},
        "multiValueHeaders": {"x-a": ["2", "3"]}, "cookies": ["c=1", "d=2"],
        "body": "aGk=", "isBase64Encoded": true,
    });
    let response = answer::of_payload(payload.to_string().as_bytes(), false).unwrap();
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    let all = |name: &str| -> Vec<&str> {
        response.headers().get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    };
    assert_eq!((all("x-a"), all("x-n"), all("content-length")), (vec!["2", "3"], vec!["7"], vec![]));
    assert_eq!((all("set-cookie"), all("content-type")), (vec!["c=1", "d=2"], vec!["application/json"]));
    assert_eq!(body(response).await.unwrap(), "hi");
}

#[tokio::test]
async fn without_a_status_format_2_infers_and_format_1_refuses() {
    for (payload, expected) in [(r#"{"a":1}"#, r#"{"a":1}"#), (r#""hi""#, "hi"), ("null", "null"), ("7", "7")]
    {
        let response = answer::of_payload(payload.as_bytes(), true).unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(body(response).await.unwrap(), expected);
        assert!(answer::of_payload(payload.as_bytes(), false).is_err(), "{payload}");
    }
    for wrong in ["", "{", r#"{"statusCode":99}"#, r#"{"statusCode":200,"body":{}}"#, r#"{"statusCode":"x"}"#]
    {
        assert!(answer::of_payload(wrong.as_bytes(), true).is_err(), "{wrong}");
    }
}

/// A streamed answer that came in these pieces and then ended, or broke off.
fn streamed(pieces: &[&[u8]], ends: bool) -> AnswerStream {
    let (sender, chunks) = mpsc::channel(pieces.len() + 1);
    for piece in pieces {
        sender.try_send(Chunk::Data(Bytes::copy_from_slice(piece))).unwrap();
    }
    if ends {
        sender.try_send(Chunk::End).unwrap();
    }
    let content_type = Some("application/vnd.awslambda.http-integration-response".into());
    AnswerStream { content_type, chunks }
}

#[tokio::test]
async fn the_head_of_a_streamed_answer_may_come_in_any_pieces() {
    let whole = b"{\"statusCode\":201,\"headers\":{\"x-a\":\"1\"}}\0\0\0\0\0\0\0\0body \0\0 goes on";
    for size in [1, 3, 44, 47, 100] {
        let pieces: Vec<&[u8]> = whole.chunks(size).collect();
        let response = answer::of_stream(streamed(&pieces, true)).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.headers()["x-a"].as_bytes()),
            (201, b"1".as_slice())
        );
        assert_eq!(body(response).await.unwrap(), b"body \0\0 goes on".as_slice(), "pieces of {size}");
    }
}

#[tokio::test]
async fn a_streamed_answer_that_breaks_off_is_never_taken_for_a_whole_one() {
    let response = answer::of_stream(streamed(&[b"{}\0\0\0\0\0\0\0\0half"], false)).await.unwrap();
    assert!(body(response).await.unwrap_err().contains("lost"));
    assert!(answer::of_stream(streamed(&[b"{}\0\0\0"], true)).await.is_err());
    let long = vec![b' '; 70_000];
    assert!(answer::of_stream(streamed(&[&long], true)).await.is_err());
}

#[test]
fn a_function_is_named_by_its_name_or_any_arn_of_it() {
    for text in
        ["hello", "hello:prod", "123456789012:function:hello", "arn:aws:lambda:us-east-1:1:function:hello:7"]
    {
        assert_eq!(named(text), "hello", "{text}");
    }
    assert_eq!(decode("arn%3Aaws%3Alambda"), "arn:aws:lambda");
    assert_eq!(decode("%zz%4"), "%zz%4");
}
