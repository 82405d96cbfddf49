//! What an action returned, as the answer it describes: `{"statusCode", "headers", "body"}`.

use http::StatusCode;
use lockgate_http::{Body, Response};
use lockgate_plugin::Error;
use serde_json::{Map, Value};

/// The longest result that is read, in bytes; OpenWhisk's own limit is 5 MiB unless it is raised.
const LONGEST: u64 = 16 * 1024 * 1024;

/// Fields that belong to a connection or frame a message (RFC 9110 §7.6.1): they are not an action's to set.
const FRAMING: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The answer that a result describes. A result that describes none is the body of the answer.
pub(super) async fn unwrapped(mut response: Response) -> Result<Response, Error> {
    if response.body.length() == Some(0) {
        return Ok(bare(response.status));
    }
    let bytes = response
        .body
        .collect(LONGEST)
        .await
        .map_err(|error| wrong(&format!("could not be read: {error}")))?;
    let result: Value = serde_json::from_slice(&bytes).map_err(|_| wrong("is not JSON"))?;
    let Value::Object(mut result) = result else {
        return Ok(json(response.status, bytes));
    };
    let status = match result.get("statusCode") {
        None | Some(Value::Null) => response.status,
        Some(code) => status(code).ok_or_else(|| wrong(&format!("has the status code {}", shown(code))))?,
    };
    let mut answer = match result.remove("body") {
        None | Some(Value::Null) => json(status, bytes),
        Some(Value::String(text)) => Response::text(status, "text/plain; charset=utf-8", text),
        Some(other) => json(status, other.to_string()),
    };
    if let Some(Value::Object(headers)) = result.get("headers") {
        set_headers(&mut answer, headers)?;
    }
    Ok(answer)
}

/// An answer whose headers are not those of the API: they speak of the result as it was wrapped.
fn bare(status: StatusCode) -> Response {
    let mut answer = Response::new(status);
    answer.body = Body::full(bytes::Bytes::new());
    answer
}

fn json(status: StatusCode, body: impl Into<bytes::Bytes>) -> Response {
    Response::text(status, "application/json", body)
}

fn status(code: &Value) -> Option<StatusCode> {
    let code = match code {
        Value::String(text) => text.parse().ok(),
        code => code.as_u64(),
    };
    let code = code.and_then(|code| u16::try_from(code).ok()).filter(|code| (200..600).contains(code))?;
    StatusCode::from_u16(code).ok()
}

fn set_headers(answer: &mut Response, headers: &Map<String, Value>) -> Result<(), Error> {
    for (name, value) in headers {
        if FRAMING.iter().any(|framing| framing.eq_ignore_ascii_case(name)) {
            continue;
        }
        answer.headers.remove(name);
        let values = match value {
            Value::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        for value in values {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                _ => {
                    return Err(wrong(&format!(
                        "has no text as header {}",
                        shown(&Value::from(name.as_str()))
                    )));
                }
            };
            let is_set = answer.headers.append(name, text.as_bytes());
            is_set.map_err(|error| wrong(&format!("has a header that cannot be sent: {error}")))?;
        }
    }
    Ok(())
}

/// A value of an action's, short enough for an error.
fn shown(value: &Value) -> String {
    value.to_string().chars().take(40).collect()
}

fn wrong(why: &str) -> Error {
    Error { status: StatusCode::SERVICE_UNAVAILABLE, message: format!("the action's result {why}") }
}
