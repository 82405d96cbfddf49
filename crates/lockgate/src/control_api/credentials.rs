//! The AWS credentials in use, without their secrets.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use lockgate_aws::credentials::{CredentialCache, CredentialSource, Report};
use serde_json::{Value, json};

use super::json_response;

/// `GET /v1/aws/credentials`.
pub(super) async fn list(State(cache): State<Arc<CredentialCache>>) -> Response {
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
