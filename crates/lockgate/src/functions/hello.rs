//! The function that `lockgate dev` brings along: an ordinary program on AWS's own Rust runtime, within this one.

use lambda_http::{Error, Request, RequestExt, Response, service_fn};
use serde_json::Value;

/// The hidden command that runs it.
pub(crate) const COMMAND: &str = "hello-function";

/// Runs as a Lambda function until the process is ended.
pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(lambda_http::run(service_fn(hello))).map_err(|error| anyhow::anyhow!("hello: {error}"))
}

/// Says hello to `?name=`, or to the `name` of an event that is no request, in JSON.
async fn hello(request: Request) -> Result<Response<String>, Error> {
    let query = request.query_string_parameters();
    let event: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let name = query.first("name").or(event["name"].as_str()).unwrap_or("World");
    let body = serde_json::to_string(&format!("Hello, {name}!"))?;
    Ok(Response::builder().header("content-type", "application/json").body(body)?)
}
