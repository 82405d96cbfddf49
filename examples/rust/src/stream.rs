//! A function whose answer is streamed: each part is on its way as soon as it is sent.

use std::time::Duration;

use lambda_http::lambda_runtime::streaming::{Body, channel};
use lambda_http::{Error, Request, Response, run_with_streaming_response, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run_with_streaming_response(service_fn(count)).await
}

/// Counts to three.
async fn count(_: Request) -> Result<Response<Body>, Error> {
    let (mut parts, body) = channel();
    tokio::spawn(async move {
        for number in 1..=3 {
            // A caller that left hears no more.
            if parts.send_data(format!("{number}\n").into()).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    Ok(Response::builder().header("content-type", "text/plain").body(body)?)
}
