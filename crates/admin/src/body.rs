//! Reads the body of a call: bounded in size and time.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use serde_json::Value;

use crate::envelope::Refusal;
use crate::json;

/// The largest body: 1.5 MiB, as in APISIX.
pub(crate) const MOST: usize = 1024 * 1024 * 3 / 2;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much of a body that is too large is still read, in bytes, and for how long.
const DISCARDED: usize = 8 * 1024 * 1024;
const DISCARDING: Duration = Duration::from_secs(5);

/// The JSON of a body; `None` where there is no body.
pub(crate) async fn read(body: Body) -> Result<Option<Value>, Refusal> {
    let bytes = bytes(body, MOST).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    json::parse(&bytes)
        .map(Some)
        .map_err(|why| Refusal::BrokenJson { why, body: String::from_utf8_lossy(&bytes).into_owned() })
}

/// A body of so many bytes at most.
pub(crate) async fn bytes(mut body: Body, most: usize) -> Result<Vec<u8>, Refusal> {
    let collected = if body.size_hint().lower() > most as u64 {
        Err(Refusal::TooLarge(most))
    } else {
        let collected = tokio::time::timeout(PATIENCE, collect(&mut body, most)).await;
        collected.unwrap_or_else(|_| Err(Refusal::TooSlow(PATIENCE.as_secs())))
    };
    if matches!(collected, Err(Refusal::TooLarge(_))) {
        // Closing a connection with unread bytes resets it, and a client that still sends loses the answer.
        let _ = tokio::time::timeout(DISCARDING, discard(&mut body)).await;
    }
    collected
}

async fn collect(body: &mut Body, most: usize) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
        let frame = frame.map_err(|error| Refusal::Unfit(format!("failed to read request body: {error}")))?;
        let data = frame.into_data().unwrap_or_default();
        if bytes.len() + data.len() > most {
            return Err(Refusal::TooLarge(most));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

async fn discard(body: &mut Body) {
    let mut left = DISCARDED;
    while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
        let length = frame.data_ref().map_or(0, axum::body::Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
