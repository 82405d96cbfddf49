//! The TLS of clients: a handshake with the certificate that the live snapshot has for the name the client asks for.

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lockgate_http::tls::{AcceptError, TlsInfo, accept};
use lockgate_http::{ConnectionInfo, Stream};
use lockgate_telemetry::clock::{self, Moment};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;

use super::worker::Shared;
use crate::snapshot::{Certificates, CompiledSsl, Live, normal};

/// How often a worker says that it has no certificate for a name.
const SAID: Duration = Duration::from_secs(10);

thread_local! {
    static LAST_SAID: Cell<Option<Moment>> = const { Cell::new(None) };
}

/// TLS on a listener.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// The name that clients are taken to ask for who name none, or one that there is no certificate for.
    pub fallback_sni: Option<Arc<str>>,
}

impl TlsSettings {
    /// What is shown to a client that asks for `sni`, and the name it has been found by.
    fn find(&self, certificates: &Certificates, sni: Option<&str>) -> Option<(Arc<CompiledSsl>, Box<str>)> {
        let names = [sni, self.fallback_sni.as_deref()];
        let found =
            names.into_iter().flatten().find_map(|name| Some((certificates.find(name)?.clone(), name)));
        found.map(|(ssl, name)| (ssl, normal(name).into()))
    }
}

/// Does a client's handshake; `None` where it fails, of which the log is told.
pub(super) async fn shake_hands(
    stream: TcpStream,
    info: &mut ConnectionInfo,
    settings: &TlsSettings,
    allows_h2: bool,
    shared: &Shared,
) -> Option<Stream> {
    let choose = |hello: &ClientHello<'_>| {
        let snapshot = shared.gateway.snapshot();
        let (ssl, name) = settings.find(&snapshot.certificates, hello.server_name())?;
        let config = if allows_h2 { &ssl.config } else { &ssl.config_http1 };
        Some((config.clone(), (ssl, name)))
    };
    // Boxed, so that what a handshake needs is gone with it.
    let accepted = Box::pin(accept(stream, shared.settings.head_timeout, choose)).await;
    let accepted = accepted.map_err(|error| say(info.peer, &error)).ok()?;
    let (ssl, name) = accepted.chosen;
    let session = accepted.stream.get_ref().1;
    let client = ssl.client.as_ref();
    let is_trusted = client.is_some_and(|client| {
        let verification = &client.verification;
        // Where it is not optional, the handshake has seen to it.
        !verification.is_optional()
            || session.peer_certificates().is_some_and(|chain| verification.trusts(chain))
    });
    info.tls = Some(Box::new(TlsInfo::of(session, &name, client.map(|_| ssl.terms), is_trusted)));
    Some(Stream::Server(accepted.stream))
}

/// What a scanner does is told to those who want to know; a name that lacks its certificate to all, but not each time.
fn say(peer: SocketAddr, error: &AcceptError) {
    let is_name = matches!(error, AcceptError::UnknownName(_) | AcceptError::NoName);
    let now = clock::now();
    let is_due = || LAST_SAID.get().is_none_or(|last| now.duration_since(last) >= SAID);
    if is_name && is_due() {
        LAST_SAID.set(Some(now));
        tracing::warn!(%peer, %error, "a TLS connection is refused");
    } else {
        tracing::debug!(%peer, %error, "a TLS connection is refused");
    }
}

/// The certificates of the live snapshot, for HTTP/3. Names for which clients have to show a certificate have none here.
#[derive(Clone)]
pub struct LiveCertificates {
    /// What is live.
    pub live: Live,
    /// As for other listeners.
    pub settings: TlsSettings,
}

impl std::fmt::Debug for LiveCertificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveCertificates").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for LiveCertificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let snapshot = self.live.load();
        let (ssl, _) = self.settings.find(&snapshot.certificates, hello.server_name())?;
        ssl.keys()?.choose(hello.signature_schemes())
    }
}
