//! A node that is asked for by the name its client says: a peer for each, so that no connection serves two names.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use lockgate_http::peer::{KeepAlive, Peer, PeerTls, Protocol};
use lockgate_http::resolver::Resolver;
use rustls_pki_types::ServerName;

use super::node::without_port;

/// How many names are known at once. Clients choose them, so there must be an end; it begins anew then.
const NAMES: usize = 256;

/// What a peer is made of, but for its name.
pub(super) struct ByHost {
    pub(super) host: Box<str>,
    pub(super) port: u16,
    pub(super) config: Arc<rustls::ClientConfig>,
    pub(super) keep_alive: KeepAlive,
    pub(super) protocol: Protocol,
    pub(super) resolver: Resolver,
    pub(super) known: ArcSwap<HashMap<Box<str>, Arc<Peer>>>,
}

impl ByHost {
    /// The peer for a request with this Host; `None` where that is no name that a certificate is asked for by.
    pub(super) fn peer(&self, host: &str) -> Option<Arc<Peer>> {
        let name = without_port(host).to_ascii_lowercase();
        if let Some(known) = self.known.load().get(&*name) {
            return Some(known.clone());
        }
        let ServerName::DnsName(dns) = ServerName::try_from(name.clone()).ok()? else { return None };
        let tls = PeerTls { config: self.config.clone(), name: ServerName::DnsName(dns) };
        let peer = Peer::new(&self.host, self.port, Some(tls), self.keep_alive, &self.resolver);
        let peer = Arc::new(peer.speaking(self.protocol));
        self.known.rcu(|known| {
            let mut known = if known.len() < NAMES { HashMap::clone(known) } else { HashMap::new() };
            known.insert(name.as_str().into(), peer.clone());
            known
        });
        Some(peer)
    }
}

impl fmt::Debug for ByHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByHost")
    }
}
