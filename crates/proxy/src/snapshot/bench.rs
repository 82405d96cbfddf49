//! A compiler to try resources on, with a plugin that remembers how it was built.

use std::sync::{Arc, Mutex};

use lockgate_http::peer::KeepAlive;
use lockgate_http::resolver::Resolver;
use lockgate_http::tls::server::ServerTls;
use lockgate_plugin::{
    BuildContext, BuildError, ConsumerType, MetadataType, Phase, Plugin, Registry, Secrets, Shared,
};
use lockgate_resource::{Id, Kind, Record, Resources, Revision};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tokio::runtime::Handle;

use crate::Routing;
use crate::snapshot::{Compiler, Snapshot};

/// What each build of the plugin saw.
type Seen = Mutex<Vec<Option<String>>>;

#[derive(Deserialize, JsonSchema)]
struct Words {
    greeting: Option<String>,
}

struct Greeter;

impl Plugin for Greeter {
    const NAME: &'static str = "greeter";
    const PRIORITY: i32 = 0;
    const PHASES: &'static [Phase] = &[];
    type Config = Words;

    fn metadata() -> Option<MetadataType> {
        Some(MetadataType::of::<Words>())
    }

    fn build(_: Words, cx: &BuildContext) -> Result<Self, BuildError> {
        let words: Option<Words> = cx.metadata.get(Self::NAME);
        let greeting = words.and_then(|words| words.greeting);
        if greeting.as_deref() == Some("rude") {
            return Err(BuildError("greeting is rude".to_owned()));
        }
        cx.shared.get(Seen::default).lock().unwrap().push(greeting);
        Ok(Self)
    }
}

/// One that finds out who calls.
struct Keeper;

#[derive(Deserialize, JsonSchema)]
struct Key {
    #[serde(rename = "key")]
    _key: String,
}

impl Plugin for Keeper {
    const NAME: &'static str = "keeper";
    const PRIORITY: i32 = 1;
    const PHASES: &'static [Phase] = &[];
    type Config = Words;

    fn consumer() -> Option<ConsumerType> {
        Some(ConsumerType::of::<Key>("key"))
    }

    fn build(_: Words, _: &BuildContext) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

struct Opener;

impl Secrets for Opener {
    fn open(&self, _: &str) -> Option<String> {
        None
    }
}

/// A compiler, what it made last, and what it makes it of.
pub(super) struct Bench {
    compiler: Compiler,
    pub(super) snapshot: Snapshot,
    pub(super) resources: Resources,
    shared: Arc<Shared>,
}

impl Bench {
    pub(super) fn new() -> Self {
        // Nothing is done in the background of a runtime that has ended.
        Self::on(tokio::runtime::Builder::new_current_thread().build().unwrap().handle())
    }

    /// One whose upstreams are attended to on this runtime.
    pub(super) fn on(runtime: &Handle) -> Self {
        let build = BuildContext::new(Resolver::new(runtime.clone(), []), Arc::new(Opener));
        let shared = build.shared.clone();
        let registry = Arc::new(Registry::new().with::<Greeter>().with::<Keeper>());
        let compiler = Compiler {
            registry,
            build,
            routing: Routing::default(),
            keep_alive: KeepAlive::default(),
            tls: ServerTls::default(),
        };
        Self { compiler, snapshot: Snapshot::default(), resources: Resources::default(), shared }
    }

    /// Writes a resource, as it might stand in a store, and makes it live. Answers with what was refused.
    pub(super) fn put(&mut self, kind: Kind, id: &str, value: Value) -> Vec<String> {
        let modified = Revision(self.resources.revision.0 + 1);
        let id = Id::new(id).unwrap();
        self.resources.insert(Record { kind, id, value, created: modified, modified });
        self.compile()
    }

    pub(super) fn compile(&mut self) -> Vec<String> {
        let (next, refused) = self.compiler.compile(&self.resources, &self.snapshot);
        self.snapshot = next;
        refused.into_iter().map(|refused| format!("{}: {}", refused.id, refused.reason)).collect()
    }

    /// What each build of the plugin saw since this was asked last.
    pub(super) fn seen(&self) -> Vec<Option<String>> {
        std::mem::take(&mut *self.shared.get(Seen::default).lock().unwrap())
    }
}
