//! An Admin API over a store that forgets, with two plugins like those that users know.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{HeaderMap, Request, StatusCode};
use lockgate_http::resolver::Resolver;
use lockgate_plugin::{BuildContext, BuildError, Phase, Plugin, Registry, Secrets};
use lockgate_resource::{Applied, RefusedResource, Resources};
use lockgate_store::{Keyring, MemoryStore, Store};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::{Admin, AdminKey, ApiVersion, Role, router};

pub(super) const KEY: &str = "edd1c9f034335f136f87ad84b625c8f1";
pub(super) const VIEWER_KEY: &str = "4054f7cf07e344346cd3f287985e76a2";

#[derive(Deserialize, JsonSchema)]
pub(super) struct LambdaConfig {
    function_uri: String,
    #[serde(rename = "authorization")]
    _authorization: Option<Authorization>,
    #[serde(rename = "timeout")]
    #[schemars(range(min = 100))]
    _timeout: Option<u64>,
    #[serde(rename = "ssl_verify")]
    _ssl_verify: Option<bool>,
    #[serde(rename = "keepalive_pool")]
    #[schemars(range(min = 1))]
    _keepalive_pool: Option<u64>,
    #[serde(rename = "keepalive_timeout")]
    #[schemars(range(min = 1000))]
    _keepalive_timeout: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Authorization {
    #[serde(rename = "apikey")]
    #[schemars(extend("x-encrypt" = true))]
    _apikey: Option<String>,
    #[serde(rename = "iam")]
    _iam: Option<Iam>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Iam {
    #[serde(rename = "accesskey")]
    #[schemars(extend("x-encrypt" = true))]
    _accesskey: String,
    #[serde(rename = "secretkey", alias = "secret_key")]
    #[schemars(extend("x-encrypt" = true, "x-alias" = "secret_key"))]
    _secretkey: String,
}

pub(super) struct Lambda;

impl Plugin for Lambda {
    const NAME: &'static str = "aws-lambda";
    const PRIORITY: i32 = -1899;
    const PHASES: &'static [Phase] = &[Phase::Access];
    type Config = LambdaConfig;

    fn build(config: LambdaConfig, _: &BuildContext) -> Result<Self, BuildError> {
        if config.function_uri.is_empty() {
            return Err(BuildError("function_uri is empty".to_owned()));
        }
        Ok(Self)
    }
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct NoConfig {}

pub(super) struct Cors;

impl Plugin for Cors {
    const NAME: &'static str = "cors";
    const PRIORITY: i32 = 4000;
    const PHASES: &'static [Phase] = &[Phase::HeaderFilter];
    type Config = NoConfig;

    fn build(_: NoConfig, _: &BuildContext) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

struct Opener(Arc<Keyring>);

impl Secrets for Opener {
    fn open(&self, sealed: &str) -> Option<String> {
        self.0.open(sealed)
    }
}

/// An Admin API, and what stands behind it.
pub(super) struct Api {
    pub(super) router: Router,
    pub(super) store: Arc<MemoryStore>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{} is no JSON", self.text))
    }
}

/// What an Admin API of a test works with: an empty store, and nobody who waits.
pub(super) fn admin() -> Admin {
    let keyring = Arc::new(Keyring::new(&[*b"qeddd145sfvddff3"]));
    let key = |name: &str, key: &str, role| AdminKey { name: name.to_owned(), key: key.to_owned(), role };
    Admin {
        store: Arc::new(MemoryStore::default()),
        registry: Arc::new(Registry::new().with::<Lambda>().with::<Cors>()),
        build: BuildContext::new(
            Resolver::new(Handle::current(), []),
            Arc::new(Opener(Arc::clone(&keyring))),
        ),
        keyring: Some(keyring),
        applied: watch::channel(Applied::default()).1,
        keys: vec![key("admin", KEY, Role::Admin), key("viewer", VIEWER_KEY, Role::Viewer)],
        key_required: true,
        allow: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
        version: ApiVersion::V3,
        cors: true,
        loopback_hosts_only: false,
    }
}

impl Api {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    /// An API where every change is live at once.
    pub(super) fn with(change: impl FnOnce(&mut Admin)) -> Self {
        let store = Arc::new(MemoryStore::default());
        let (sender, receiver) = watch::channel(Applied::default());
        let mut newest = store.watch();
        tokio::spawn(async move {
            while newest.changed().await.is_ok() {
                let revision = newest.borrow_and_update().revision;
                sender.send_replace(Applied { revision, ..Applied::default() });
            }
        });
        Self::over(store, receiver, change)
    }

    /// An API that is told what is live by nobody but the test.
    pub(super) fn refusing(resources: Resources, refused: Vec<RefusedResource>) -> Self {
        let (_, receiver) = watch::channel(Applied {
            revision: resources.revision,
            refused: refused.into(),
            compilations: 1,
        });
        Self::over(Arc::new(MemoryStore::new(resources)), receiver, |_| {})
    }

    fn over(
        store: Arc<MemoryStore>,
        applied: watch::Receiver<Applied>,
        change: impl FnOnce(&mut Admin),
    ) -> Self {
        let mut admin = Admin { store: Arc::clone(&store) as Arc<dyn Store>, applied, ..admin() };
        change(&mut admin);
        Self { router: router(admin), store }
    }

    /// Calls as an admin.
    pub(super) async fn call(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(method).uri(format!("/apisix/admin{path}"));
        self.send(request.header("X-API-KEY", KEY).body(body.into()).unwrap()).await
    }

    /// Sends a request from 127.0.0.1, where it does not say otherwise.
    pub(super) async fn send(&self, mut request: Request<Body>) -> Answer {
        if request.extensions().get::<ConnectInfo<SocketAddr>>().is_none() {
            request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 4000))));
        }
        let response = tower::Service::call(&mut self.router.clone(), request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }
}
