//! The server's side of an HTTP/2 connection: one task for the connection, one for each request.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Ping, PingPong, Reason, RecvStream};
use lockgate_telemetry::clock::{self, Moment};

use super::exchange::Exchange;
use super::guard::{Guard, Meter};
use super::outflow::SEND_BUFFER;
use crate::ConnectionInfo;
use crate::buffer::ReadBuffer;
use crate::server::{ServerSettings, Service};
use crate::stream::Stream;
use crate::timer::{self, Timer};

/// Bytes a client may send ahead on one stream, and on all of a connection.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Streams that were reset and are remembered for a while: what the client had sent before it knew is not wrong. An
/// answer that comes before its upload has ended resets it, so there are many of them in honest traffic.
const REMEMBERED: usize = 2048;
const REMEMBERED_FOR: Duration = Duration::from_millis(500);

/// Serves an HTTP/2 connection to its end; `buffer` holds what was read of it already.
pub(crate) async fn serve<S: Service>(
    stream: Stream,
    buffer: ReadBuffer,
    info: Rc<ConnectionInfo>,
    service: Rc<S>,
    settings: Rc<ServerSettings>,
) {
    let meter = Meter::new(&settings.http2);
    let handshake = builder(&settings).handshake(Guard::new(stream, buffer, meter.clone()));
    let Some(Ok(connection)) = timer::within(settings.head_timeout, pin!(handshake)).await else {
        return;
    };
    let mut line = Line::new(connection, meter, settings);
    loop {
        match std::future::poll_fn(|cx| line.poll(cx)).await {
            Event::Request(request, respond) => {
                let exchange = Exchange {
                    info: info.clone(),
                    service: service.clone(),
                    settings: line.settings.clone(),
                    meter: line.meter.clone(),
                    _active: line.active.count(),
                };
                line.count_request();
                tokio::task::spawn_local(exchange.run(request, respond));
            }
            Event::Over => return,
            Event::Fault(reason) => line.abort(reason),
            Event::Idle if line.leave() => return,
            Event::Idle => {}
        }
    }
}

/// What is told to a client, and what the `h2` crate bounds by itself.
pub(super) fn builder(settings: &ServerSettings) -> Builder {
    let limits = &settings.http2;
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(limits.max_streams)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(u32::try_from(settings.max_head).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_reset_streams(REMEMBERED)
        .reset_stream_duration(REMEMBERED_FOR)
        .max_pending_accept_reset_streams(limits.max_resets as usize)
        .max_local_error_reset_streams(Some(limits.max_errors as usize))
        .enable_connect_protocol();
    builder
}

/// A connection, and what bounds its waits.
struct Line {
    connection: Connection<Guard, Bytes>,
    meter: Rc<Meter>,
    settings: Rc<ServerSettings>,
    active: Rc<Requests>,
    idle: Timer,
    head: Option<Timer>,
    keep_alive: Option<KeepAlive>,
    state: State,
    requests_left: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The client was told to go, and has what it asked for until then.
    Leaving,
    /// It was told why, and nothing more.
    Ending,
}

/// What happens on a connection.
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is made")]
enum Event {
    Request(http::Request<RecvStream>, SendResponse<Bytes>),
    /// Nothing happened for as long as nothing may.
    Idle,
    Fault(Reason),
    Over,
}

impl Line {
    fn new(connection: Connection<Guard, Bytes>, meter: Rc<Meter>, settings: Rc<ServerSettings>) -> Self {
        let mut line = Self {
            connection,
            meter,
            active: Rc::new(Requests { count: Cell::new(0), ended: Cell::new(clock::recent()) }),
            idle: Timer::new(),
            head: None,
            keep_alive: None,
            state: State::Open,
            requests_left: settings.max_requests,
            settings,
        };
        // The first request is always waited for.
        let first = if line.settings.idle_timeout.is_zero() {
            line.settings.head_timeout
        } else {
            line.settings.idle_timeout
        };
        line.idle.arm_open(first);
        if let Some(interval) = line.settings.http2.ping_interval {
            line.keep_alive = line.connection.ping_pong().map(|pings| KeepAlive::new(pings, interval));
        }
        line
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        match self.connection.poll_accept(cx) {
            Poll::Ready(Some(Ok((request, respond)))) => {
                return Poll::Ready(Event::Request(request, respond));
            }
            Poll::Ready(_) => return Poll::Ready(Event::Over),
            Poll::Pending => {}
        }
        if self.state != State::Ending {
            if self.meter.is_closing() {
                self.state = State::Ending;
                self.idle.arm(self.settings.linger_timeout);
            } else if let Poll::Ready(reason) = self.poll_fault(cx) {
                return Poll::Ready(Event::Fault(reason));
            }
        }
        self.idle.poll(cx).map(|()| Event::Idle)
    }

    fn poll_fault(&mut self, cx: &mut Context<'_>) -> Poll<Reason> {
        if let Some(reason) = self.meter.fault() {
            return Poll::Ready(reason);
        }
        if self.meter.is_in_head() {
            let head = self.head.get_or_insert_with(|| {
                let timer = Timer::new();
                timer.arm(self.settings.head_timeout);
                timer
            });
            if head.poll(cx).is_ready() {
                return Poll::Ready(Reason::ENHANCE_YOUR_CALM);
            }
        } else {
            self.head = None;
        }
        match &mut self.keep_alive {
            Some(keep_alive) => keep_alive.poll(self.meter.frames(), cx).map(|()| Reason::NO_ERROR),
            None => Poll::Pending,
        }
    }

    /// Ends a connection whose client broke the rules, or is gone.
    fn abort(&mut self, reason: Reason) {
        self.connection.abrupt_shutdown(reason);
        self.state = State::Ending;
        self.idle.arm(self.settings.linger_timeout);
    }

    /// Tells the client to go with the last request that a connection may have.
    fn count_request(&mut self) {
        self.requests_left = self.requests_left.saturating_sub(1);
        if self.requests_left == 0 && self.state == State::Open {
            self.dismiss();
        }
    }

    /// RFC 9113 §6.8: first that it is to go, then, a round trip later, which request was the last.
    fn dismiss(&mut self) {
        self.connection.graceful_shutdown();
        self.state = State::Leaving;
        self.idle.arm(self.settings.linger_timeout);
    }

    /// Looks at a connection whose timer has fired; whether it is over.
    fn leave(&mut self) -> bool {
        let is_idle = self.active.count.get() == 0;
        match self.state {
            // A client that does not close its side is not waited for; one that has requests under way is.
            State::Ending => return true,
            State::Leaving if is_idle => return true,
            State::Leaving => self.idle.arm(self.settings.linger_timeout),
            State::Open => {
                let since = self.active.ended.get().elapsed();
                let left = self.settings.idle_timeout.saturating_sub(since);
                if timer::is_draining() || (is_idle && left.is_zero()) {
                    self.dismiss();
                } else {
                    self.idle.arm_open(if is_idle { left } else { self.settings.idle_timeout });
                }
            }
        }
        false
    }
}

/// The requests under way on a connection.
struct Requests {
    count: Cell<usize>,
    /// When the last one ended.
    ended: Cell<Moment>,
}

impl Requests {
    fn count(self: &Rc<Self>) -> Active {
        self.count.set(self.count.get() + 1);
        Active(self.clone())
    }
}

/// One request, counted while it lives.
pub(super) struct Active(Rc<Requests>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.count.set(self.0.count.get() - 1);
        self.0.ended.set(clock::recent());
    }
}

/// Asks a client that is silent whether it is there.
struct KeepAlive {
    pings: PingPong,
    interval: Duration,
    timer: Timer,
    /// Frames seen when the timer was armed.
    seen: u64,
    is_asked: bool,
}

impl KeepAlive {
    fn new(pings: PingPong, interval: Duration) -> Self {
        let timer = Timer::new();
        timer.arm(interval);
        Self { pings, interval, timer, seen: 0, is_asked: false }
    }

    /// Ready when the client gave no sign in time.
    fn poll(&mut self, frames: u64, cx: &mut Context<'_>) -> Poll<()> {
        while self.timer.poll(cx).is_ready() {
            let is_silent = frames == self.seen;
            if is_silent && self.is_asked {
                return Poll::Ready(());
            }
            self.is_asked = is_silent && self.pings.send_ping(Ping::opaque()).is_ok();
            self.seen = frames;
            self.timer.arm(self.interval);
        }
        if self.is_asked && self.pings.poll_pong(cx).is_ready() {
            self.is_asked = false;
        }
        Poll::Pending
    }
}
