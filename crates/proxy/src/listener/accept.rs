//! A worker: one thread, one runtime, its own sockets, its own connections.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::time::Duration;

use lockgate_http::server::{ServerSettings, drain, serve};
use lockgate_http::{ConnectionInfo, Stream};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use super::service::{AccessLogSettings, Gateway};
use crate::snapshot::Live;

/// How often a worker tidies: the longest a log line waits.
const TIDY: Duration = Duration::from_secs(1);
/// How long accepting rests when the process has no file descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(50);

/// What all workers of a program share.
#[derive(Clone)]
pub struct WorkerSettings {
    /// What clients are granted.
    pub server: ServerSettings,
    /// How long requests under way may take when the program ends.
    pub shutdown_timeout: Duration,
}

/// A socket, bound and listening, and whether clients may speak HTTP/2 on it.
pub struct Listener {
    /// The socket.
    pub socket: StdListener,
    /// Whether HTTP/2 with prior knowledge is understood.
    pub allows_h2: bool,
}

/// One worker, ready to run on its own thread.
pub struct Worker {
    /// Its sockets: other workers have their own at the same addresses.
    pub listeners: Vec<Listener>,
    /// What all workers share.
    pub settings: WorkerSettings,
    /// What is live.
    pub live: Live,
    /// Its access log.
    pub log: Option<AccessLogSettings>,
    /// Becomes `true` when the program ends.
    pub stop: watch::Receiver<bool>,
}

impl Worker {
    /// Serves until it is told to stop and what was under way has ended.
    pub fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(tokio::runtime::LocalOptions::default())?;
        runtime.block_on(self.serve())
    }

    async fn serve(self) -> io::Result<()> {
        let Self { listeners, settings, live, log, mut stop } = self;
        let gateway = Rc::new(Gateway::new(live, log));
        let shared = Rc::new(Shared {
            gateway: gateway.clone(),
            settings: Rc::new(settings.server),
            open: Cell::new(0),
            closed: Notify::new(),
        });
        let mut accepting = Vec::new();
        for Listener { socket, allows_h2 } in listeners {
            socket.set_nonblocking(true)?;
            let listener = TcpListener::from_std(socket)?;
            accepting.push(tokio::task::spawn_local(accept(listener, allows_h2, shared.clone())));
        }
        let tidying = tokio::task::spawn_local(every(TIDY, move || gateway.tidy()));
        // An error means that nobody is left who could say so: the program ends.
        let _ = stop.wait_for(|stop| *stop).await;
        for task in accepting {
            task.abort();
        }
        drain(Duration::ZERO);
        let emptied = tokio::time::timeout(settings.shutdown_timeout, shared.emptied()).await;
        if emptied.is_err() {
            tracing::warn!(
                connections = shared.open.get(),
                "requests were cut off at the end of worker_shutdown_timeout"
            );
        }
        tidying.abort();
        shared.gateway.tidy();
        Ok(())
    }
}

async fn every(period: Duration, mut act: impl FnMut()) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        act();
    }
}

/// What the connections of a worker share.
struct Shared {
    gateway: Rc<Gateway>,
    settings: Rc<ServerSettings>,
    open: Cell<usize>,
    closed: Notify,
}

impl Shared {
    async fn emptied(&self) {
        while self.open.get() > 0 {
            self.closed.notified().await;
        }
    }
}

/// Counts a connection while it lives.
struct Open(Rc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        self.0.closed.notify_one();
    }
}

async fn accept(listener: TcpListener, allows_h2: bool, shared: Rc<Shared>) {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // A client that went away while it waited is its own affair; a table that is full passes.
                if error.kind() != io::ErrorKind::ConnectionAborted {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(EXHAUSTED).await;
                }
                continue;
            }
        };
        let local = stream.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        shared.open.set(shared.open.get() + 1);
        let open = Open(shared.clone());
        let info = Rc::new(ConnectionInfo::new(peer, local, false));
        tokio::task::spawn_local(connection(Stream::Tcp(stream), info, open, allows_h2));
    }
}

fn connection(
    stream: Stream,
    info: Rc<ConnectionInfo>,
    open: Open,
    allows_h2: bool,
) -> impl Future<Output = ()> {
    let served = serve(stream, info, open.0.gateway.clone(), open.0.settings.clone(), allows_h2);
    async move {
        served.await;
        drop(open);
    }
}
