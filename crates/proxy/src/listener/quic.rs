//! Where HTTP/3 comes in: a UDP socket of one worker, which has all its connections.
//!
//! One socket and not one a worker: the kernel would choose among several by addresses, and a connection that goes over
//! to another address (RFC 9000 §9), as a phone's does that leaves a house, would reach a worker that does not know it.

use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use lockgate_http::h3::{Arriving, Endpoint};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::accept::Open;
use super::worker::{Phase, Shared, reach};

/// How often a socket is asked for that another process still has.
const AGAIN: Duration = Duration::from_secs(1);

/// An address at which HTTP/3 is served.
pub struct QuicListener {
    /// The address.
    pub address: SocketAddr,
    /// The socket. Where there is none it is opened as soon as the gateway that this one follows is done with it: of two
    /// sockets at one address each would get packets of the other's connections.
    pub socket: Option<UdpSocket>,
    /// TLS for it, as [`lockgate_http::h3::Endpoint::new`] wants it.
    pub tls: Arc<rustls::ServerConfig>,
}

/// Accepts on these from the time the program serves, until it hands over or ends.
pub(super) fn watch(
    listeners: Vec<QuicListener>,
    shared: &Rc<Shared>,
    phase: &watch::Receiver<Phase>,
) -> Vec<JoinHandle<()>> {
    let run = |listener: QuicListener| tokio::task::spawn_local(run(listener, shared.clone(), phase.clone()));
    listeners.into_iter().map(run).collect()
}

async fn run(listener: QuicListener, shared: Rc<Shared>, mut phase: watch::Receiver<Phase>) {
    let address = listener.address;
    let mut open = Box::pin(endpoint(listener, &shared));
    let opened = tokio::select! {
        opened = &mut open => opened,
        () = reach(&mut phase, Phase::HandedOver) => return,
    };
    let endpoint = match opened {
        Ok(endpoint) => endpoint,
        Err(error) => return tracing::error!(%address, %error, "HTTP/3 cannot be served"),
    };
    tokio::select! {
        () = accept(&endpoint, &shared) => {}
        () = reach(&mut phase, Phase::HandedOver) => {}
    }
    // Who asks now is told to ask by TCP. Those there are have been told to go, and end with their requests.
    endpoint.refuse_new();
    endpoint.emptied().await;
}

async fn endpoint(listener: QuicListener, shared: &Shared) -> std::io::Result<Endpoint> {
    let QuicListener { address, mut socket, tls } = listener;
    if socket.is_none() {
        tracing::info!(%address, "HTTP/3 is served as soon as the UDP port is free");
    }
    loop {
        match socket.take().map_or_else(|| UdpSocket::bind(address), Ok) {
            Ok(socket) => return Endpoint::new(socket, &tls, &shared.settings),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => tokio::time::sleep(AGAIN).await,
            Err(error) => return Err(error),
        }
    }
}

async fn accept(endpoint: &Endpoint, shared: &Rc<Shared>) {
    loop {
        match endpoint.accept().await {
            Ok(Some(arriving)) => place(arriving, shared),
            Ok(None) => return,
            Err(error) => return tracing::error!(%error, "HTTP/3 is not served any more"),
        }
    }
}

/// Serves a connection, unless there are as many as may be: it can come by TCP, where it would wait.
fn place(arriving: Arriving, shared: &Rc<Shared>) {
    if shared.member.is_full() {
        shared.say_full();
        return arriving.refuse();
    }
    shared.member.began();
    let open = Open::new(shared);
    tokio::task::spawn_local(async move {
        arriving.serve(open.0.gateway.clone(), open.0.settings.clone()).await;
        drop(open);
    });
}
