//! How resources are changed: the Admin API, in APISIX's paths, envelopes and words.

mod address;
mod auth;
mod body;
mod certificates;
mod change;
mod configs;
mod consumers;
mod envelope;
pub mod json;
mod list;
mod merge;
mod openapi;
mod precondition;
mod resource;
mod schema;
mod secrets;
mod serve;
mod standalone;
mod status;
mod target;
mod tls;
mod validate;
mod wholesale;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use ipnet::IpNet;
use lockgate_plugin::{BuildContext, Registry};
use lockgate_resource::Applied;
use lockgate_store::{Keyring, StandaloneStore, Store};
use tokio::sync::{Mutex, watch};

use crate::address::Address;
use crate::envelope::{Refusal, Reply};
use crate::target::Target;

pub use auth::is_loopback;
pub use openapi::openapi;
pub use secrets::mask;
pub use serve::{serve, serve_router};
pub use wholesale::{examine_all, open_secrets, order, seal_secrets};

/// What the Admin API works with.
#[derive(Clone)]
pub struct Admin {
    /// Where resources rest.
    pub store: Arc<dyn Store>,
    /// The plugins that resources may name.
    pub registry: Arc<Registry>,
    /// What plugins may use while they are built for trial.
    pub build: BuildContext,
    /// Seals and opens secret fields. `None` leaves them as they are written.
    pub keyring: Option<Arc<Keyring>>,
    /// What is live on this node. Where its sender is gone, nobody waits.
    pub applied: watch::Receiver<Applied>,
    /// Who may call.
    pub keys: Vec<AdminKey>,
    /// Whether a caller has to show a key. Without any key in `keys`, nobody can.
    pub key_required: bool,
    /// From where calls may come. Empty is from everywhere.
    pub allow: Vec<IpNet>,
    /// What answers look like.
    pub version: ApiVersion,
    /// Whether browsers may call from any page.
    pub cors: bool,
    /// Whether the Host of a call, and its Origin where it has one, must be a loopback name or address, so that
    /// no web page from elsewhere can call, not even by pointing its own name here.
    pub loopback_hosts_only: bool,
}

/// A key that callers show.
#[derive(Clone)]
pub struct AdminKey {
    /// A name for people.
    pub name: String,
    /// The key.
    pub key: String,
    /// What its holder may do.
    pub role: Role,
}

/// What answers look like: `X-API-VERSION` names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApiVersion {
    /// As in APISIX 2: a resource stands in `node`, beside the `action`. Lists are neither filtered nor paged.
    V2,
    /// As in APISIX 3.
    #[default]
    V3,
}

/// What the holder of a key may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    #[default]
    Admin,
    /// Look: GET only.
    Viewer,
}

/// What one Admin API shares between its calls.
struct Shared {
    admin: Admin,
    /// Held from the check of a change to its commit, so that what was checked is what is changed.
    changing: Mutex<()>,
}

type Calls = Arc<Shared>;

/// The Admin API. A call has to carry `ConnectInfo<SocketAddr>` among its extensions, where `allow` is not
/// empty: `serve` adds it, and whoever calls the router directly does.
pub fn router(admin: Admin) -> Router {
    let shared = Arc::new(Shared { admin, changing: Mutex::new(()) });
    Router::new().fallback(answer).with_state(shared)
}

async fn answer(State(calls): State<Calls>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let peer = parts.extensions.get::<ConnectInfo<std::net::SocketAddr>>().map(|info| info.0.ip());
    let reply = match Address::of(&parts.uri) {
        Some(address) => call(&calls, peer, &parts, &address, body).await,
        None => Err(Refusal::NoSuchPath),
    };
    reply
        .unwrap_or_else(|refusal| refuse(&refusal, peer))
        .into_response(calls.admin.cors, calls.admin.version)
}

fn refuse(refusal: &Refusal, peer: Option<IpAddr>) -> Reply {
    match refusal {
        Refusal::Token(why) => tracing::warn!(?peer, "admin call refused: {why}"),
        Refusal::Forbidden(why) => tracing::warn!(?peer, "admin call refused: {why}"),
        Refusal::Store(error) => tracing::error!(%error, "admin call failed"),
        _ => {}
    }
    Reply::from(refusal)
}

async fn call(
    calls: &Calls,
    peer: Option<IpAddr>,
    parts: &Parts,
    address: &Address,
    body: Body,
) -> Result<Reply, Refusal> {
    let segments: Vec<&str> = address.segments.iter().map(String::as_str).collect();
    auth::admit(&calls.admin, peer, parts)?;
    if calls.admin.cors && parts.method == Method::OPTIONS {
        return Ok(Reply::preflight());
    }
    if segments.is_empty() && parts.method == Method::HEAD {
        return Ok(Reply::empty());
    }
    auth::authenticate(&calls.admin, parts, address)?;
    let by_api = calls.admin.store.standalone().filter(|store| StandaloneStore::is_by_api(store));
    if let (Some(store), ["configs"]) = (by_api, segments.as_slice()) {
        return standalone::call(calls, store, parts, body).await;
    }
    match (parts.method.as_str(), segments.as_slice()) {
        ("GET", ["plugins", "list"]) => schema::plugin_names(&calls.admin, address),
        ("PUT", ["plugins", "reload"]) => Ok(Reply::words("done").of_resource()),
        (method, ["plugins", "reload"]) => Err(Refusal::ReloadIsPut(method.to_owned())),
        ("GET", ["plugins"]) => schema::plugins(&calls.admin, address),
        ("GET", ["plugins", name] | ["schema", "plugins", name]) => {
            schema::plugin(&calls.admin, address, name)
        }
        ("POST", ["schema", "validate", kind]) => validate::schema(calls, kind, body).await,
        ("POST", ["configs", "validate"]) => configs::validate(calls, body).await,
        ("GET", ["schema", rest @ ..]) => schema::of_kind(rest.first().copied().unwrap_or_default()),
        ("GET", ["status"]) => Ok(status::show(&calls.admin)),
        ("GET", ["openapi.json"]) => Ok(Reply::json(StatusCode::OK, &openapi(&calls.admin.registry))),
        (_, [] | ["plugins" | "schema" | "configs" | "status" | "openapi.json", ..]) => {
            Err(Refusal::NoSuchMethod)
        }
        (method, segments) => {
            standalone::admit(&calls.admin, method)?;
            let target = Target::of(segments, address, &parts.headers)?;
            resource::call(calls, method, target, body).await
        }
    }
}

#[cfg(test)]
mod tests;
