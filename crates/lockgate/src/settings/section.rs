//! The sections of the file, each read into its part of the settings.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use lockgate_http::server::Http2Settings;
use lockgate_store::SealingKey;
use serde_json::Value;
use tracing::level_filters::LevelFilter;

use super::admin_tls;
use super::deployment;
use super::discovery;
use super::function;
use super::limits;
use super::metrics;
use super::proxy_protocol;
use super::read::{Place, Readable, Report, Section};
use super::routing;
use super::secrets;
use super::ssl;
use super::value::Size;
use super::{
    AccessLog, Admin, AdminKey, EncryptionKey, Escape, Http, Listener, Role, Secret, Settings, UpstreamPool,
    Workers,
};

/// Threads of the data plane at most.
const MOST_WORKERS: u64 = 1024;

/// Where the state is asked for, where no other port is given: APISIX's.
const STATUS_PORT: u16 = 7085;

/// Reads a whole file.
pub(super) fn read(value: &Value, report: &Report, settings: &mut Settings) {
    if value.is_null() {
        return;
    }
    let file = Place { path: String::new(), value, report };
    if !value.is_object() {
        report.problem("the file", "expected a mapping such as apisix: {node_listen: 9080}");
        return;
    }
    file.mapping(|root| {
        root.within("apisix", |apisix| read_apisix(apisix, settings));
        root.within("graphql", |graphql| routing::read_graphql(graphql, &mut settings.routing));
        root.within("deployment", |deployment| {
            read_deployment(deployment, &mut settings.admin);
            settings.deployment = deployment::read(deployment);
        });
        root.within("nginx_config", |nginx| read_nginx(nginx, settings));
        root.within("lockgate", |lockgate| {
            lockgate.set("pass_expect", &mut settings.pass_expect);
            lockgate.set("pass_lookalike_headers", &mut settings.limits.message.lookalikes);
            lockgate.set("negotiate_http2", &mut settings.negotiate_http2);
            lockgate.within("limits", |limits| {
                limits::read_own(limits, &mut settings.limits);
                limits::set_count(limits, "metric_series", &mut settings.metrics.counted.max_series);
            });
            lockgate.within("secrets", |section| secrets::read(section, &mut settings.secrets));
        });
        root.within("plugin_attr", |section| {
            section.within("prometheus", |section| metrics::read(section, &mut settings.metrics));
        });
        root.within("discovery", |section| discovery::read(section, &mut settings.dns));
        function::read(root, &mut settings.functions);
        root.within("network", |network| network.set("resolve", &mut settings.resolve));
    });
    if !settings.admin.enabled && !settings.serves_requests() {
        report.problem("apisix.enable_admin", "has to be true for a control_plane");
    }
    settings.keep_to_role();
}

fn read_apisix(apisix: &mut Section<'_>, settings: &mut Settings) {
    if let Some(listeners) = apisix.place("node_listen").and_then(|place| read_listeners(&place)) {
        settings.listeners = listeners;
    }
    apisix.within("proxy_protocol", |section| proxy_protocol::read(section, &mut settings.proxy_protocol));
    apisix.within("ssl", |section| ssl::read(section, &mut settings.ssl));
    if apisix.get("enable_http2") == Some(false) {
        let ports = settings.listeners.iter_mut();
        let https = settings.ssl.listeners.iter_mut().map(|port| &mut port.listener);
        let balanced = settings.proxy_protocol.listeners().map(|(_, port)| port);
        ports.chain(https).chain(balanced).for_each(|port| port.http2 = false);
    }
    routing::read(apisix, &mut settings.routing);
    apisix.set("enable_admin", &mut settings.admin.enabled);
    apisix.set("enable_server_tokens", &mut settings.server_tokens);
    let mut is_control_on = true;
    apisix.set("enable_control", &mut is_control_on);
    apisix.within("control", |section| {
        if let Some(control) = settings.control.as_mut() {
            read_address(section, control);
        }
    });
    settings.control = settings.control.filter(|_| is_control_on);
    apisix.within("status", |section| {
        let mut status = SocketAddr::from((Ipv4Addr::LOCALHOST, STATUS_PORT));
        read_address(section, &mut status);
        settings.status = Some(status);
    });
    apisix.within("data_encryption", |encryption| {
        encryption.set("enable_encrypt_fields", &mut settings.encryption.enabled);
        if let Some(place) = encryption.place("keyring") {
            let one_or_many = if place.value.is_string() {
                EncryptionKey::read(&place).map(|key| vec![key])
            } else {
                Vec::read(&place)
            };
            settings.encryption.keyring = one_or_many.unwrap_or_default();
        }
    });
}

/// `ip` and `port`, each where it is given.
pub(super) fn read_address(section: &mut Section<'_>, address: &mut SocketAddr) {
    if let Some(ip) = section.get::<IpAddr>("ip") {
        address.set_ip(ip);
    }
    if let Some(port) = section.get("port") {
        address.set_port(port);
    }
}

/// A port, a mapping, or a list of either.
fn read_listeners(place: &Place<'_>) -> Option<Vec<Listener>> {
    if !place.value.is_array() {
        return Listener::read(place).map(|listener| vec![listener]);
    }
    let listeners = Vec::<Listener>::read(place)?;
    if listeners.is_empty() {
        return place.refuse("at least one port");
    }
    let mut taken = HashSet::new();
    match listeners
        .iter()
        .map(Listener::address)
        .find(|address| address.port() != 0 && !taken.insert(*address))
    {
        Some(twice) => place.complain(format!("{twice} is there twice")),
        None => Some(listeners),
    }
}

impl Readable for Listener {
    fn read(place: &Place<'_>) -> Option<Self> {
        if !place.value.is_object() {
            let port = place.number().and_then(|port| port.try_into().ok());
            return match port {
                Some(port) => Some(Self { ip: None, port, http2: true }),
                None => place.refuse("a port, or a mapping with ip, port and enable_http2"),
            };
        }
        place.mapping(|listener| {
            let ip = listener.get("ip");
            let http2 = listener.get("enable_http2").unwrap_or(true);
            match listener.place("port") {
                Some(port) => Some(Self { ip, port: u16::read(&port)?, http2 }),
                None => listener.miss("port"),
            }
        })?
    }
}

impl Readable for EncryptionKey {
    fn read(place: &Place<'_>) -> Option<Self> {
        let key = place.text().and_then(|text| SealingKey::from_bytes(text.as_bytes()));
        key.map(Self).or_else(|| place.refuse("a key of 16 bytes (AES-128) or 32 (AES-256)"))
    }
}

fn read_deployment(deployment: &mut Section<'_>, admin: &mut Admin) {
    deployment.within("admin", |section| {
        if let Some(place) = section.place("admin_key") {
            admin.keys = read_admin_keys(&place).unwrap_or_default();
        }
        section.set("admin_key_required", &mut admin.key_required);
        section.set("allow_admin", &mut admin.allow);
        admin.tls = admin_tls::read(section);
        section.set("enable_admin_cors", &mut admin.cors);
        section.set("admin_api_version", &mut admin.version);
        section.within("admin_listen", |listen| {
            if let Some(ip) = listen.get::<IpAddr>("ip") {
                admin.listen.set_ip(ip);
            }
            if let Some(port) = listen.get("port") {
                admin.listen.set_port(port);
            }
        });
    });
}

/// The keys that are given; an empty text stands for none, as in APISIX.
fn read_admin_keys(place: &Place<'_>) -> Option<Vec<AdminKey>> {
    if place.text() == Some("") {
        return Some(Vec::new());
    }
    let keys = Vec::<AdminKey>::read(place)?;
    Some(keys.into_iter().filter(|key| !key.key.0.is_empty()).collect())
}

impl Readable for AdminKey {
    fn read(place: &Place<'_>) -> Option<Self> {
        place.mapping(|entry| {
            let name = entry.get("name").unwrap_or_else(|| "admin".to_owned());
            let role = entry.get("role").unwrap_or(Role::Admin);
            match entry.place("key") {
                Some(key) => Some(Self { name, key: Secret::read(&key)?, role }),
                None => entry.miss("key"),
            }
        })?
    }
}

impl Readable for Secret {
    fn read(place: &Place<'_>) -> Option<Self> {
        let fits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let key = place.text().filter(fits).map(|text| Self(text.to_owned()));
        key.or_else(|| place.refuse("a text in quotes, of ASCII characters without spaces"))
    }
}

impl Readable for Role {
    fn read(place: &Place<'_>) -> Option<Self> {
        match place.text() {
            Some("admin") => Some(Self::Admin),
            Some("viewer") => Some(Self::Viewer),
            _ => place.refuse("admin or viewer"),
        }
    }
}

fn read_nginx(nginx: &mut Section<'_>, settings: &mut Settings) {
    nginx.set("worker_processes", &mut settings.workers);
    nginx.set("worker_shutdown_timeout", &mut settings.shutdown_timeout);
    nginx.set("error_log_level", &mut settings.log_level);
    nginx.within("event", |event| limits::read_event(event, &mut settings.limits));
    nginx.within("http", |http| {
        read_http(http, &mut settings.http);
        limits::read_http(http, &mut settings.limits);
        http.within("upstream", |upstream| {
            read_upstream(upstream, &mut settings.upstream);
        });
        read_access_log(http, &mut settings.access_log);
    });
}

impl Readable for Workers {
    fn read(place: &Place<'_>) -> Option<Self> {
        if place.text() == Some("auto") {
            return Some(Self::Auto);
        }
        let count = place.number().filter(|count| *count <= MOST_WORKERS);
        match count.and_then(|count| usize::try_from(count).ok()).and_then(NonZeroUsize::new) {
            Some(count) => Some(Self::Count(count)),
            None => place.refuse(format_args!("auto or a count from 1 to {MOST_WORKERS}")),
        }
    }
}

impl Readable for LevelFilter {
    fn read(place: &Place<'_>) -> Option<Self> {
        match place.text() {
            Some("debug") => Some(Self::DEBUG),
            Some("info" | "notice") => Some(Self::INFO),
            Some("warn") => Some(Self::WARN),
            Some("error" | "crit" | "alert" | "emerg") => Some(Self::ERROR),
            _ => place.refuse("debug, info, notice, warn, error, crit, alert or emerg"),
        }
    }
}

fn read_http(section: &mut Section<'_>, http: &mut Http) {
    section.set("keepalive_timeout", &mut http.keepalive_timeout);
    section.set("keepalive_min_timeout", &mut http.keepalive_min_timeout);
    section.set("client_header_timeout", &mut http.client_header_timeout);
    section.set("client_body_timeout", &mut http.client_body_timeout);
    section.set("send_timeout", &mut http.send_timeout);
    section.set("lingering_timeout", &mut http.lingering_timeout);
    if let Some(Size(size)) = section.get("client_max_body_size") {
        http.client_max_body_size = (size > 0).then_some(size);
    }
    read_http2(section, &mut http.http2);
}

fn read_http2(section: &mut Section<'_>, http2: &mut Http2Settings) {
    let counts = [
        ("http2_max_concurrent_streams", &mut http2.max_streams),
        ("http2_max_resets", &mut http2.max_resets),
        ("http2_max_errors", &mut http2.max_errors),
        ("http2_max_control_frames", &mut http2.max_control_frames),
    ];
    for (key, limit) in counts {
        if let Some(count) = section.get::<u64>(key) {
            // Nothing at all would be no HTTP/2: `enable_http2` is for that.
            *limit = u32::try_from(count).unwrap_or(u32::MAX).max(1);
        }
    }
    if let Some(interval) = section.get::<Duration>("http2_ping_interval") {
        http2.ping_interval = (!interval.is_zero()).then_some(interval);
    }
}

fn read_upstream(section: &mut Section<'_>, pool: &mut UpstreamPool) {
    if let Some(count) = section.get::<u64>("keepalive") {
        pool.keepalive = usize::try_from(count).unwrap_or(usize::MAX);
    }
    section.set("keepalive_timeout", &mut pool.keepalive_timeout);
    section.set("keepalive_requests", &mut pool.keepalive_requests);
}

fn read_access_log(section: &mut Section<'_>, log: &mut AccessLog) {
    section.set("enable_access_log", &mut log.enabled);
    if let Some(path) = section.get::<String>("access_log") {
        log.path = path.into();
    }
    if let Some(place) = section.place("access_log_buffer") {
        match Size::read(&place) {
            Some(Size(size)) if size > 1 << 30 => place.complain::<()>("is more than 1g").unwrap_or_default(),
            Some(Size(size)) => log.buffer = usize::try_from(size).unwrap_or(usize::MAX),
            None => {}
        }
    }
    section.set("access_log_format", &mut log.format);
    section.set("access_log_format_escape", &mut log.escape);
}

impl Readable for Escape {
    fn read(place: &Place<'_>) -> Option<Self> {
        match place.text() {
            Some("default") => Some(Self::Default),
            Some("json") => Some(Self::Json),
            Some("none") => Some(Self::None),
            _ => place.refuse("default, json or none"),
        }
    }
}
