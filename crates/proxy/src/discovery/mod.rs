//! Who finds the nodes of an upstream that names a service in their place.

mod dns;
mod keep;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use lockgate_http::peer::KeepAlive;
use lockgate_plugin::BuildContext;
use lockgate_resource::Upstream;
use tokio::sync::Notify;
use tokio::time::timeout;

pub use dns::{Dns, DnsOrder, DnsSettings};

use crate::snapshot::NodeSet;

/// The registries that the settings name.
#[derive(Debug, Default)]
pub struct Discovery {
    /// `discovery.dns`, where it is there.
    pub dns: Option<Arc<Dns>>,
}

/// The search for the nodes of an upstream.
#[derive(Debug)]
pub(crate) struct Search {
    dns: Arc<Dns>,
    service: Service,
    upstream: Upstream,
    keep_alive: KeepAlive,
    cx: Cx,
}

/// A service, as `service_name` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Service {
    host: String,
    port: Option<u16>,
}

/// What nodes are compiled with.
struct Cx(BuildContext);

impl std::fmt::Debug for Cx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cx")
    }
}

/// The nodes that were found last.
#[derive(Debug)]
pub(crate) struct Discovered {
    set: ArcSwapOption<NodeSet>,
    known: Notify,
}

impl Search {
    /// For an upstream with a `discovery_type`.
    pub(crate) fn new(
        discovery: &Discovery,
        upstream: &Upstream,
        keep_alive: KeepAlive,
        cx: &BuildContext,
    ) -> Result<Self, String> {
        let kind = upstream.discovery_type.as_deref().unwrap_or_default();
        if kind != "dns" {
            return Err(format!("discovery_type {kind} is not supported by this version: dns is"));
        }
        let dns = discovery.dns.clone().ok_or("discovery_type dns needs discovery.dns in the settings")?;
        let service = Service::read(upstream.service_name.as_deref().unwrap_or_default())?;
        Ok(Self { dns, service, upstream: upstream.clone(), keep_alive, cx: Cx(cx.clone()) })
    }
}

impl Service {
    /// `name` or `name:port`.
    fn read(written: &str) -> Result<Self, String> {
        let refuse = || format!("service_name {written} is neither a name nor name:port");
        let (host, port) = match written.split_once(':') {
            None => (written, None),
            Some((host, port)) => {
                (host, Some(port.parse().ok().filter(|port| *port > 0).ok_or_else(refuse)?))
            }
        };
        if !dns::is_name(host) {
            return Err(refuse());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl Discovered {
    pub(crate) fn new(known: Option<NodeSet>) -> Self {
        Self { set: ArcSwapOption::from_pointee(known), known: Notify::new() }
    }

    /// The nodes that were found last, if they were looked for already.
    pub(crate) fn now(&self) -> Option<Arc<NodeSet>> {
        self.set.load_full()
    }

    /// The first nodes that are found.
    pub(crate) async fn wait(&self, within: Duration) -> Option<Arc<NodeSet>> {
        let mut told = std::pin::pin!(self.known.notified());
        told.as_mut().enable();
        if let Some(set) = self.now() {
            return Some(set);
        }
        drop(timeout(within, told).await);
        self.now()
    }

    fn put(&self, set: NodeSet) {
        self.set.store(Some(Arc::new(set)));
        self.known.notify_waiters();
    }
}
