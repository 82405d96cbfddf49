//! The engine alone, as a proxy of one upstream: what `bench/engine` measures.
//!
//! `bare LISTEN UPSTREAM [--tls CERT KEY] [--upstream-tls]`, on one thread: no router, no plugins, no log.

use std::error::Error;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::StatusCode;
use lockgate_http::client::{Timeouts, send};
use lockgate_http::peer::{KeepAlive, Peer, PeerTls};
use lockgate_http::resolver::Resolver;
use lockgate_http::server::{Outcome, ServerSettings, Service, serve};
use lockgate_http::{ConnectionInfo, Outgoing, Request, Response, Stream, tls};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;

struct Bare {
    peer: Arc<Peer>,
    timeouts: Timeouts,
}

impl Service for Bare {
    type UnderWay = (Request, Rc<ConnectionInfo>);

    fn begin(&self, connection: &Rc<ConnectionInfo>, request: Request) -> Self::UnderWay {
        lockgate_telemetry::clock::now();
        (request, connection.clone())
    }

    async fn answer(&self, (request, connection): &mut Self::UnderWay) -> Response {
        let body = std::mem::take(&mut request.body);
        let outgoing = Outgoing::forwarding(request, connection);
        match send(&self.peer, request, body, &outgoing, &self.timeouts).await {
            Ok(answer) => answer.response,
            Err(failure) => Response::text(StatusCode::BAD_GATEWAY, "text/plain", failure.error.to_string()),
        }
    }

    fn refuse(
        &self,
        connection: &Rc<ConnectionInfo>,
        status: StatusCode,
        reason: &'static str,
    ) -> (Response, Self::UnderWay) {
        (Response::text(status, "text/plain", reason), (Request::blank(), connection.clone()))
    }

    fn done(&self, _: &mut Self::UnderWay, _: Outcome) {}
}

/// What the command line says.
struct Asked {
    listen: SocketAddr,
    upstream: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    is_upstream_tls: bool,
}

fn asked() -> Result<Asked, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| arguments.next().ok_or_else(|| format!("{what} is missing"));
    let (listen, upstream) = (next("LISTEN")?.parse()?, next("UPSTREAM")?.parse()?);
    let mut asked = Asked { listen, upstream, acceptor: None, is_upstream_tls: false };
    while let Ok(option) = next("") {
        match option.as_str() {
            "--tls" => asked.acceptor = Some(acceptor(&next("CERT")?, &next("KEY")?)?),
            "--upstream-tls" => asked.is_upstream_tls = true,
            other => return Err(format!("{other} is not known").into()),
        }
    }
    Ok(asked)
}

fn acceptor(certificate: &str, key: &str) -> Result<TlsAcceptor, Box<dyn Error>> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<_, _>>()?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn main() -> Result<(), Box<dyn Error>> {
    let asked = asked()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())?;
    // It ends in order when it is told to: a watched build writes down what it saw then.
    runtime.block_on(async {
        let mut end = signal(SignalKind::terminate())?;
        tokio::select! {
            result = run(asked) => result,
            _ = end.recv() => Ok(()),
        }
    })
}

async fn run(asked: Asked) -> Result<(), Box<dyn Error>> {
    let resolver = Resolver::new(tokio::runtime::Handle::current(), []);
    let host = asked.upstream.ip().to_string();
    let name = "localhost".try_into()?;
    let tls = asked.is_upstream_tls.then(|| PeerTls { config: tls::client_config(false), name });
    let keep_alive = KeepAlive::default();
    let peer = Arc::new(Peer::new(&host, asked.upstream.port(), tls, keep_alive, &resolver));
    let service = Rc::new(Bare { peer, timeouts: Timeouts::default() });
    let settings = Rc::new(ServerSettings::default());
    let listener = TcpListener::bind(asked.listen).await?;
    loop {
        let (stream, from) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (service, settings) = (service.clone(), settings.clone());
        let (acceptor, local) = (asked.acceptor.clone(), stream.local_addr()?);
        tokio::task::spawn_local(async move {
            let is_tls = acceptor.is_some();
            let Some(stream) = open(acceptor, stream).await else { return };
            let info = Rc::new(ConnectionInfo::new(from, local, is_tls));
            serve(stream, info, service, settings, true).await;
        });
    }
}

async fn open(acceptor: Option<TlsAcceptor>, stream: TcpStream) -> Option<Stream> {
    match acceptor {
        None => Some(Stream::Tcp(stream)),
        Some(acceptor) => acceptor.accept(stream).await.ok().map(|stream| Stream::Server(Box::new(stream))),
    }
}
