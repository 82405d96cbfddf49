//! `aws-lambda`: what reaches the function, and what comes back.

mod credentials;
mod forwarding;
mod limits;
mod paths;
mod siblings;
mod signing;

use lockgate_tests::{FakeUpstream, Gateway, Received};
use serde_json::{Value, json};

/// Puts a route, calls it, and returns what the function received.
fn received(gateway: &Gateway, function: &FakeUpstream, uri: &str, base: &str, call: &str) -> Received {
    gateway.lambda("1", uri, at(function, base));
    let reply = gateway.get(call);
    assert_eq!(reply.status, 200, "{call}: {}", reply.text());
    function.next()
}

/// A configuration whose `function_uri` is this function and a path.
fn at(function: &FakeUpstream, path: &str) -> Value {
    json!({"function_uri": format!("http://{}{path}", function.node())})
}
