//! Connections to HTTP/2 peers, of one worker: few, shared by the requests under way, opened as those need more.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use tokio::sync::Notify;

use crate::client::connect_any;
use crate::error::ClientError;
use crate::h1::client::Exchange;
use crate::h2::Http2Settings;
use crate::h2::guard::{Guard, Meter};
use crate::h2::outflow::SEND_BUFFER;
use crate::limits::of_answers;
use crate::peer::{Address, Peer, Protocol};
use crate::timer::{self, Timer};

/// Requests on one connection at a time, where the peer takes more.
const MAX_STREAMS: u32 = 128;
/// Bytes a peer may send ahead on one stream. A connection's window is that of all its streams: a reader that is
/// slow holds back no other.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Streams that clients gave up and that are remembered for a second: what the peer had sent before it knew is not
/// wrong.
const REMEMBERED: usize = 2048;
/// How long a peer may take to close a connection that is not used any more.
const CLOSING: Duration = Duration::from_secs(2);

type Sender = SendRequest<Bytes>;

thread_local! {
    static LINES: RefCell<HashMap<u64, Rc<Lines>>> = RefCell::default();
}

/// The connections to one peer.
struct Lines {
    open: RefCell<Vec<Rc<Line>>>,
    /// Told when a connection was opened, could not be, or has room again.
    changed: Notify,
    connecting: Cell<usize>,
    waiting: Cell<usize>,
    /// How many requests the connection opened last takes at a time.
    room: Cell<usize>,
}

/// A connection that requests share.
pub(super) struct Line {
    sender: RefCell<Option<Sender>>,
    peer: Arc<Peer>,
    remote: SocketAddr,
    lines: Rc<Lines>,
    active: Cell<usize>,
    requests: Cell<u32>,
    meter: Rc<Meter>,
    /// Runs while nothing is under way.
    idle: Timer,
}

/// A place for one request on a connection; given back when it is dropped.
pub(super) struct Slot {
    line: Rc<Line>,
    pub(super) sender: Sender,
    /// Whether nothing else was under way, on a connection that had served before.
    pub(super) was_idle: bool,
}

/// What a peer is asked over.
pub(super) enum Found {
    Line(Slot),
    /// It speaks HTTP/1.1; the connection that this was learnt from.
    Http1(Option<Box<Exchange>>),
}

/// A place on a connection to a peer, which is opened where none has room.
pub(super) async fn take(peer: &Arc<Peer>, limit: Duration) -> Result<Found, ClientError> {
    let lines = LINES.with(|all| all.borrow_mut().entry(peer.id).or_default().clone());
    if let Some(slot) = lines.free() {
        return Ok(Found::Line(slot));
    }
    let found = timer::within(limit, pin!(lines.open(peer))).await;
    found.unwrap_or_else(|| Err(ClientError::connect_timeout(peer)))
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            open: RefCell::default(),
            changed: Notify::new(),
            connecting: Cell::new(0),
            waiting: Cell::new(0),
            room: Cell::new(MAX_STREAMS as usize),
        }
    }
}

/// Counts while it lives.
struct Counted<'a>(&'a Cell<usize>);

impl<'a> Counted<'a> {
    fn new(count: &'a Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Tells whoever waits for a connection that this attempt is over, however it ended.
struct Attempt<'a>(&'a Lines, #[expect(dead_code, reason = "counts while it lives")] Counted<'a>);

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.0.changed.notify_waiters();
    }
}

impl Lines {
    /// A place on the first connection that has one: the others become idle and close.
    fn free(self: &Rc<Self>) -> Option<Slot> {
        loop {
            let line = self.open.borrow().iter().find(|line| line.has_room())?.clone();
            if let Some(slot) = line.slot() {
                return Some(slot);
            }
            line.retire();
        }
    }

    /// Connects, or waits for those who do already when their connections will have a place.
    async fn open(self: &Rc<Self>, peer: &Arc<Peer>) -> Result<Found, ClientError> {
        loop {
            let changed = self.changed.notified();
            if peer.is_http1() {
                return Ok(Found::Http1(None));
            }
            if let Some(slot) = self.free() {
                return Ok(Found::Line(slot));
            }
            if self.waiting.get() + self.connecting.get() >= self.connecting.get() * self.room.get() {
                return self.connect(peer).await;
            }
            let _waiting = Counted::new(&self.waiting);
            changed.await;
        }
    }

    async fn connect(self: &Rc<Self>, peer: &Arc<Peer>) -> Result<Found, ClientError> {
        let _attempt = Attempt(self, Counted::new(&self.connecting));
        let (stream, remote) = connect_any(peer, peer.offering()).await?;
        if !stream.speaks_http2() && peer.is_tls() {
            if peer.protocol() == Protocol::Http2 {
                let source = std::io::Error::other("the peer does not offer HTTP/2");
                return Err(ClientError::Tls { peer: peer.label().to_owned(), source });
            }
            peer.choose_http1();
            return Ok(Found::Http1(Some(Exchange::new(stream, peer.clone(), remote))));
        }
        let failed = |error| ClientError::Connect { peer: peer.label().to_owned(), source: into_io(error) };
        let meter = Meter::new(&Http2Settings::default());
        let (sender, connection) = greet(Guard::of_server(stream, meter.clone())).await.map_err(failed)?;
        self.room.set(room(&sender).max(1));
        let line = Rc::new(Line {
            sender: RefCell::new(Some(sender)),
            peer: peer.clone(),
            remote,
            lines: self.clone(),
            active: Cell::new(0),
            requests: Cell::new(0),
            meter,
            idle: Timer::new(),
        });
        self.open.borrow_mut().push(line.clone());
        let slot = line.slot();
        tokio::task::spawn_local(drive(connection, line));
        slot.map(Found::Line).ok_or_else(|| ClientError::Refused { peer: peer.label().to_owned() })
    }
}

/// Opens with the preface and waits for the peer's: how many requests it takes is known before the first is sent,
/// and a server of HTTP/1.1 is found out before it has seen one.
async fn greet(stream: Guard) -> Result<(Sender, Connection<Guard, Bytes>), h2::Error> {
    let (sender, mut connection) = Builder::new()
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(STREAM_WINDOW * MAX_STREAMS)
        .max_header_list_size(u32::try_from(of_answers().head).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_reset_streams(REMEMBERED)
        // Each is of a request of this side's; a connection that many share must not end for them.
        .max_local_error_reset_streams(None)
        // None until the peer's settings say otherwise.
        .initial_max_send_streams(0)
        .handshake(stream)
        .await?;
    poll_fn(|cx| match std::pin::Pin::new(&mut connection).poll(cx) {
        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        Poll::Ready(Ok(())) => Poll::Ready(Err(h2::Reason::NO_ERROR.into())),
        Poll::Pending if sender.current_max_send_streams() > 0 => Poll::Ready(Ok(())),
        Poll::Pending => Poll::Pending,
    })
    .await?;
    Ok((sender, connection))
}

fn into_io(error: h2::Error) -> std::io::Error {
    let text = format!("HTTP/2 could not begin: {error}");
    error.into_io().unwrap_or_else(|| std::io::Error::other(text))
}

/// How many requests a connection takes at a time.
fn room(sender: &Sender) -> usize {
    sender.current_max_send_streams().min(MAX_STREAMS as usize)
}

/// Moves a connection's bytes, until it ends or was idle for too long.
async fn drive(mut connection: Connection<Guard, Bytes>, line: Rc<Line>) {
    let mut is_leaving = false;
    loop {
        let is_over = poll_fn(|cx| match std::pin::Pin::new(&mut connection).poll(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if line.meter.fault().is_some() => {
                tracing::warn!(node = line.peer.label(), "node floods its HTTP/2 connection with frames");
                Poll::Ready(true)
            }
            Poll::Pending => line.idle.poll(cx).map(|()| false),
        });
        if is_over.await || is_leaving {
            break;
        }
        if line.active.get() > 0 {
            line.idle.disarm();
            continue;
        }
        is_leaving = true;
        line.retire();
        line.idle.arm(CLOSING);
    }
    line.retire();
}

impl Line {
    fn has_room(&self) -> bool {
        self.sender.borrow().as_ref().is_some_and(|sender| self.active.get() < room(sender))
    }

    /// A place on it; `None` when it takes no new requests any more.
    fn slot(self: &Rc<Self>) -> Option<Slot> {
        let mut sender = self.sender.borrow().clone()?;
        let mut cx = Context::from_waker(Waker::noop());
        let is_open = matches!(sender.poll_ready(&mut cx), Poll::Ready(Ok(())));
        let is_current = match &self.peer.address {
            Address::Fixed(_) => true,
            Address::Named(name) => name.is_current(self.remote),
        };
        if !is_open || !is_current {
            return None;
        }
        let (active, served) = (self.active.get(), self.requests.get());
        self.active.set(active + 1);
        self.requests.set(served.saturating_add(1));
        self.idle.disarm();
        let limits = self.peer.keep_alive;
        if limits.connections == 0 || (limits.requests > 0 && served + 1 >= limits.requests) {
            self.retire();
        }
        Some(Slot { line: self.clone(), sender, was_idle: active == 0 && served > 0 })
    }

    /// Gives it no more requests: it ends with those it has.
    fn retire(self: &Rc<Self>) {
        self.sender.take();
        let mut open = self.lines.open.borrow_mut();
        open.retain(|line| !Rc::ptr_eq(line, self));
        let is_last = open.is_empty() && self.lines.connecting.get() + self.lines.waiting.get() == 0;
        drop(open);
        if is_last {
            // A thread that is ending has no connections any more.
            let _ = LINES.try_with(|all| {
                let mut all = all.borrow_mut();
                if all.get(&self.peer.id).is_some_and(|lines| Rc::ptr_eq(lines, &self.lines)) {
                    all.remove(&self.peer.id);
                }
            });
        }
    }
}

impl Slot {
    /// The address at the other end.
    pub(super) fn remote(&self) -> SocketAddr {
        self.line.remote
    }

    /// Host and port, as configured.
    pub(super) fn label(&self) -> String {
        self.line.peer.label().to_owned()
    }

    /// The connection takes no more requests.
    pub(super) fn retire(&self) {
        self.line.retire();
    }

    /// What the peer was seen to do on the connection.
    pub(super) fn meter(&self) -> &Meter {
        &self.line.meter
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let line = &self.line;
        line.active.set(line.active.get() - 1);
        if line.active.get() == 0 {
            if line.sender.borrow().is_none() || timer::is_draining() {
                line.idle.arm(Duration::ZERO);
            } else {
                line.idle.arm_open(line.peer.keep_alive.timeout);
            }
        }
        if line.lines.waiting.get() > 0 {
            line.lines.changed.notify_waiters();
        }
    }
}
