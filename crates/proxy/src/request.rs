//! THE LINE: what happens to a request, top to bottom.

use std::borrow::Cow;

use http::StatusCode;
use lockgate_http::path::{self, Reading};
use lockgate_http::{Request, Response};
use lockgate_plugin::{Error, Flow, Pipeline, RequestContext};

use crate::admission::admit;
use crate::error::ProxyError;
use crate::router::Query;
use crate::snapshot::{CompiledRoute, Snapshot};
use crate::upstream::forward::forward;

/// An HTTP/1.1 client that may not go over gets an ordinary answer; by HTTP/2 that would be a tunnel to it.
const NO_WEBSOCKET: ProxyError =
    ProxyError::Refused { status: StatusCode::FORBIDDEN, reason: "route does not allow websocket" };

/// Answers a request. Never fails: what goes wrong becomes a response.
pub(crate) async fn handle(snapshot: &Snapshot, request: &mut Request, cx: &mut RequestContext) -> Response {
    let mut found = find(snapshot, request, cx);
    if cx.asks_content() {
        cx.read_content(request, snapshot.routing.content).await;
        found = find(snapshot, request, cx);
    }
    let route = match found {
        Ok(route) => route,
        Err(error) => return unrouted(snapshot, error, request, cx).await,
    };
    let mut response = match produce(snapshot, route, request, cx).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    };
    if let Some(global) = snapshot.global() {
        global.header_filter(request, &mut response, cx);
    }
    let merged = cx.merged.clone();
    let pipeline = merged.as_deref().unwrap_or(&route.pipeline);
    pipeline.header_filter(request, &mut response, cx);
    if let Some(global) = snapshot.global() {
        global.body_filter(request, &mut response, cx);
    }
    pipeline.body_filter(request, &mut response, cx);
    response
}

/// Answers a request that has no route: global rules see it all the same.
async fn unrouted(
    snapshot: &Snapshot,
    error: ProxyError,
    request: &mut Request,
    cx: &mut RequestContext,
) -> Response {
    let Some(global) = snapshot.global().filter(|_| matches!(error, ProxyError::NoRoute)) else {
        return error.into_response();
    };
    let mut response = match check(global, snapshot, request, cx).await {
        Ok(Flow::Respond(response)) => response,
        Ok(Flow::Continue) => error.into_response(),
        Err(failed) => ProxyError::from(failed).into_response(),
    };
    global.header_filter(request, &mut response, cx);
    global.body_filter(request, &mut response, cx);
    response
}

async fn check(
    global: &Pipeline,
    snapshot: &Snapshot,
    request: &mut Request,
    cx: &mut RequestContext,
) -> Result<Flow, Error> {
    if global.asks_content() {
        cx.read_content(request, snapshot.routing.content).await;
    }
    match global.rewrite(request, cx).await? {
        Flow::Continue => global.access(request, cx).await,
        answer @ Flow::Respond(_) => Ok(answer),
    }
}

/// The route that matches, and what of the path it left to its `*`.
fn find<'a>(
    snapshot: &'a Snapshot,
    request: &Request,
    cx: &mut RequestContext,
) -> Result<&'a CompiledRoute, ProxyError> {
    let malformed = |_| ProxyError::BadPath("path is malformed");
    let normal = path::normalise(request.path()).map_err(malformed)?;
    let paths = snapshot.routing.paths;
    let reading = if paths.is_any() { paths.read(request.path(), &normal).map_err(malformed)? } else { None };
    let reading = reading.as_ref();
    if let Some(uri) = reading.and_then(Reading::uri) {
        cx.normal_path = Some(uri.into());
    } else if let Cow::Owned(normal) = normal {
        cx.normal_path = Some(normal.into());
    }
    admit(&snapshot.certificates, &cx.connection, request, cx.path(request))?;
    let found = {
        let cx: &RequestContext = cx;
        let path = reading.map_or_else(|| cx.path(request), Reading::text);
        let query = Query {
            path,
            host: if snapshot.router.has_hosts() { request.host() } else { "" },
            method: &request.method,
            remote_addr: cx.connection.peer.ip(),
        };
        let found = snapshot.router.find(&query, |condition| condition.holds(request, cx));
        let found = found.ok_or(ProxyError::NoRoute)?;
        let params: Vec<_> =
            found.parameters(path).map(|(name, value)| (name.into(), value.into())).collect();
        (&**found.value, found.tail, params, (found.uri_index(), found.host_index()))
    };
    let (route, tail, params, matched) = found;
    // The tail is cut off what the client sent, of which only the normal reading is known to plugins.
    let tail = tail.map(|len| reading.map_or(len, |reading| reading.in_normal(len)));
    (cx.matched_prefix, cx.params) = (tail, params);
    (cx.matched_uri, cx.matched_host) = matched;
    cx.set_route_id(route.id.as_str());
    cx.route_number = route.number;
    Ok(route)
}

/// What the consumer has of plugins joins those of the route.
async fn join(
    snapshot: &Snapshot,
    route: &CompiledRoute,
    request: &mut Request,
    cx: &mut RequestContext,
) -> Result<Flow, Error> {
    let Some(consumer) = cx.consumer.clone() else { return Ok(Flow::Continue) };
    let Some(merged) = snapshot.merged(route, &consumer)? else { return Ok(Flow::Continue) };
    if merged.asks_content() {
        cx.read_content(request, snapshot.routing.content).await;
    }
    cx.merged = Some(merged.clone());
    merged.rewrite(request, cx).await
}

async fn produce(
    snapshot: &Snapshot,
    route: &CompiledRoute,
    request: &mut Request,
    cx: &mut RequestContext,
) -> Result<Response, ProxyError> {
    let global = snapshot.global();
    if route.pipeline.asks_content() || global.is_some_and(Pipeline::asks_content) {
        cx.read_content(request, snapshot.routing.content).await;
    }
    if let Some(global) = global
        && let Flow::Respond(response) = global.rewrite(request, cx).await?
    {
        return Ok(response);
    }
    if let Flow::Respond(response) = route.pipeline.rewrite(request, cx).await? {
        return Ok(response);
    }
    if cx.consumer.as_ref().is_some_and(|consumer| consumer.has_plugins)
        && let Flow::Respond(response) = join(snapshot, route, request, cx).await?
    {
        return Ok(response);
    }
    let merged = cx.merged.clone();
    let pipeline = merged.as_deref().unwrap_or(&route.pipeline);
    if let Some(global) = global
        && let Flow::Respond(response) = global.access(request, cx).await?
    {
        return Ok(response);
    }
    if let Flow::Respond(response) = pipeline.access(request, cx).await? {
        return Ok(response);
    }
    if request.is_extended_connect() && !route.allows_websocket {
        return Err(NO_WEBSOCKET);
    }
    let upstream = route.upstream.as_deref().ok_or(ProxyError::NoNode)?;
    if let Some(global) = global
        && let Flow::Respond(response) = global.before_proxy(request, cx).await?
    {
        return Ok(response);
    }
    if let Flow::Respond(response) = pipeline.before_proxy(request, cx).await? {
        return Ok(response);
    }
    forward(upstream, route, request, cx).await
}
