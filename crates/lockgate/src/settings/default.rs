//! What holds where the file says nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use lockgate_admin::ApiVersion;
use lockgate_http::server::Http2Settings;
use lockgate_proxy::Routing;
use tracing::level_filters::LevelFilter;

use super::{
    AccessLog, Admin, Deployment, Encryption, Escape, Functions, Http, Limits, Listener, Metrics,
    ProxyProtocol, Settings, Ssl, UpstreamPool, Workers,
};

/// APISIX's line.
const DEFAULT_FORMAT: &str = concat!(
    r#"$remote_addr - $remote_user [$time_local] $http_host "$request" $status $body_bytes_sent $request_time "#,
    r#""$http_referer" "$http_user_agent" $upstream_addr $upstream_status $upstream_response_time "#,
    r#""$upstream_scheme://$upstream_host$upstream_uri""#,
);

impl Default for Settings {
    fn default() -> Self {
        let listener = |port| Listener { ip: None, port, http2: true };
        let minute = Duration::from_mins(1);
        Self {
            listeners: vec![listener(9080), listener(9081)],
            proxy_protocol: ProxyProtocol::default(),
            ssl: Ssl::default(),
            pass_expect: false,
            negotiate_http2: false,
            routing: Routing::default(),
            server_tokens: true,
            control: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9090))),
            status: None,
            encryption: Encryption { enabled: true, keyring: Vec::new() },
            admin: Admin::default(),
            deployment: Deployment::default(),
            workers: Workers::Auto,
            shutdown_timeout: Duration::from_mins(4),
            log_level: LevelFilter::WARN,
            http: Http {
                keepalive_timeout: minute,
                keepalive_min_timeout: Duration::from_secs(1),
                client_header_timeout: minute,
                client_body_timeout: minute,
                client_max_body_size: None,
                send_timeout: Duration::from_secs(10),
                lingering_timeout: Duration::from_secs(2),
                http2: Http2Settings::default(),
            },
            limits: Limits::default(),
            metrics: Metrics::default(),
            secrets: lockgate_secret::Settings::default(),
            upstream: UpstreamPool { keepalive: 320, keepalive_timeout: minute, keepalive_requests: 1000 },
            access_log: AccessLog {
                enabled: true,
                path: PathBuf::from("/dev/stdout"),
                buffer: 64 << 10,
                format: DEFAULT_FORMAT.to_owned(),
                escape: Escape::Default,
            },
            resolve: Vec::new(),
            dns: None,
            functions: Functions::default(),
        }
    }
}

impl Default for Admin {
    fn default() -> Self {
        let loopback = IpNet::new_assert(Ipv4Addr::new(127, 0, 0, 0).into(), 8);
        Self {
            enabled: true,
            keys: Vec::new(),
            key_required: true,
            allow: vec![loopback, IpNet::from(IpAddr::from(Ipv6Addr::LOCALHOST))],
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9180)),
            tls: None,
            cors: true,
            version: ApiVersion::V3,
        }
    }
}
