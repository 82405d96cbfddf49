//! The UDP socket that HTTP/3 is served on, and the connections that come in by it.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{EndpointConfig, TokioRuntime, TransportConfig, VarInt};
use rustls::server::ResolvesServerCert;

use super::server;
use crate::server::{ServerSettings, Service};
use crate::timer;

/// The name of HTTP/3 in a TLS handshake (RFC 9114 §3.1).
const ALPN: &[u8] = b"h3";
/// Bytes a client may send ahead on one stream, and on all of a connection; as by HTTP/2.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Bytes of a connection that may be on their way to a client.
const SEND_WINDOW: u64 = 1024 * 1024;
/// Streams of a client that carry no request: control and two of QPACK, and some that mean nothing.
const OTHER_STREAMS: u32 = 8;
/// When a client of which nothing is heard is gone. Whether one that is there may idle is another matter.
const SILENCE: Duration = Duration::from_secs(30);
/// How often it is asked.
const PING: Duration = Duration::from_secs(10);
/// Handshakes that wait to be looked at; clients of more have to come again.
const WAITING: usize = 1024;
/// With more connections than this the address of a new client is validated before anything is kept of it.
const TRUSTING: usize = 256;

/// A UDP socket on which HTTP/3 is served.
pub struct Endpoint(quinn::Endpoint);

/// A connection that a client asks for.
pub struct Arriving {
    incoming: quinn::Incoming,
    local: SocketAddr,
}

/// TLS for HTTP/3, with certificates from `resolver`: version 1.3, and no early data, which could be replayed.
pub fn server_config(resolver: Arc<dyn ResolvesServerCert>) -> Result<rustls::ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider);
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13])?;
    Ok(builder.with_no_client_auth().with_cert_resolver(resolver))
}

impl Endpoint {
    /// Serves on `socket`. To be called within the runtime of the worker whose connections these will be.
    ///
    /// Fails where the socket cannot be watched, or `tls` cannot be used: it has to offer version 1.3 with
    /// `TLS13_AES_128_GCM_SHA256`.
    pub fn new(socket: UdpSocket, tls: &rustls::ServerConfig, settings: &ServerSettings) -> io::Result<Self> {
        let mut tls = tls.clone();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        tls.max_early_data_size = 0;
        let crypto = QuicServerConfig::try_from(Arc::new(tls)).map_err(io::Error::other)?;
        let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        config.transport_config(Arc::new(transport(settings)));
        config.max_incoming(WAITING);
        let runtime = Arc::new(TokioRuntime);
        quinn::Endpoint::new(EndpointConfig::default(), Some(config), socket, runtime).map(Self)
    }

    /// The next client that asks for a connection; `None` once the endpoint is closed.
    pub async fn accept(&self) -> io::Result<Option<Arriving>> {
        let local = self.0.local_addr()?;
        loop {
            let Some(incoming) = self.0.accept().await else { return Ok(None) };
            let is_unknown = !incoming.remote_address_validated() && incoming.may_retry();
            if is_unknown && self.0.open_connections() > TRUSTING {
                // It fails for one that may not be sent away again, which was asked just now.
                let _ = incoming.retry();
                continue;
            }
            return Ok(Some(Arriving { incoming, local }));
        }
    }

    /// Takes no new connections any more; those there are go on.
    pub fn refuse_new(&self) {
        self.0.set_server_config(None);
    }

    /// Waits until there are no connections any more.
    pub async fn emptied(&self) {
        self.0.wait_idle().await;
    }
}

fn transport(settings: &ServerSettings) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(settings.http2.max_streams))
        .max_concurrent_uni_streams(VarInt::from_u32(OTHER_STREAMS))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(SILENCE.try_into().ok())
        .keep_alive_interval(Some(PING));
    transport
}

impl Arriving {
    /// Who asks.
    pub fn peer(&self) -> SocketAddr {
        self.incoming.remote_address()
    }

    /// Sends it away.
    pub fn refuse(self) {
        self.incoming.refuse();
    }

    /// Serves the connection to its end.
    pub async fn serve<S: Service>(self, service: Rc<S>, settings: Rc<ServerSettings>) {
        let Ok(connecting) = self.incoming.accept() else { return };
        match timer::within(settings.head_timeout, pin!(connecting)).await {
            Some(Ok(connection)) => server::serve(connection, self.local, service, settings).await,
            Some(Err(error)) => tracing::info!(%error, "QUIC handshake failed"),
            None => {}
        }
    }
}
