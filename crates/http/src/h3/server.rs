//! The server's side of an HTTP/3 connection: one task for the connection, one for each request.

use std::cell::Cell;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use h3::error::Code;
use h3::server::RequestResolver;
use lockgate_telemetry::clock::{self, Moment};
use quinn::crypto::rustls::HandshakeData;

use super::exchange::Exchange;
use super::frames::Bounds;
use super::quic::{self, Arrived, Connection};
use crate::ConnectionInfo;
use crate::server::{ServerSettings, Service};
use crate::timer::{self, Timer};
use crate::tls::TlsInfo;

/// Serves an HTTP/3 connection, whose handshake is done, to its end.
pub(super) async fn serve<S: Service>(
    connection: quinn::Connection,
    local: SocketAddr,
    service: Rc<S>,
    settings: Rc<ServerSettings>,
) {
    let bounds = Bounds { head: settings.max_head as u64, others: settings.http2.max_control_frames };
    let arrived = Arrived::default();
    let backend = Connection::new(connection.clone(), bounds, arrived.clone());
    let mut builder = h3::server::builder();
    builder.max_field_section_size(settings.max_head as u64).send_grease(false);
    let opening = timer::within(settings.head_timeout, pin!(builder.build(backend))).await;
    let Some(Ok(h3)) = opening else { return };
    let mut line = Line {
        info: Rc::new(info(&connection, local)),
        connection,
        h3,
        local,
        service,
        tally: Rc::new(Tally::new()),
        idle: Timer::new(),
        is_leaving: false,
        requests_left: settings.max_requests,
        settings,
    };
    line.idle.arm_open(line.settings.idle_timeout);
    loop {
        match line.next().await {
            Event::Request(resolver) => {
                if let Some(stopped) = arrived.borrow_mut().take() {
                    let exchange = Exchange {
                        info: line.info(),
                        service: line.service.clone(),
                        settings: line.settings.clone(),
                        active: Tally::count(&line.tally),
                        stopped,
                    };
                    tokio::task::spawn_local(exchange.run(*resolver));
                }
                if line.tally.is_flooded(line.settings.http2.max_resets) {
                    return line.connection.close(quic::number(Code::H3_EXCESSIVE_LOAD.value()), b"");
                }
                line.count_request().await;
            }
            Event::Idle if line.leave().await => return,
            Event::Idle => {}
            Event::Over => return,
        }
    }
}

fn info(connection: &quinn::Connection, local: SocketAddr) -> ConnectionInfo {
    let ip = connection.local_ip().unwrap_or_else(|| local.ip());
    let local = SocketAddr::new(ip.to_canonical(), local.port());
    let mut info = ConnectionInfo::new(connection.remote_address(), local, true);
    let handshake = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    let sni = handshake.and_then(|data| data.server_name).unwrap_or_default().to_ascii_lowercase();
    info.tls = Some(Box::new(TlsInfo {
        name: sni.as_str().into(),
        sni: (!sni.is_empty()).then(|| sni.into()),
        version: "TLSv1.3",
        // quinn does not say.
        cipher: "",
        is_resumed: false,
        // Clients are not asked for certificates.
        terms: None,
        client: None,
    }));
    info
}

/// A connection, and what bounds its waits.
struct Line<S> {
    connection: quinn::Connection,
    h3: h3::server::Connection<Connection, Bytes>,
    local: SocketAddr,
    info: Rc<ConnectionInfo>,
    service: Rc<S>,
    settings: Rc<ServerSettings>,
    tally: Rc<Tally>,
    idle: Timer,
    /// The client was told to go, and has what it asked for until then.
    is_leaving: bool,
    requests_left: u64,
}

/// What happens on a connection.
enum Event {
    Request(Box<RequestResolver<Connection, Bytes>>),
    /// Nothing happened for as long as nothing may.
    Idle,
    Over,
}

impl<S> Line<S> {
    async fn next(&mut self) -> Event {
        let mut accept = pin!(self.h3.accept());
        std::future::poll_fn(|cx| match accept.as_mut().poll(cx) {
            Poll::Ready(Ok(Some(resolver))) => Poll::Ready(Event::Request(Box::new(resolver))),
            Poll::Ready(_) => Poll::Ready(Event::Over),
            Poll::Pending => self.idle.poll(cx).map(|()| Event::Idle),
        })
        .await
    }

    /// Where the client is now: a connection may go over to another address (RFC 9000 §9).
    fn info(&mut self) -> Rc<ConnectionInfo> {
        let peer = self.connection.remote_address();
        if (peer.ip().to_canonical(), peer.port()) != (self.info.peer.ip(), self.info.peer.port()) {
            self.info = Rc::new(info(&self.connection, self.local));
        }
        self.info.clone()
    }

    /// Tells the client to go with the last request that a connection may have.
    async fn count_request(&mut self) {
        self.requests_left = self.requests_left.saturating_sub(1);
        if self.requests_left == 0 && !self.is_leaving {
            self.dismiss().await;
        }
    }

    /// RFC 9114 §5.2: it is to go; what it asks for from now on is rejected, to be asked elsewhere.
    async fn dismiss(&mut self) {
        // It fails for a connection that is gone.
        let _ = self.h3.shutdown(0).await;
        self.is_leaving = true;
        self.idle.arm(self.settings.linger_timeout);
    }

    /// Looks at a connection whose timer has fired; whether it is over.
    async fn leave(&mut self) -> bool {
        let is_idle = self.tally.count.get() == 0;
        if self.is_leaving {
            self.idle.arm(self.settings.linger_timeout);
            // What was sent last may be on its way for as long.
            return is_idle && self.tally.ended.get().elapsed() >= self.settings.linger_timeout;
        }
        let left = self.settings.idle_timeout.saturating_sub(self.tally.ended.get().elapsed());
        if timer::is_draining() || (is_idle && left.is_zero()) {
            self.dismiss().await;
        } else {
            self.idle.arm_open(if is_idle { left } else { self.settings.idle_timeout });
        }
        false
    }
}

/// The requests of a connection.
pub(super) struct Tally {
    /// Those under way.
    count: Cell<usize>,
    /// When the last one ended.
    ended: Cell<Moment>,
    /// Those that ended without an answer and were not made good for by answered ones.
    given_up: Cell<u32>,
}

impl Tally {
    fn new() -> Self {
        Self { count: Cell::new(0), ended: Cell::new(clock::recent()), given_up: Cell::new(0) }
    }

    fn count(this: &Rc<Self>) -> Active {
        this.count.set(this.count.get() + 1);
        Active { tally: this.clone(), is_answered: false }
    }

    /// Whether the client takes back more than it may (as CVE-2023-44487 by HTTP/2).
    fn is_flooded(&self, max: u32) -> bool {
        self.given_up.get() > max
    }
}

/// One request, counted while it lives.
pub(super) struct Active {
    tally: Rc<Tally>,
    is_answered: bool,
}

impl Active {
    /// Its answer is out.
    pub(super) fn has_answered(&mut self) {
        self.is_answered = true;
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        let Tally { count, ended, given_up } = &*self.tally;
        count.set(count.get() - 1);
        ended.set(clock::recent());
        let level = given_up.get();
        given_up.set(if self.is_answered { level.saturating_sub(1) } else { level.saturating_add(1) });
    }
}
