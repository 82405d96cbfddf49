//! Where HTTP/3 is served: at the UDP ports beside those TCP ports of HTTPS that ask for it.

use std::net::{SocketAddr, UdpSocket};

use anyhow::Context;
use lockgate_proxy::{Live, QuicListener, TlsSettings};

/// How long clients remember that HTTP/3 is served, in seconds: a day, as Cloudflare has it.
const MAX_AGE: u32 = 24 * 60 * 60;

/// A UDP port.
#[derive(Debug)]
pub(crate) struct QuicPort {
    address: SocketAddr,
    /// `None` while the gateway that this one follows has it.
    socket: Option<UdpSocket>,
    tls: TlsSettings,
}

impl QuicPort {
    /// Opens it, unless this gateway follows another, which gives it up once its connections have ended.
    pub(crate) fn open(address: SocketAddr, follows: bool, tls: &TlsSettings) -> anyhow::Result<Self> {
        let socket = (!follows).then(|| UdpSocket::bind(address)).transpose();
        let socket = socket.with_context(|| format!("HTTP/3 cannot be served at UDP {address}"))?;
        Ok(Self { address, socket, tls: tls.clone() })
    }

    /// What answers over TCP say of it (RFC 7838).
    pub(crate) fn alt_svc(&self) -> String {
        format!("h3=\":{}\"; ma={MAX_AGE}", self.address.port())
    }

    /// For the worker that has its connections.
    #[cfg(feature = "http3")]
    pub(crate) fn listener(&self, live: &Live) -> anyhow::Result<QuicListener> {
        let certificates =
            lockgate_proxy::LiveCertificates { live: live.clone(), settings: self.tls.clone() };
        let tls = lockgate_http::h3::server_config(std::sync::Arc::new(certificates))?;
        let socket = self.socket.as_ref().map(UdpSocket::try_clone).transpose()?;
        Ok(QuicListener { address: self.address, socket, tls: std::sync::Arc::new(tls) })
    }

    /// For the worker that has its connections.
    #[cfg(not(feature = "http3"))]
    pub(crate) fn listener(&self, _: &Live) -> anyhow::Result<QuicListener> {
        let Self { address, socket, tls } = self;
        anyhow::bail!("this build has no HTTP/3 for {address} (socket {socket:?}, TLS {tls:?})")
    }
}
