//! Answers: what a function's payload says the client is to get.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value};

use std::task::{Context, Poll, ready};

use crate::body::{Body, Broken, Source};
use crate::invocation::{AnswerStream, Chunk};

/// What a function says its stream is, when that begins with the head of an HTTP answer.
const HTTP_ANSWER: &str = "application/vnd.awslambda.http-integration-response";
/// What ends that head.
const SEPARATOR: [u8; 8] = [0; 8];
/// The longest such head, in bytes.
const LONGEST_HEAD: usize = 64 << 10;

/// Why a payload is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Malformed {
    #[error("the function's answer is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the function's answer has no statusCode")]
    NoStatus,
    #[error("the function's answer has a statusCode that is none: {0}")]
    Status(Value),
    #[error("the body of the function's answer is neither a text nor absent")]
    Body,
    #[error("the body of the function's answer is not base64")]
    Base64,
    #[error("the function's answer broke off within its head")]
    Head,
}

/// Reads a payload. Where `infers`, anything without a `statusCode` is the body of a 200, as with format 2.0.
pub(super) fn of_payload(payload: &[u8], infers: bool) -> Result<Response<Body>, Malformed> {
    let value: Value = serde_json::from_slice(payload)?;
    if value.get("statusCode").is_none() {
        return if infers { Ok(inferred(&value, payload)) } else { Err(Malformed::NoStatus) };
    }
    let body = match value.get("body") {
        None | Some(Value::Null) => Bytes::new(),
        Some(Value::String(text)) if is_true(value.get("isBase64Encoded")) => {
            STANDARD.decode(text).map_err(|_| Malformed::Base64)?.into()
        }
        Some(Value::String(text)) => Bytes::copy_from_slice(text.as_bytes()),
        Some(_) => return Err(Malformed::Body),
    };
    let mut response = head(&value)?;
    *response.body_mut() = body.into();
    if !response.headers().contains_key(header::CONTENT_TYPE) {
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
    }
    Ok(response)
}

/// Reads a streamed answer as far as its head; the body goes on by itself.
pub(super) async fn of_stream(mut stream: AnswerStream) -> Result<Response<Body>, Malformed> {
    if stream.content_type.as_deref() != Some(HTTP_ANSWER) {
        let content_type = stream.content_type.take();
        let content_type = content_type.and_then(|text| HeaderValue::from_str(&text).ok());
        let content_type = content_type.unwrap_or(HeaderValue::from_static("application/octet-stream"));
        let mut response = Response::new(Body::Stream(Box::new(Chunks { first: Bytes::new(), stream })));
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        return Ok(response);
    }
    let mut begun = BytesMut::new();
    let end = loop {
        let at = begun.windows(SEPARATOR.len()).position(|window| window == SEPARATOR);
        if let Some(at) = at {
            break at;
        }
        match stream.chunks.recv().await {
            Some(Chunk::Data(data)) if begun.len() + data.len() <= LONGEST_HEAD => {
                begun.extend_from_slice(&data);
            }
            // A first chunk may hold the head and a long piece of the body.
            Some(Chunk::Data(data)) if begun.is_empty() => begun.extend_from_slice(&data),
            _ => return Err(Malformed::Head),
        }
        if begun.len() > LONGEST_HEAD && !begun[..LONGEST_HEAD].windows(8).any(|window| window == SEPARATOR) {
            return Err(Malformed::Head);
        }
    };
    let mut first = begun.split_off(end).freeze();
    first.advance(SEPARATOR.len());
    let mut value: Value = serde_json::from_slice(&begun)?;
    if value.get("statusCode").is_none() {
        value["statusCode"] = 200.into();
    }
    let mut response = head(&value)?;
    *response.body_mut() = Body::Stream(Box::new(Chunks { first, stream }));
    Ok(response)
}

/// The rest of a streamed answer.
struct Chunks {
    first: Bytes,
    stream: AnswerStream,
}

impl Source for Chunks {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.first))));
        }
        Poll::Ready(match ready!(self.stream.chunks.poll_recv(cx)) {
            Some(Chunk::Data(data)) => Some(Ok(data)),
            Some(Chunk::End) => None,
            Some(Chunk::Failed(failure)) => Some(Err(Broken(failure.message.to_string()))),
            None => Some(Err(Broken("the environment was lost".to_owned()))),
        })
    }
}

/// An answer that names no status: itself is the body.
fn inferred(value: &Value, payload: &[u8]) -> Response<Body> {
    let body = match value {
        Value::String(text) => Bytes::copy_from_slice(text.as_bytes()),
        _ => Bytes::copy_from_slice(payload),
    };
    super::json(StatusCode::OK, body)
}

/// Status, headers and cookies.
fn head(value: &Value) -> Result<Response<Body>, Malformed> {
    let given = &value["statusCode"];
    let number = given.as_u64().or_else(|| given.as_str()?.parse().ok());
    let status = number.and_then(|number| StatusCode::from_u16(u16::try_from(number).ok()?).ok());
    let status =
        status.filter(|status| status.as_u16() >= 200).ok_or_else(|| Malformed::Status(given.clone()))?;
    let mut response = Response::new(Body::from(Bytes::new()));
    *response.status_mut() = status;
    let empty = Map::new();
    let of = |key: &str| value.get(key).and_then(Value::as_object).unwrap_or(&empty);
    for (name, value) in of("headers") {
        put(&mut response, name, std::slice::from_ref(value));
    }
    for (name, values) in of("multiValueHeaders") {
        if let Value::Array(values) = values {
            put(&mut response, name, values);
        }
    }
    for cookie in value["cookies"].as_array().into_iter().flatten() {
        if let Some(cookie) = cookie.as_str().and_then(|text| HeaderValue::from_str(text).ok()) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    Ok(response)
}

/// Sets a header in place of what it was; what cannot be one, and what frames a message, is left out.
fn put(response: &mut Response<Body>, name: &str, values: &[Value]) {
    const OURS: [HeaderName; 5] =
        [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::TE, header::UPGRADE];
    let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { return };
    if OURS.contains(&name) || name == "keep-alive" || name == header::TRAILER {
        return;
    }
    response.headers_mut().remove(&name);
    for value in values {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => continue,
        };
        if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
            response.headers_mut().append(name.clone(), value);
        }
    }
}

fn is_true(value: Option<&Value>) -> bool {
    value.and_then(Value::as_bool).unwrap_or_default()
}
