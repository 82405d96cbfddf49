//! Who is connected to: an address, perhaps TLS, and how many idle connections are kept.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls_pki_types::ServerName;

use crate::resolver::{Name, Resolver};

/// How idle connections to a peer are kept, per worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// How many. One beyond it is closed only after about a second unused, so that more clients than this do
    /// not open a connection per request. 0 closes each connection after its response.
    pub connections: usize,
    /// How long one may be idle.
    pub timeout: Duration,
    /// How many requests one may serve; 0 for any number.
    pub requests: u32,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self { connections: 320, timeout: Duration::from_mins(1), requests: 0 }
    }
}

/// TLS to a peer.
#[derive(Clone, Debug)]
pub struct PeerTls {
    /// Versions, roots, verification, session tickets: see [`crate::tls`].
    pub config: Arc<rustls::ClientConfig>,
    /// The name that is asked for and verified.
    pub name: ServerName<'static>,
}

/// A peer, as compiled from configuration: shared by all workers, each with its own idle connections to it.
#[derive(Debug)]
pub struct Peer {
    pub(crate) id: u64,
    pub(crate) address: Address,
    pub(crate) tls: Option<PeerTls>,
    pub(crate) keep_alive: KeepAlive,
    label: Box<str>,
}

#[derive(Debug)]
pub(crate) enum Address {
    Fixed(SocketAddr),
    Named(Arc<Name>),
}

impl Peer {
    /// A peer by host (a name, or an address with or without brackets) and port.
    pub fn new(
        host: &str,
        port: u16,
        tls: Option<PeerTls>,
        keep_alive: KeepAlive,
        resolver: &Resolver,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let address = match (resolver.pinned(bare, port), bare.parse::<IpAddr>()) {
            (Some(address), _) => Address::Fixed(address),
            (None, Ok(ip)) => Address::Fixed(SocketAddr::new(ip, port)),
            (None, Err(_)) => Address::Named(resolver.name(bare, port)),
        };
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { id, address, tls, keep_alive, label: format!("{host}:{port}").into() }
    }

    /// Host and port, as configured.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether it is spoken to in TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}
