//! Reads the body of a call: bounded in size and time.

use std::time::Duration;

use axum::body::{Body, HttpBody, to_bytes};
use serde_json::Value;

use crate::envelope::Refusal;
use crate::json;

/// The largest body: 1.5 MiB, as in APISIX.
pub(crate) const MOST: usize = 1024 * 1024 * 3 / 2;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// The JSON of a body; `None` where there is no body.
pub(crate) async fn read(body: Body) -> Result<Option<Value>, Refusal> {
    if body.size_hint().lower() > MOST as u64 {
        return Err(Refusal::TooLarge(MOST));
    }
    let bytes = match tokio::time::timeout(PATIENCE, to_bytes(body, MOST)).await {
        Err(_) => return Err(Refusal::TooSlow(PATIENCE.as_secs())),
        Ok(Err(error)) if is_limit(&error) => return Err(Refusal::TooLarge(MOST)),
        Ok(Err(error)) => return Err(Refusal::Invalid(format!("failed to read request body: {error}"))),
        Ok(Ok(bytes)) => bytes,
    };
    if bytes.is_empty() {
        return Ok(None);
    }
    json::parse(&bytes).map(Some).map_err(|why| Refusal::BrokenJson {
        why,
        body: String::from_utf8_lossy(&bytes).into_owned(),
    })
}

/// The limit of `to_bytes` shows only as the innermost cause of its error.
fn is_limit(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.to_string() == "length limit exceeded" {
            return true;
        }
        cause = error.source();
    }
    false
}
