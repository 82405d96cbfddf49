//! Serves the APIs of the control plane, each on its own listener: HTTP/1.1, bounded in connections and in time.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::{Admin, router, tls};

/// How many connections are served at once; more wait to be accepted.
const CONNECTIONS: usize = 512;

/// How long the head of a request may take.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// How long calls under way may take once the listener is to stop.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);

/// How long the first call of a connection may take to come once the listener is to stop: who was accepted just before
/// is answered.
const FIRST_CALL_PATIENCE: Duration = Duration::from_secs(1);

/// How long to wait when no connection can be accepted, for want of file descriptors as a rule.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves the Admin API until `shutdown` is ready, then lets calls under way finish, for five seconds at most.
/// With `tls`, HTTPS is spoken, and who speaks plain HTTP is told so.
pub async fn serve(
    listener: TcpListener,
    admin: Admin,
    tls: Option<Arc<ServerConfig>>,
    shutdown: impl Future<Output = ()>,
) {
    serve_on(listener, tls.map(TlsAcceptor::from), router(admin), shutdown).await;
}

/// Serves any router in the same way. Each request is told who calls, as `ConnectInfo<SocketAddr>`.
pub async fn serve_router(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) {
    serve_on(listener, None, router, shutdown).await;
}

async fn serve_on(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    shutdown: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let (stopping, stop) = watch::channel(());
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let place = tokio::select! {
            () = &mut shutdown => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = admit(stream, tls.clone(), peer, router.clone(), stop.clone());
                connections.spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(%peer, %error, "connection of the control plane ended");
                    }
                    drop(place);
                });
                while connections.try_join_next().is_some() {}
            }
            Err(error) => {
                tracing::warn!(%error, "no connection of the control plane can be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop((listener, stopping));
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_PATIENCE, ended).await.is_err() {
        tracing::warn!("calls of the control plane are still under way");
    }
}

/// Serves a connection, by TLS where that is asked for.
async fn admit(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    peer: SocketAddr,
    router: Router,
    stop: watch::Receiver<()>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let Some(acceptor) = tls else {
        return Ok(serve_connection(stream, peer, router, stop).await?);
    };
    let stream = timeout(HEAD_PATIENCE, tls::accept(stream, &acceptor)).await??;
    match stream {
        Some(stream) => Ok(serve_connection(stream, peer, router, stop).await?),
        None => Ok(()),
    }
}

/// Serves a connection until its client is done, or until it has been told to stop and what was asked is answered.
async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    peer: SocketAddr,
    router: Router,
    mut stop: watch::Receiver<()>,
) -> hyper::Result<()> {
    let first_call = Arc::new(Notify::new());
    let service = TowerToHyperService::new(Peered { router, peer, first_call: first_call.clone() });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_PATIENCE)
            .serve_connection(TokioIo::new(stream), service)
    );
    tokio::select! {
        ended = &mut connection => return ended,
        _ = stop.changed() => {}
    }
    // A connection that has asked nothing yet would be closed at once, with its first call perhaps on the way.
    tokio::select! {
        ended = &mut connection => return ended,
        _ = tokio::time::timeout(FIRST_CALL_PATIENCE, first_call.notified()) => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

/// The router, told who calls.
#[derive(Clone)]
struct Peered {
    router: Router,
    peer: SocketAddr,
    /// Told of each call; it remembers one.
    first_call: Arc<Notify>,
}

impl tower::Service<Request<Incoming>> for Peered {
    type Response = <Router as tower::Service<Request<Body>>>::Response;
    type Error = <Router as tower::Service<Request<Body>>>::Error;
    type Future = <Router as tower::Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        tower::Service::<Request<Body>>::poll_ready(&mut self.router, cx)
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        self.first_call.notify_one();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        tower::Service::call(&mut self.router, request)
    }
}
