//! Which functions there are: `ListFunctions` and `GetFunction`, as far as they make sense here.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::{Call, json};
use crate::body::Body;
use crate::description::{Program, Runtime};
use crate::pool::Pool;

/// `ListFunctions`: all of them, on one page.
pub(super) fn list(call: Call<'_>) -> Response<Body> {
    if let Err(refusal) = call.check_signature(b"") {
        return *refusal;
    }
    let functions: Vec<Value> = call.server.pools.values().map(|pool| described(pool)).collect();
    json(StatusCode::OK, json!({ "Functions": functions }).to_string())
}

/// `GetFunction`.
pub(super) fn get(call: Call<'_>, name: &str) -> Response<Body> {
    if let Err(refusal) = call.check_signature(b"") {
        return *refusal;
    }
    match call.function(name) {
        Ok(pool) => json(StatusCode::OK, json!({ "Configuration": described(pool) }).to_string()),
        Err(refusal) => *refusal,
    }
}

fn described(pool: &Pool) -> Value {
    let description = &pool.description;
    let (runtime, handler) = match &description.program {
        Program::Command(_) => ("provided", "bootstrap"),
        Program::Handler { runtime: Runtime::Python, handler } => ("python3", handler.as_str()),
        Program::Handler { runtime: Runtime::Node, handler } => ("nodejs", handler.as_str()),
    };
    json!({
        "FunctionName": description.name.as_str(),
        "FunctionArn": pool.arn,
        "Runtime": runtime,
        "Handler": handler,
        "MemorySize": description.memory,
        "Timeout": description.timeout.as_secs(),
        "Version": "$LATEST",
        "State": "Active",
        "PackageType": "Zip",
    })
}
