//! The metrics there are. Dashboards know these names, so they are APISIX's, with its texts.

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name, without the prefix.
    pub name: &'static str,
    pub(super) kind: &'static str,
    pub(super) help: &'static str,
}

macro_rules! metrics {
    ($($(#[$doc:meta])* $id:ident: $kind:ident $name:literal $help:literal;)*) => {
        impl Metric {
            $($(#[$doc])* pub const $id: Self = Self { name: $name, kind: stringify!($kind), help: $help };)*
        }
    };
}

metrics! {
    /// Bytes by direction.
    BANDWIDTH: counter "bandwidth" "Total bandwidth in bytes consumed per service in APISIX";
    /// The newest revision of each kind of resource.
    ETCD_MODIFY_INDEXES: gauge "etcd_modify_indexes" "Etcd modify index for APISIX keys";
    /// Whether etcd answers.
    ETCD_REACHABLE: gauge "etcd_reachable" "Config server etcd reachable from APISIX, 0 is unreachable";
    /// How long requests take.
    HTTP_LATENCY: histogram "http_latency" "HTTP request latency in milliseconds per service in APISIX";
    /// Requests of this process.
    HTTP_REQUESTS_TOTAL: gauge "http_requests_total"
        "The total number of client requests since APISIX started";
    /// Requests by status.
    HTTP_STATUS: counter "http_status" "HTTP status codes per service in APISIX";
    /// Connections of clients.
    CONNECTIONS: gauge "nginx_http_current_connections" "Number of HTTP connections";
    /// What was not counted.
    ERRORS_TOTAL: counter "nginx_metric_errors_total" "Number of nginx-lua-prometheus errors";
    /// Which gateway this is.
    NODE_INFO: gauge "node_info" "Info of APISIX node";
    /// Whether a node that is checked is well.
    UPSTREAM_STATUS: gauge "upstream_status" "Upstream status from health check";
}
