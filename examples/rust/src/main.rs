//! A function behind a URL or an API: says hello.

use lambda_http::{Error, Request, RequestExt, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(hello)).await
}

/// Says hello to `?name=`, in JSON.
async fn hello(request: Request) -> Result<Response<String>, Error> {
    let query = request.query_string_parameters();
    let name = query.first("name").unwrap_or("World");
    let body = serde_json::to_string(&format!("Hello, {name}!"))?;
    Ok(Response::builder().header("content-type", "application/json").body(body)?)
}
