//! THE LINE: what happens to a request, top to bottom.

use http::StatusCode;
use lockgate_http::{Request, Response, path};
use lockgate_plugin::{Flow, RequestContext};

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
    let route = match find(snapshot, request, cx) {
        Ok(route) => route,
        Err(error) => return error.into_response(),
    };
    let mut response = match produce(route, request, cx).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    };
    route.pipeline.filter(request, &mut response, cx);
    response
}

/// The route that matches, and what of the path it left to its `*`.
fn find<'a>(
    snapshot: &'a Snapshot,
    request: &Request,
    cx: &mut RequestContext,
) -> Result<&'a CompiledRoute, ProxyError> {
    let normal = path::normalise(request.path()).map_err(|_| ProxyError::BadPath("path is malformed"))?;
    if let std::borrow::Cow::Owned(normal) = normal {
        cx.normal_path = Some(normal.into());
    }
    admit(&snapshot.certificates, &cx.connection, request, cx.path(request))?;
    let found = {
        let cx: &RequestContext = cx;
        let query = Query {
            path: cx.path(request),
            host: if snapshot.router.has_hosts() { request.host() } else { "" },
            method: &request.method,
            remote_addr: cx.connection.peer.ip(),
        };
        let found = snapshot.router.find(&query, |condition| condition.holds(request, cx));
        let found = found.ok_or(ProxyError::NoRoute)?;
        let params: Vec<_> =
            found.parameters(cx.path(request)).map(|(name, value)| (name.into(), value.into())).collect();
        (&**found.value, found.tail, params)
    };
    let (route, matched_prefix, params) = found;
    (cx.matched_prefix, cx.params) = (matched_prefix, params);
    cx.set_route_id(route.id.as_str());
    Ok(route)
}

async fn produce(
    route: &CompiledRoute,
    request: &mut Request,
    cx: &mut RequestContext,
) -> Result<Response, ProxyError> {
    if let Flow::Respond(response) = route.pipeline.rewrite(request, cx).await? {
        return Ok(response);
    }
    if let Flow::Respond(response) = route.pipeline.access(request, cx).await? {
        return Ok(response);
    }
    if request.is_extended_connect() && !route.allows_websocket {
        return Err(NO_WEBSOCKET);
    }
    let upstream = route.upstream.as_deref().ok_or(ProxyError::NoNode)?;
    if let Flow::Respond(response) = route.pipeline.before_proxy(request, cx).await? {
        return Ok(response);
    }
    forward(upstream, route, request, cx).await
}
