//! Who is connected to: an address, perhaps TLS, which HTTP, and how many idle connections are kept.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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

/// Which HTTP is spoken to a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2: over TLS the peer must agree to it by ALPN, over plain TCP it is known to (RFC 9113 §3.3).
    Http2,
    /// Over TLS what the peer chooses by ALPN, asked once; over plain TCP HTTP/1.1.
    Negotiated,
}

/// A peer, as compiled from configuration: shared by all workers, each with its own idle connections to it.
#[derive(Debug)]
pub struct Peer {
    pub(crate) id: u64,
    pub(crate) address: Address,
    pub(crate) tls: Option<PeerTls>,
    pub(crate) keep_alive: KeepAlive,
    protocol: Protocol,
    /// The configuration of `tls` that offers HTTP/2.
    offering: Option<Arc<rustls::ClientConfig>>,
    /// What a negotiating peer chose.
    chose_http1: AtomicBool,
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
        Self {
            id,
            address,
            tls,
            keep_alive,
            protocol: Protocol::Http1,
            offering: None,
            chose_http1: AtomicBool::new(false),
            label: format!("{host}:{port}").into(),
        }
    }

    /// The same peer, spoken to by another protocol than HTTP/1.1.
    #[must_use]
    pub fn speaking(mut self, protocol: Protocol) -> Self {
        let names: &[&[u8]] = match protocol {
            Protocol::Http1 => &[],
            Protocol::Http2 => &[b"h2"],
            Protocol::Negotiated => &[b"h2", b"http/1.1"],
        };
        self.offering = self.tls.as_ref().filter(|_| !names.is_empty()).map(|tls| {
            // Session tickets stay shared: a configuration's copy has the same store.
            let mut config = rustls::ClientConfig::clone(&tls.config);
            config.alpn_protocols = names.iter().map(|name| name.to_vec()).collect();
            Arc::new(config)
        });
        self.protocol = protocol;
        self
    }

    /// Which HTTP it is spoken to by.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether HTTP/1.1 is what is spoken, as far as is known.
    pub(crate) fn is_http1(&self) -> bool {
        match self.protocol {
            Protocol::Http1 => true,
            Protocol::Http2 => false,
            Protocol::Negotiated => self.tls.is_none() || self.chose_http1.load(Ordering::Relaxed),
        }
    }

    /// A negotiating peer has chosen HTTP/1.1.
    pub(crate) fn choose_http1(&self) {
        self.chose_http1.store(true, Ordering::Relaxed);
    }

    /// TLS that offers HTTP/2, where there is TLS.
    pub(crate) fn offering(&self) -> Option<(&Arc<rustls::ClientConfig>, &ServerName<'static>)> {
        Some((self.offering.as_ref()?, &self.tls.as_ref()?.name))
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
