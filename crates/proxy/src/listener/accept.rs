//! A socket, and the connections that are accepted on it.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use lockgate_http::server::serve;
use lockgate_http::{ConnectionInfo, Stream};
use tokio::net::{TcpListener, TcpStream};

use super::proxy_protocol::{Trusted, identify};
use super::team::Accepted;
use super::tls::{TlsSettings, shake_hands};
use super::worker::Shared;

/// How long accepting rests when the process has no file descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(50);

/// A socket, bound and listening, and how its connections are served.
pub struct Listener {
    /// The socket.
    pub socket: StdListener,
    /// How.
    pub service: ListenerSettings,
}

/// How the connections of a socket are served.
#[derive(Clone, Debug, Default)]
pub struct ListenerSettings {
    /// Whether HTTP/2 with prior knowledge is understood.
    pub allows_h2: bool,
    /// Whose PROXY header is believed, where each connection has to begin with one.
    pub proxy_protocol: Option<Trusted>,
    /// How clients speak TLS, where they have to.
    pub tls: Option<TlsSettings>,
    /// What `Alt-Svc` says in answers, where HTTP/3 is served too.
    pub alt_svc: Option<Arc<str>>,
}

/// A socket that its worker watches.
pub(super) struct Watched {
    socket: TcpListener,
    service: ListenerSettings,
}

impl Watched {
    pub(super) fn new(listener: Listener) -> io::Result<Self> {
        let Listener { socket, service } = listener;
        socket.set_nonblocking(true)?;
        Ok(Self { socket: TcpListener::from_std(socket)?, service })
    }

    /// Accepts for as long as it is let. Ending it loses nothing: who was not accepted yet waits in the socket.
    pub(super) async fn accept(self, shared: Rc<Shared>) {
        loop {
            if shared.member.is_full() {
                shared.say_full();
                shared.member.room().await;
            }
            match self.socket.accept().await {
                Ok((stream, peer)) => self.place(&shared, stream, peer),
                // A client that went away while it waited is its own affair; a table that is full passes.
                Err(error) if error.kind() != io::ErrorKind::ConnectionAborted => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(EXHAUSTED).await;
                }
                Err(_) => {}
            }
        }
    }

    /// Serves a connection, or passes it on to a worker that has less to do.
    fn place(&self, shared: &Rc<Shared>, stream: TcpStream, peer: SocketAddr) {
        let service = self.service.clone();
        let Some(passing) = shared.member.lighter() else {
            shared.member.began();
            return start(shared, stream, peer, service);
        };
        // It fails only for a connection that is broken already.
        if let Ok(stream) = stream.into_std() {
            passing.send(Accepted { stream, peer, service });
        }
    }
}

/// Counts a connection until it ends.
pub(super) struct Open(pub(super) Rc<Shared>);

impl Open {
    pub(super) fn new(shared: &Rc<Shared>) -> Self {
        shared.traffic.accepted();
        Self(shared.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.traffic.closed();
        self.0.member.ended();
        self.0.closed.notify_one();
    }
}

/// Serves a connection that another worker passed on.
pub(super) fn start_handed(shared: &Rc<Shared>, accepted: Accepted) {
    let Accepted { stream, peer, service } = accepted;
    match TcpStream::from_std(stream) {
        Ok(stream) => start(shared, stream, peer, service),
        Err(error) => {
            tracing::warn!(%error, "cannot watch a connection");
            drop(Open::new(shared));
        }
    }
}

/// Serves a connection that is counted for this worker.
fn start(shared: &Rc<Shared>, stream: TcpStream, peer: SocketAddr, service: ListenerSettings) {
    let open = Open::new(shared);
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let local = stream.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
    if service.proxy_protocol.is_some() || service.tls.is_some() {
        tokio::task::spawn_local(introduced(stream, (peer, local), open, service));
        return;
    }
    let info = Rc::new(ConnectionInfo::new(peer, local, false));
    tokio::task::spawn_local(connection(Stream::Tcp(stream), info, open, &service));
}

/// Serves a connection that has to say first whose it is, or to agree on TLS.
async fn introduced(
    mut stream: TcpStream,
    (peer, local): (SocketAddr, SocketAddr),
    open: Open,
    service: ListenerSettings,
) {
    let mut client = peer;
    if let Some(trusted) = &service.proxy_protocol {
        match identify(&mut stream, peer, trusted, &open.0).await {
            Some(behind) => client = behind,
            None => return,
        }
    }
    let mut info = ConnectionInfo::new(client, local, service.tls.is_some());
    info.via = (client != peer).then_some(peer);
    let stream = match &service.tls {
        None => Some(Stream::Tcp(stream)),
        Some(tls) => shake_hands(stream, &mut info, tls, service.allows_h2, &open.0).await,
    };
    if let Some(stream) = stream {
        connection(stream, Rc::new(info), open, &service).await;
    }
}

fn connection(
    stream: Stream,
    info: Rc<ConnectionInfo>,
    open: Open,
    service: &ListenerSettings,
) -> impl Future<Output = ()> + use<> {
    let settings = match &service.alt_svc {
        None => open.0.settings.clone(),
        Some(alt_svc) => open.0.announcing(alt_svc),
    };
    let served = serve(stream, info, open.0.gateway.clone(), settings, service.allows_h2);
    async move {
        served.await;
        drop(open);
    }
}
