//! Opens the rooms and connects them: the only file that knows everybody.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;
use lockgate_admin::{Admin, AdminKey, Role};
use lockgate_aws::credentials::CredentialCache;
use lockgate_http::peer::KeepAlive;
use lockgate_http::resolver::Resolver;
use lockgate_plugin::{BuildContext, Secrets, Variable};
use lockgate_proxy::discovery::{Discovery, Dns};
use lockgate_proxy::{Compiler, Live, Phase, Snapshot};
use lockgate_resource::{Applied, Id, Kind, Record, Resources, Revision};
use lockgate_secret::Keeper;
use lockgate_store::{Check, Keyring, Store};
use lockgate_telemetry::access_log::{AccessLog, Escape, Template};
use lockgate_telemetry::metric::Metrics;
use rustls::ServerConfig;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::admin_key::AdminKeys;
use crate::admin_tls;
use crate::banner::Banner;
use crate::control_api::ControlApi;
use crate::event::{Events, Giving};
use crate::functions;
use crate::handover::{Predecessor, Program};
use crate::listen::Sockets;
use crate::metrics_api::MetricsApi;
use crate::reload::Reload;
use crate::secrets::Referred;
use crate::settings::{self, Settings};
use crate::signal::Ending;
use crate::status_api::StatusApi;
use crate::store::Kept;
use crate::workers::{self, Crew};

/// How long calls of functions that did not come through a route may go on when the program ends.
const FUNCTIONS_GRACE: Duration = Duration::from_secs(5);

/// How the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// For real.
    Run,
    /// For trying out: loopback only, the Admin API also on the data plane's port.
    Dev,
}

/// What `run` starts with.
pub(crate) struct Start<'a> {
    /// What is fixed from now on.
    pub(crate) settings: &'a Settings,
    /// Where the store and the keys are kept.
    pub(crate) data_dir: &'a Path,
    /// How to run.
    pub(crate) mode: Mode,
    /// The program as it was called.
    pub(crate) program: Program,
    /// The gateway that runs already, where this one is to follow it.
    pub(crate) predecessor: Option<&'a Predecessor>,
}

/// Runs the gateway until it is told to end, or has handed over to the next one, and until what was under way has
/// ended.
pub(crate) fn run(start: &Start<'_>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(start))
}

async fn serve(start: &Start<'_>) -> anyhow::Result<()> {
    let &Start { settings, data_dir, mode, predecessor, .. } = start;
    let mut events = Events::watch()?;
    prepare(data_dir)?;
    let keys = admin_keys(settings, data_dir, mode)?;
    // The data plane, by which `lockgate dev` has the Admin API too, calls it in plain HTTP.
    let by_https = settings.admin.tls.as_ref().filter(|_| mode == Mode::Run);
    let tls = by_https.map(admin_tls::config).transpose()?;
    let taken = predecessor.map(Predecessor::sockets).transpose()?.unwrap_or_default();
    let sockets = Sockets::open(settings, taken)?;
    let (bound, admin_at) = (sockets.proxy_addresses()?, sockets.admin_address()?);
    let functions = functions::start(&settings.functions, sockets.functions()?, data_dir, mode)?;
    let (phase, at) = watch::channel(Phase::Starting);
    let crew = Crew::new(settings.workers.count().get());
    let condition = Arc::default();
    let probes = StatusApi { phase: at.clone(), crew: crew.clone(), store: Arc::clone(&condition) };
    answer_probes(&sockets, probes, predecessor.is_some())?;
    predecessor.map(Predecessor::close_store).transpose()?;
    let kept = Kept::open(settings, data_dir, predecessor.is_some()).await?;
    let store = kept.store();
    let control = control(settings, data_dir, admin_at.filter(|_| mode == Mode::Dev))?;
    let admin = admin_state(settings, keys.as_ref(), mode, store.clone(), &control);
    kept.begin(|| check(&admin));
    let _ = condition.set(store.condition());
    let mut changes = store.watch();
    let first = changes.borrow_and_update().clone();
    control.reload.begin(first).await;
    let log = access_log(settings)?;
    let workers = workers::start(settings, &sockets, control.for_workers(), log.as_ref(), &at, &crew)?;
    predecessor.map(Predecessor::wait_to_begin).transpose()?;
    phase.send_replace(Phase::Serving);
    let apis = serve_apis(settings, &sockets, admin, tls, &control, &at)?;
    let reload = tokio::spawn(control.reload.run(changes));
    events.listen(data_dir);
    match predecessor {
        Some(predecessor) => {
            tracing::warn!("took over from process {}", predecessor.id());
            predecessor.begun();
        }
        None => show(&Banner {
            listeners: &bound,
            https: &sockets.https_addresses()?,
            admin: admin_at.zip(keys.as_ref()),
            is_admin_https: settings.admin.tls.is_some() && mode == Mode::Run,
            data_dir,
            functions: functions.as_ref().map(|running| (running.address(), &settings.functions)),
            makes_routes: settings.serves_requests() && store.standalone().is_none(),
        }),
    }
    let giving = Giving { program: &start.program, sockets: &sockets, store: &kept, phase: &phase };
    let is_followed = events.attend(&giving, log.as_ref().map(|(log, _)| log)).await;
    drop(sockets);
    tell(is_followed, functions.as_ref(), &phase);
    drain(workers, &phase, is_followed.then_some(&mut events.ending)).await?;
    reload.abort();
    for api in apis {
        api.await?;
    }
    // Nobody waits for a process that is followed: calls of its functions have the time that its requests have.
    let grace = if is_followed { settings.shutdown_timeout } else { FUNCTIONS_GRACE };
    end(functions, grace).await
}

/// Says that this process is about to end, or that another one has taken over.
fn tell(is_followed: bool, functions: Option<&lockgate_function::Running>, phase: &watch::Sender<Phase>) {
    if is_followed {
        tracing::warn!("handed over: connections of this process end when their clients are done");
        if let Some(functions) = functions {
            functions.hand_over();
        }
    } else {
        tracing::info!("ending: requests in flight finish first");
        phase.send_replace(Phase::Ending);
    }
}

async fn end(functions: Option<lockgate_function::Running>, grace: Duration) -> anyhow::Result<()> {
    tokio::task::spawn_blocking(move || functions.map(|functions| functions.stop(grace))).await?;
    Ok(())
}

/// What looks at resources, seals and opens them, without a gateway that runs.
pub(crate) fn offline(settings: &Settings, data_dir: &Path, store: Arc<dyn Store>) -> anyhow::Result<Admin> {
    let control = control(settings, data_dir, None)?;
    Ok(admin_state(settings, None, Mode::Run, store, &control))
}

/// Answers probes, where that is asked for.
fn answer_probes(sockets: &Sockets, probes: StatusApi, follows: bool) -> io::Result<()> {
    sockets.status()?.map_or(Ok(()), |socket| probes.serve(socket, follows))
}

/// Who may use the Admin API, where there is one.
fn admin_keys(settings: &Settings, data_dir: &Path, mode: Mode) -> anyhow::Result<Option<AdminKeys>> {
    Ok(match mode {
        _ if !settings.serves_admin() => None,
        Mode::Run => Some(AdminKeys::find(&settings.admin, |name| std::env::var(name).ok(), data_dir)?),
        Mode::Dev => Some(AdminKeys::dev()),
    })
}

/// Looks at what a file of resources says.
pub(crate) fn check(admin: &Admin) -> Box<Check> {
    let admin = admin.clone();
    Box::new(move |items, held| lockgate_admin::examine_all(&admin, items, Resources::default(), held))
}

/// Waits for the workers to be done. Told to end by `hurry`, they give connections less time.
async fn drain(
    workers: Vec<std::thread::JoinHandle<io::Result<()>>>,
    phase: &watch::Sender<Phase>,
    hurry: Option<&mut Ending>,
) -> anyhow::Result<()> {
    let mut joining = tokio::task::spawn_blocking(move || workers::join(workers));
    if let Some(ending) = hurry {
        tokio::select! {
            joined = &mut joining => return joined?,
            () = ending.wait() => phase.send_replace(Phase::Ending),
        };
    }
    joining.await?
}

/// Serves the Admin API, and the Control API and metrics where they are on, until the workers are told to end.
fn serve_apis(
    settings: &Settings,
    sockets: &Sockets,
    admin: Admin,
    tls: Option<Arc<ServerConfig>>,
    control: &Control,
    phase: &watch::Receiver<Phase>,
) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let stop = || {
        let mut phase = phase.clone();
        async move { drop(phase.wait_for(|phase| *phase > Phase::Serving).await) }
    };
    let mut apis = Vec::new();
    if let Some(socket) = sockets.control()? {
        let resolver = admin.build.resolver.clone();
        let api = ControlApi {
            credentials: admin.build.shared.get(|| CredentialCache::new(resolver)),
            live: control.live.clone(),
            resources: admin.store.watch(),
            registry: admin.registry.clone(),
            loopback_hosts_only: socket.local_addr()?.ip().is_loopback(),
        };
        apis.push(tokio::spawn(lockgate_admin::serve_router(socket, api.router(), stop())));
    }
    if let Some(socket) = sockets.metrics()? {
        let api = MetricsApi::new(settings, control.metrics.clone(), &control.live, &*admin.store);
        apis.push(tokio::spawn(lockgate_admin::serve_router(socket, api.router(), stop())));
    }
    if let Some(socket) = sockets.admin()? {
        apis.push(tokio::spawn(lockgate_admin::serve(socket, admin, tls, stop())));
    }
    Ok(apis)
}

/// What the control plane works with.
struct Control {
    reload: Reload,
    live: Live,
    metrics: Arc<Metrics>,
    applied: watch::Receiver<Applied>,
    keyring: Option<Arc<Keyring>>,
}

impl Control {
    /// What workers read, and what they count in.
    fn for_workers(&self) -> (&Live, &Metrics) {
        (&self.live, &self.metrics)
    }
}

/// Gets ready to compile. Where the Admin API is to be on the data plane's port too, `admin_at` is where it is.
fn control(settings: &Settings, data_dir: &Path, admin_at: Option<SocketAddr>) -> anyhow::Result<Control> {
    let keyring = keyring(settings, data_dir)?;
    let pinned = settings.resolve.iter().map(settings::Resolve::pin);
    let resolver = Resolver::new(tokio::runtime::Handle::current(), pinned);
    let secrets = Keeper::new(resolver.clone(), settings.secrets);
    let mut build = BuildContext::new(resolver, Arc::new(Vault(keyring.clone())));
    build.negotiates_http2 = settings.negotiate_http2;
    let discovery = discovery(settings)?;
    build.shared.get(|| discovery);
    let metrics = build.shared.get(|| Metrics::new(settings.metrics.counted.clone()));
    let keep_alive = KeepAlive {
        connections: settings.upstream.keepalive,
        timeout: settings.upstream.keepalive_timeout,
        requests: u32::try_from(settings.upstream.keepalive_requests).unwrap_or(u32::MAX),
    };
    trust(&settings.ssl)?;
    let tls = settings.ssl.server();
    let registry = Arc::new(lockgate_plugins::registry());
    let compiler = Arc::new(Compiler { registry, build, routing: settings.routing, keep_alive, tls });
    let live: Live = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
    let (sender, applied) = watch::channel(Applied::default());
    let (built_in, serves) = (admin_at.map(admin_route), settings.serves_requests());
    let secrets = Referred::new(secrets, compiler.build.secrets.clone());
    let reload = Reload { compiler, live: live.clone(), applied: sender, built_in, secrets, serves };
    Ok(Control { reload, live, metrics, applied, keyring })
}

/// Whom peers' certificates may be from, before any peer is connected to.
fn trust(ssl: &settings::Ssl) -> anyhow::Result<()> {
    if ssl.trusted.is_empty() {
        return Ok(());
    }
    let read = |path: &std::path::PathBuf| {
        fs::read_to_string(path)
            .with_context(|| format!("apisix.ssl.ssl_trusted_certificate: {}", path.display()))
    };
    let pems = ssl.trusted.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    lockgate_http::tls::trust(&pems, ssl.trusts_system)
        .map_err(|reason| anyhow::anyhow!("apisix.ssl.ssl_trusted_certificate: {reason}"))
}

/// The registries of services that upstreams may name.
fn discovery(settings: &Settings) -> anyhow::Result<Discovery> {
    let dns = settings.dns.as_ref().map(Dns::new).transpose();
    let dns = dns.map_err(|reason| anyhow::anyhow!("discovery.dns: {reason}"))?;
    Ok(Discovery { dns: dns.map(Arc::new) })
}

/// The route by which `lockgate dev` has the Admin API on the data plane's port too, as APISIX 2.x had it.
fn admin_route(admin_at: SocketAddr) -> Record {
    let value = serde_json::json!({
        "uri": "/apisix/admin/*",
        "priority": i32::MAX,
        "upstream": {"type": "roundrobin", "nodes": {admin_at.to_string(): 1}},
    });
    let id = Id::new("lockgate.dev.admin").expect("it has none but the characters of an id");
    Record { kind: Kind::Route, id, value, created: Revision(0), modified: Revision(0) }
}

/// Opens what the keyring sealed.
struct Vault(Option<Arc<Keyring>>);

impl Secrets for Vault {
    fn open(&self, sealed: &str) -> Option<String> {
        self.0.as_ref()?.open(sealed)
    }
}

fn keyring(settings: &Settings, data_dir: &Path) -> anyhow::Result<Option<Arc<Keyring>>> {
    let encryption = &settings.encryption;
    Ok(match (encryption.enabled, encryption.keys()) {
        (false, _) => None,
        (true, keys) if keys.is_empty() => Some(Arc::new(Keyring::load_or_create(data_dir)?)),
        (true, keys) => Some(Arc::new(Keyring::new(&keys))),
    })
}

/// The data directory is the owner's alone: keys rest in it.
pub(crate) fn prepare(data_dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir);
    made.with_context(|| format!("the data directory {} cannot be made", data_dir.display()))
}

fn admin_state(
    settings: &Settings,
    keys: Option<&AdminKeys>,
    mode: Mode,
    store: Arc<dyn Store>,
    control: &Control,
) -> Admin {
    let key = |key: &settings::AdminKey| AdminKey {
        name: key.name.clone(),
        key: key.key.0.clone(),
        role: match key.role {
            settings::Role::Admin => Role::Admin,
            settings::Role::Viewer => Role::Viewer,
        },
    };
    Admin {
        store,
        registry: control.reload.compiler.registry.clone(),
        build: control.reload.compiler.build.clone(),
        keyring: control.keyring.clone(),
        applied: control.applied.clone(),
        keys: keys.into_iter().flat_map(|keys| &keys.keys).map(key).collect(),
        key_required: settings.admin.key_required,
        allow: settings.admin.allow.clone(),
        version: settings.admin.version,
        cors: settings.admin.cors,
        loopback_hosts_only: mode == Mode::Dev,
    }
}

fn access_log(settings: &Settings) -> anyhow::Result<Option<(AccessLog, Arc<Template<Variable>>)>> {
    let log = &settings.access_log;
    if !log.enabled {
        return Ok(None);
    }
    let escape = match log.escape {
        settings::Escape::Default => Escape::Default,
        settings::Escape::Json => Escape::Json,
        settings::Escape::None => Escape::None,
    };
    let template = Template::parse(&log.format, escape, Variable::parse, Variable::is_safe)
        .context("nginx_config.http.access_log_format")?;
    let open = AccessLog::open(&log.path)
        .with_context(|| format!("the access log {} cannot be opened", log.path.display()))?;
    Ok(Some((open, Arc::new(template))))
}

/// The banner is for people; whoever runs this may have closed the terminal.
fn show(banner: &Banner<'_>) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{banner}").and_then(|()| out.flush());
}
