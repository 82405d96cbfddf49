//! What is fixed at start-up: APISIX's `config.yaml`, with the environment's values in it.

mod admin_tls;
mod api_version;
mod default;
mod deployment;
mod discovery;
mod environment;
mod etcd;
mod function;
mod limits;
mod metrics;
mod proxy_protocol;
mod read;
mod routing;
mod secrets;
mod section;
mod ssl;
mod value;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use lockgate_admin::ApiVersion;
use lockgate_http::server::Http2Settings;
use lockgate_proxy::Routing;
use lockgate_proxy::discovery::DnsSettings;
use lockgate_store::SealingKey;
use serde_json::Value;
use tracing::level_filters::LevelFilter;

pub(crate) use admin_tls::AdminTls;
pub(crate) use deployment::{Deployment, DeploymentRole, Provider};
pub(crate) use etcd::Etcd;
pub(crate) use function::{Functions, KeyPair};
pub(crate) use limits::Limits;
pub(crate) use metrics::Metrics;
pub(crate) use proxy_protocol::ProxyProtocol;
pub(crate) use read::{Problem, Warning};
pub(crate) use ssl::{Ssl, SslListener};
pub(crate) use value::Resolve;

/// A settings file is never longer than this, in bytes.
const LONGEST_FILE: u64 = 1 << 20;

/// Everything that is fixed at start-up. `Settings::default()` is what holds without a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// `apisix.node_listen`: where the data plane listens. Default: 9080 and 9081.
    pub(crate) listeners: Vec<Listener>,
    /// `apisix.proxy_protocol`: ports behind a balancer. Default: none.
    pub(crate) proxy_protocol: ProxyProtocol,
    /// `apisix.ssl`: HTTPS, and TLS to peers. Default: at 9443.
    pub(crate) ssl: Ssl,
    /// `lockgate.pass_expect`: whether `Expect: 100-continue` goes to the upstream. Default: false.
    pub(crate) pass_expect: bool,
    /// `lockgate.negotiate_http2`: whether upstreams and functions by HTTPS are offered HTTP/2. Default: false.
    pub(crate) negotiate_http2: bool,
    /// `apisix.router`, `apisix.delete_uri_tail_slash` and its kin, `graphql`: how requests find their route. Default:
    /// `radixtree_host_uri`, paths as they are, bodies up to 1 MiB read where a condition asks for them.
    pub(crate) routing: Routing,
    /// `apisix.enable_server_tokens`: whether `Server` names the version. Default: true.
    pub(crate) server_tokens: bool,
    /// `apisix.enable_control` and `apisix.control`: where the Control API listens, where it does. Default:
    /// 127.0.0.1:9090.
    pub(crate) control: Option<SocketAddr>,
    /// `apisix.status`: where `/status` and `/status/ready` are answered. Default: nowhere; where the section is
    /// written, 127.0.0.1:7085.
    pub(crate) status: Option<SocketAddr>,
    /// `apisix.data_encryption`: how secret fields are sealed at rest.
    pub(crate) encryption: Encryption,
    /// `deployment.admin`: the Admin API.
    pub(crate) admin: Admin,
    /// `deployment.role` and where resources come from. Default: traditional, from a file in the data directory.
    pub(crate) deployment: Deployment,
    /// `nginx_config.worker_processes`: threads of the data plane. Default: auto.
    pub(crate) workers: Workers,
    /// `nginx_config.worker_shutdown_timeout`: how long requests in flight may go on after SIGTERM. Default: 240s.
    pub(crate) shutdown_timeout: Duration,
    /// `nginx_config.error_log_level`: what is logged. Default: warn.
    pub(crate) log_level: LevelFilter,
    /// `nginx_config.http`: limits towards clients.
    pub(crate) http: Http,
    /// `nginx_config.event`, `lockgate.limits` and some of `nginx_config.http`: bounds that are no matter of time.
    pub(crate) limits: Limits,
    /// `plugin_attr.prometheus`: what is counted, and where it is shown. Default: at 127.0.0.1:9091.
    pub(crate) metrics: Metrics,
    /// `lockgate.secrets`: how secrets are kept that managers have.
    pub(crate) secrets: lockgate_secret::Settings,
    /// `nginx_config.http.upstream`: connections kept to nodes.
    pub(crate) upstream: UpstreamPool,
    /// `nginx_config.http.access_log` and its kin.
    pub(crate) access_log: AccessLog,
    /// `network.resolve`: names that have a fixed address. Default: none.
    pub(crate) resolve: Vec<Resolve>,
    /// `discovery.dns`: who finds the nodes of upstreams with `discovery_type: dns`. Default: nobody.
    pub(crate) dns: Option<DnsSettings>,
    /// `functions` and `function_server`: Lambda functions on this machine. Default: none.
    pub(crate) functions: Functions,
}

/// How many threads the data plane has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workers {
    /// One a core.
    Auto,
    /// So many.
    Count(NonZeroUsize),
}

/// A port of the data plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    /// `ip`: the address; every one (0.0.0.0) where none is given, but loopback in `lockgate dev`.
    pub(crate) ip: Option<IpAddr>,
    /// `port`; 0 takes any that is free.
    pub(crate) port: u16,
    /// `enable_http2`: whether HTTP/2 is served beside HTTP/1.1. Default: true.
    pub(crate) http2: bool,
}

/// How secret fields are sealed at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Encryption {
    /// `enable_encrypt_fields`. Default: true.
    pub(crate) enabled: bool,
    /// `keyring`: keys of 16 or 32 bytes, the first seals. Where none is given, a random one is kept in the data directory.
    pub(crate) keyring: Vec<EncryptionKey>,
}

/// A key that seals fields. `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct EncryptionKey(pub(crate) SealingKey);

/// The Admin API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Admin {
    /// `apisix.enable_admin`: whether it is there. Default: true.
    pub(crate) enabled: bool,
    /// `admin_key`: who may use it. Where none is given: see `admin_key::AdminKeys`.
    pub(crate) keys: Vec<AdminKey>,
    /// `admin_key_required`: whether a key is asked for at all. Default: true.
    pub(crate) key_required: bool,
    /// `allow_admin`: the addresses it may be used from; an empty list allows all. Default: 127.0.0.0/8 and `::1`.
    pub(crate) allow: Vec<IpNet>,
    /// `admin_listen`: where it listens. Default: 127.0.0.1:9180.
    pub(crate) listen: SocketAddr,
    /// `https_admin` and `admin_api_mtls`: HTTPS. Default: plain HTTP.
    pub(crate) tls: Option<AdminTls>,
    /// `enable_admin_cors`: whether browsers may call it from other origins. Default: true.
    pub(crate) cors: bool,
    /// `admin_api_version`: what its answers look like. Default: v3.
    pub(crate) version: ApiVersion,
}

/// A key to the Admin API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AdminKey {
    /// `name`: what logs call it. Default: admin.
    pub(crate) name: String,
    /// `key`: what `X-API-KEY` has to be.
    pub(crate) key: Secret,
    /// `role`: what it may do. Default: admin.
    pub(crate) role: Role,
}

/// What a key to the Admin API may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Everything.
    Admin,
    /// Read.
    Viewer,
}

/// A text that `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

/// Limits towards clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Http {
    /// `keepalive_timeout`: how long a connection may idle; with 0 it ends as soon as it does. Default: 60s.
    pub(crate) keepalive_timeout: Duration,
    /// `keepalive_min_timeout`: how long an idle connection may still ask for something when the program ends.
    /// Default: 1s.
    pub(crate) keepalive_min_timeout: Duration,
    /// `client_header_timeout`: how long a request head may take. Default: 60s.
    pub(crate) client_header_timeout: Duration,
    /// `client_body_timeout`: how long a client may be silent within a body. Default: 60s.
    pub(crate) client_body_timeout: Duration,
    /// `client_max_body_size`: the longest body of a request, in bytes; `None` (0) is any. Default: 0.
    pub(crate) client_max_body_size: Option<u64>,
    /// `send_timeout`: how long a client may take nothing of its answer. Default: 10s.
    pub(crate) send_timeout: Duration,
    /// `lingering_timeout`: how long a client that is told to go may take to do so, and how long the rest of its
    /// upload may take. Default: 2s.
    pub(crate) lingering_timeout: Duration,
    /// `http2_max_concurrent_streams` and its kin: what one connection of HTTP/2 may ask. Defaults: its own.
    pub(crate) http2: Http2Settings,
}

/// Connections kept to nodes, of each worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UpstreamPool {
    /// `keepalive`: idle connections kept at most. Default: 320.
    pub(crate) keepalive: usize,
    /// `keepalive_timeout`: how long one may idle. Default: 60s.
    pub(crate) keepalive_timeout: Duration,
    /// `keepalive_requests`: requests on one at most. Default: 1000.
    pub(crate) keepalive_requests: u64,
}

/// The access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccessLog {
    /// `enable_access_log`. Default: true.
    pub(crate) enabled: bool,
    /// `access_log`: the file. Default: `/dev/stdout` (APISIX: `logs/access.log`).
    pub(crate) path: PathBuf,
    /// `access_log_buffer`: bytes gathered before they are written, from 4k to 1m. Default: 64k.
    pub(crate) buffer: usize,
    /// `access_log_format`: the line, with nginx's `$variables`. Default: APISIX's.
    pub(crate) format: String,
    /// `access_log_format_escape`: how values are escaped in it. Default: default.
    pub(crate) escape: Escape,
}

/// How values are escaped in the access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escape {
    /// `"`, `\` and control characters as `\xXX`.
    Default,
    /// As in a JSON string.
    Json,
    /// Not at all.
    None,
}

/// Why there are no settings: every mistake that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SettingsError {
    /// The mistakes, in the order of the file; at least one.
    pub(crate) problems: Vec<Problem>,
}

impl Settings {
    /// Reads a file, or gives the defaults where none is named.
    pub(crate) fn load(
        file: Option<&Path>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<(Self, Vec<Warning>), SettingsError> {
        let Some(path) = file else {
            return Ok((Self::default(), Vec::new()));
        };
        let mut yaml = String::new();
        let read =
            std::fs::File::open(path).and_then(|file| file.take(LONGEST_FILE).read_to_string(&mut yaml));
        match read {
            Ok(length) if length as u64 == LONGEST_FILE => {
                Err(SettingsError::of_file(path, "is longer than 1 MiB"))
            }
            Ok(_) => {
                let (mut settings, warnings) = Self::parse(&yaml, env)?;
                settings.functions.relative_to(path.parent().unwrap_or(path));
                path.parent().unwrap_or(path).clone_into(&mut settings.deployment.folder);
                Ok((settings, warnings))
            }
            Err(error) => Err(SettingsError::of_file(path, &error.to_string())),
        }
    }

    /// Reads YAML. Variables such as `${{NAME}}` are asked of `env`. What is absent keeps its default; unknown
    /// keys are warned of; every mistake is found at once.
    pub(crate) fn parse(
        yaml: &str,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<(Self, Vec<Warning>), SettingsError> {
        let mut report = read::Report::default();
        let mut settings = Self::default();
        // An empty document, or one of comments alone, is nothing.
        match serde_saphyr::from_str::<Option<Value>>(yaml).map(Option::unwrap_or_default) {
            Ok(mut value) => {
                environment::substitute("", &mut value, &env, &mut report);
                section::read(&value, &report, &mut settings);
            }
            Err(error) => report.problem("the file", format!("is not YAML: {}", error.without_snippet())),
        }
        match report.problems.into_inner() {
            problems if problems.is_empty() => Ok((settings, report.warnings.into_inner())),
            problems => Err(SettingsError { problems }),
        }
    }

    /// Keeps everything on loopback, for `lockgate dev`: a listener that names no address gets 127.0.0.1, and
    /// any other address is refused. `listen` takes the place of all listeners.
    pub(crate) fn on_loopback(mut self, listen: Option<SocketAddr>) -> Result<Self, SettingsError> {
        if let Some(address) = listen {
            self.listeners = vec![Listener { ip: Some(address.ip()), port: address.port(), http2: true }];
        }
        let mut problems = Vec::new();
        if self.deployment.role != DeploymentRole::Traditional {
            let text = "lockgate dev is both sides of a gateway; lockgate run is for the rest".to_owned();
            problems.push(Problem { path: "deployment.role".to_owned(), text });
        }
        let mut check = |path: String, ip: IpAddr| {
            if !ip.is_loopback() {
                let text = format!(
                    "lockgate dev listens on loopback alone, not on {ip}; lockgate run is for the rest"
                );
                problems.push(Problem { path, text });
            }
        };
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            let ip = *listener.ip.get_or_insert(Ipv4Addr::LOCALHOST.into());
            check(format!("apisix.node_listen[{index}]"), ip);
        }
        for (index, listener) in self.ssl.listeners.iter_mut().enumerate() {
            let ip = *listener.listener.ip.get_or_insert(Ipv4Addr::LOCALHOST.into());
            check(format!("apisix.ssl.listen[{index}]"), ip);
        }
        for (key, listener) in self.proxy_protocol.listeners() {
            let ip = *listener.ip.get_or_insert(Ipv4Addr::LOCALHOST.into());
            check(format!("apisix.proxy_protocol.{key}"), ip);
        }
        check("deployment.admin.admin_listen".to_owned(), self.admin.listen.ip());
        let (control, status) = (("apisix.control", self.control), ("apisix.status", self.status));
        let metrics = ("plugin_attr.prometheus.export_addr", self.metrics.export);
        for (path, address) in [control, status, metrics] {
            if let Some(address) = address {
                check(path.to_owned(), address.ip());
            }
        }
        self.metrics.is_export_optional = true;
        if problems.is_empty() { Ok(self) } else { Err(SettingsError { problems }) }
    }
}

impl Workers {
    /// How many that is on this machine.
    pub(crate) fn count(self) -> NonZeroUsize {
        match self {
            Self::Auto => std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            Self::Count(count) => count,
        }
    }
}

impl Listener {
    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::new(self.ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), self.port)
    }
}

impl Encryption {
    /// The bytes of the keys, the one that seals first.
    pub(crate) fn keys(&self) -> Vec<SealingKey> {
        self.keyring.iter().map(|key| key.0).collect()
    }
}

impl SettingsError {
    fn of_file(path: &Path, text: &str) -> Self {
        Self { problems: vec![Problem { path: path.display().to_string(), text: text.to_owned() }] }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsError {}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptionKey")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
