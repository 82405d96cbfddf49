//! Passes a request to a node, and to another when it cannot have been executed by the first.

use http::Method;
use lockgate_http::client::{SendFailure, send};
use lockgate_http::{Body, ClientError, Fault, Outgoing, Request, Response};
use lockgate_plugin::RequestContext;
use lockgate_telemetry::clock;

use crate::error::ProxyError;
use crate::snapshot::{CompiledNode, CompiledRoute, CompiledUpstream, HostRule};

/// The answer of the first node that gives one.
pub(crate) async fn forward(
    upstream: &CompiledUpstream,
    route: &CompiledRoute,
    request: &mut Request,
    cx: &mut RequestContext,
) -> Result<Response, ProxyError> {
    // Read when the request came in, and again after each plugin.
    let begun = clock::recent();
    let mut since = begun;
    let mut asked: Vec<usize> = Vec::new();
    let nodes = upstream.nodes(route.timeouts.connect).await.ok_or(ProxyError::NoNode)?;
    let key = upstream.key(request, cx);
    let mut body = std::mem::take(&mut request.body);
    cx.upstream.is_node = true;
    loop {
        let (index, node) = nodes.pick(key, &asked).ok_or(ProxyError::NoNode)?;
        cx.upstream.held = nodes.hold(index).map(|held| Box::new(held) as Box<dyn std::any::Any>);
        let is_bodiless = body.is_empty();
        let answer = ask(node, upstream, route, request, body, cx).await;
        let now = clock::now();
        cx.upstream.duration = Some(now.duration_since(begun));
        let result = answer.as_ref().map(|answer| answer.status.as_u16()).map_err(|failure| &failure.error);
        nodes.observe(index, result, now.duration_since(since), now);
        since = now;
        let failure = match answer {
            Ok(response) => return Ok(response),
            Err(failure) => *failure,
        };
        if failure.error.fault() == Fault::Upstream {
            tracing::warn!(route = cx.route_id(), node = node.peer.label(), error = %failure.error, "node failed");
        }
        asked.push(index);
        let in_time = upstream.retry_timeout.is_none_or(|limit| begun.elapsed() < limit);
        let again = (asked.len() <= nodes.retries && in_time)
            .then(|| body_for_retry(&request.method, failure.body, &failure.error, is_bodiless))
            .flatten();
        match again {
            Some(again) if nodes.pick(key, &asked).is_some() => body = again,
            _ => return Err(ProxyError::Upstream(failure.error)),
        }
    }
}

/// The body for another try; `None` when there must not be one: the request may have been executed, or its body
/// is gone. RFC 9110 §9.2.2: an idempotent request may be sent twice.
fn body_for_retry(
    method: &Method,
    unused: Option<Body>,
    error: &ClientError,
    is_bodiless: bool,
) -> Option<Body> {
    let is_closed = matches!(error, ClientError::Closed { untouched: true, .. });
    match unused {
        Some(body) if error.is_safe_to_retry() => Some(body),
        // A kept connection had closed under it, and then none could be opened.
        None if error.is_safe_to_retry() || is_closed => {
            (is_bodiless && method.is_idempotent()).then(Body::empty)
        }
        _ => None,
    }
}

async fn ask(
    node: &CompiledNode,
    upstream: &CompiledUpstream,
    route: &CompiledRoute,
    request: &Request,
    body: Body,
    cx: &mut RequestContext,
) -> Result<Response, Box<SendFailure>> {
    let answer = {
        let mut outgoing = Outgoing::forwarding(request, &cx.connection);
        outgoing.host = match &upstream.host {
            HostRule::Pass => None,
            HostRule::Node => Some(&node.host),
            HostRule::Rewrite(host) => Some(host),
        };
        outgoing.upgrade = request
            .upgrade
            .as_deref()
            .filter(|to| route.allows_websocket && to.eq_ignore_ascii_case("websocket"));
        let named = node.peer_for(request);
        send(named.as_ref().unwrap_or(&node.peer), request, body, &outgoing, &route.timeouts).await
    };
    cx.upstream.scheme = Some(if node.peer.is_tls() { "https" } else { "http" });
    cx.upstream.host = match &upstream.host {
        HostRule::Pass => None,
        HostRule::Node => Some(node.host.clone()),
        HostRule::Rewrite(host) => Some(host.clone()),
    };
    match answer {
        Ok(answer) => {
            cx.upstream.address = Some(answer.remote);
            cx.upstream.status = answer.response.status.as_u16();
            cx.keep_upstream_head(&answer.response);
            Ok(answer.response)
        }
        Err(failure) => {
            cx.upstream.address = failure.remote;
            Err(failure)
        }
    }
}
