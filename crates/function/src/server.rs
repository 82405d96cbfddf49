//! The thread that all functions live on: its listener, its pools, and how it ends.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

use crate::body::Budget;
use crate::bootstrap::Bootstraps;
use crate::description::{Description, InvalidDescription, Name};
use crate::events::Events;
use crate::front::{self, access::Check};
use crate::log::Sink;
use crate::pool::Pool;
use crate::watch as files;

/// Clients that are served at once; more wait until one leaves.
const MOST_CONNECTIONS: usize = 10_000;
/// The pause after a connection could not be taken, for want of file handles for instance.
const AFTER_TROUBLE: Duration = Duration::from_millis(50);
/// How long a client may take until it has sent the head of its next request: longer than a gateway keeps a
/// connection that idles, so that it is the gateway who ends it.
const HEAD_LIMIT: Duration = Duration::from_mins(2);

/// How long the first call of a connection may take to come once all of it ends: who was accepted just before is
/// answered.
const FIRST_CALL: Duration = Duration::from_secs(1);

/// What all functions share.
#[derive(Clone)]
pub struct ServerSettings {
    /// The region that functions believe to be in, such as `us-east-1`.
    pub region: String,
    /// A directory of ours, for the runtimes that we bring along.
    pub directory: PathBuf,
    /// Where each line of each log goes.
    pub sink: Sink,
    /// Checks signatures of the Invoke API and of functions with [`crate::Auth::Iam`]. Default: the Invoke API
    /// asks for none.
    pub check: Option<Arc<dyn Check>>,
}

/// Why functions cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address can be reached from elsewhere.
    #[error("functions are called on loopback alone, not on {0}")]
    NotLoopback(SocketAddr),
    /// The socket cannot be used.
    #[error("cannot listen on the functions' socket: {0}")]
    Listen(#[source] io::Error),
    /// A description is wrong.
    #[error("function {0}: {1}")]
    Description(Name, #[source] InvalidDescription),
    /// Two functions have one name.
    #[error("function {0} is there twice")]
    Twice(Name),
    /// Signatures are to be checked, and there is nothing to check them by.
    #[error("function {0} asks for signed calls, and no credentials are set to check them by")]
    NoCredentials(Name),
    /// Our runtimes cannot be written, or no thread can be started.
    #[error("functions cannot be run from {0}: {1}")]
    Directory(PathBuf, #[source] io::Error),
}

/// What all environments know.
pub(crate) struct Shared {
    pub(crate) region: Box<str>,
    pub(crate) sink: Sink,
    pub(crate) bootstraps: Bootstraps,
}

/// The functions and what stands in front of them.
pub(crate) struct Server {
    pub(crate) pools: BTreeMap<Box<str>, Rc<Pool>>,
    pub(crate) events: Rc<Events>,
    pub(crate) check: Option<Arc<dyn Check>>,
    pub(crate) region: Box<str>,
    pub(crate) budget: Budget,
}

/// Functions that run.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    hands_over: watch::Sender<bool>,
    stop: Option<oneshot::Sender<Duration>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Where they are called.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more clients, since another program does so on the same socket. Those that are served go on.
    pub fn hand_over(&self) {
        self.hands_over.send_replace(true);
    }

    /// Ends all of it: calls that are under way have so long to end, then every process is ended. Blocks until
    /// none is left.
    pub fn stop(mut self, grace: Duration) {
        self.end(grace);
    }

    fn end(&mut self, grace: Duration) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(grace);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// Starts a thread that runs the functions and takes calls on a socket, which has to be on loopback. Their processes start when they are called, or
/// at once where a minimum is set.
pub fn start(
    listener: std::net::TcpListener,
    settings: ServerSettings,
    functions: Vec<Description>,
) -> Result<Running, StartError> {
    let address = listener.local_addr().map_err(StartError::Listen)?;
    if !address.ip().is_loopback() {
        return Err(StartError::NotLoopback(address));
    }
    listener.set_nonblocking(true).map_err(StartError::Listen)?;
    let mut names = std::collections::HashSet::new();
    for function in &functions {
        let name = || function.name.clone();
        function.check().map_err(|error| StartError::Description(name(), error))?;
        if !names.insert(&function.name) {
            return Err(StartError::Twice(name()));
        }
        if function.auth == crate::Auth::Iam && settings.check.is_none() {
            return Err(StartError::NoCredentials(name()));
        }
    }
    let directory = settings.directory.clone();
    let cannot_run = |error| StartError::Directory(directory, error);
    let prepared = || -> io::Result<_> {
        let bootstraps = Bootstraps::write(&settings.directory)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopping) = oneshot::channel();
        let (hands_over, handed_over) = watch::channel(false);
        let work = Work { settings, functions, listener, bootstraps, stopping, handed_over };
        let thread = std::thread::Builder::new()
            .name("functions".to_owned())
            .spawn(move || LocalSet::new().block_on(&runtime, work.run()))?;
        Ok(Running { address, hands_over, stop: Some(stop), thread: Some(thread) })
    };
    prepared().map_err(cannot_run)
}

/// What the thread begins with.
struct Work {
    settings: ServerSettings,
    functions: Vec<Description>,
    listener: std::net::TcpListener,
    bootstraps: Bootstraps,
    stopping: oneshot::Receiver<Duration>,
    handed_over: watch::Receiver<bool>,
}

impl Work {
    async fn run(self) {
        // A socket that was bound can be taken over; without it there is nobody to serve.
        let Ok(listener) = TcpListener::from_std(self.listener) else { return };
        let region: Box<str> = self.settings.region.as_str().into();
        let shared = Rc::new(Shared {
            region: region.clone(),
            sink: self.settings.sink.clone(),
            bootstraps: self.bootstraps,
        });
        let pool = |description: Description| {
            (Box::from(description.name.as_str()), Pool::new(description, &shared))
        };
        let pools: BTreeMap<_, _> = self.functions.into_iter().map(pool).collect();
        let watcher = tokio::task::spawn_local(files::watch(pools.values().cloned().collect()));
        let events = Rc::default();
        let server =
            Rc::new(Server { pools, events, check: self.settings.check, region, budget: Budget::default() });
        let grace = accept(&server, listener, self.stopping, self.handed_over).await;
        watcher.abort();
        let by = Instant::now() + grace;
        let mut closing = JoinSet::new();
        for pool in server.pools.values() {
            let pool = pool.clone();
            closing.spawn_local(async move { pool.close(by).await });
        }
        while closing.join_next().await.is_some() {}
    }
}

/// Takes clients until told to stop; then those that are served finish. How much of the grace is left.
async fn accept(
    server: &Rc<Server>,
    listener: TcpListener,
    mut stopping: oneshot::Receiver<Duration>,
    mut handed_over: watch::Receiver<bool>,
) -> Duration {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    let (ending, ends) = watch::channel(false);
    let grace = loop {
        let accepted = tokio::select! {
            // Whoever holds the other end is gone: then there is no time left either.
            grace = &mut stopping => break grace.unwrap_or_default(),
            _ = handed_over.wait_for(|over| *over), if listener.is_some() => {
                listener = None;
                continue;
            }
            accepted = next_client(listener.as_ref()), if connections.len() < MOST_CONNECTIONS => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((socket, peer)) => {
                connections.spawn_local(serve(server.clone(), socket, peer, ends.clone()));
            }
            Err(_) => tokio::time::sleep(AFTER_TROUBLE).await,
        }
    };
    let began = Instant::now();
    ending.send_replace(true);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(grace, all).await;
    grace.saturating_sub(began.elapsed())
}

/// The next client; none ever without a listener.
async fn next_client(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

async fn serve(server: Rc<Server>, socket: TcpStream, peer: SocketAddr, mut ends: watch::Receiver<bool>) {
    // Without it answers are late, not wrong.
    let _ = socket.set_nodelay(true);
    let first_call = Rc::new(Notify::new());
    let called = first_call.clone();
    let service = service_fn(move |request| {
        called.notify_one();
        front::handle(server.clone(), peer, request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT);
    let connection = builder.serve_connection(TokioIo::new(socket), service);
    tokio::pin!(connection);
    // A client that breaks off is its own business.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = ends.wait_for(|ends| *ends) => {}
    }
    // A connection that has asked nothing yet would be closed at once, with its first call perhaps on the way.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = tokio::time::timeout(FIRST_CALL, first_call.notified()) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}
