//! A worker: one thread, one runtime, its own sockets, its own connections.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use lockgate_http::AnswerLimits;
use lockgate_http::server::{ServerSettings, drain};
use lockgate_telemetry::clock::{self, Moment};
use lockgate_telemetry::metric::Traffic;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::accept::{Listener, Watched, start_handed};
use super::quic::{self, QuicListener};
use super::service::{AccessLogSettings, Gateway};
use super::team::{Accepted, Member, Place};
use crate::snapshot::Live;

/// How often a worker tidies: the longest a log line waits.
const TIDY: Duration = Duration::from_secs(1);
/// How often a worker says that no connection more may be there, or why one is refused.
const SAID: Duration = Duration::from_secs(10);

/// What the program is at, as its workers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The sockets are there, but nobody accepts on them yet.
    Starting,
    /// Connections are accepted.
    Serving,
    /// Another process accepts connections. Those of this one end as they would have, except that clients are told
    /// to go: with their next answer, or by HTTP/2 at once.
    HandedOver,
    /// The program ends: connections that stay idle are closed after a grace.
    Ending,
}

/// What all workers of a program share.
#[derive(Clone)]
pub struct WorkerSettings {
    /// What clients are granted.
    pub server: ServerSettings,
    /// What nodes and functions are granted.
    pub answers: AnswerLimits,
    /// How long requests under way may take when the program ends.
    pub shutdown_timeout: Duration,
    /// How long idle connections may still ask for something when the program ends.
    pub idle_grace: Duration,
}

/// One worker, ready to run on its own thread.
pub struct Worker {
    /// Its sockets: other workers have their own at the same addresses.
    pub listeners: Vec<Listener>,
    /// Where HTTP/3 comes in, at one worker of all.
    pub quic: Vec<QuicListener>,
    /// What all workers share.
    pub settings: WorkerSettings,
    /// What is live.
    pub live: Live,
    /// Its access log.
    pub log: Option<AccessLogSettings>,
    /// What it counts of connections and requests.
    pub traffic: Arc<Traffic>,
    /// What the program is at.
    pub phase: watch::Receiver<Phase>,
    /// Its place among the other workers.
    pub place: Place,
    /// Is told when the sockets are watched: from then on nothing can fail.
    pub started: std::sync::mpsc::Sender<()>,
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
        let Self { listeners, quic, settings, live, log, traffic, mut phase, place, started } = self;
        let Place { member, mut handed } = place;
        settings.answers.set();
        let gateway = Rc::new(Gateway::new(live, log, traffic.clone()));
        let shared = Rc::new(Shared {
            gateway: gateway.clone(),
            settings: Rc::new(settings.server.clone()),
            member,
            traffic,
            closed: Notify::new(),
            said_full: Cell::new(None),
            announcing: RefCell::default(),
            said_refused: Cell::new(None),
        });
        let watched: Vec<_> = listeners.into_iter().map(Watched::new).collect::<io::Result<_>>()?;
        // Nobody waits for it any more where another worker could not start: the program ends.
        let _ = started.send(());
        drop(started);
        let tidying = tokio::task::spawn_local(every(TIDY, move || gateway.tidy()));
        reach(&mut phase, Phase::Serving).await;
        let accept = |watched: Watched| tokio::task::spawn_local(watched.accept(shared.clone()));
        let accepting: Vec<_> = watched.into_iter().map(accept).collect();
        let by_quic = quic::watch(quic, &shared, &phase);
        serve_handed(&shared, &mut handed, &mut phase).await;
        for task in accepting {
            task.abort();
        }
        finish(&shared, &mut handed, &mut phase, &settings).await;
        for endpoint in by_quic {
            endpoint.abort();
        }
        tidying.abort();
        shared.gateway.tidy();
        Ok(())
    }
}

/// Serves what other workers pass on, until the program stops accepting.
async fn serve_handed(
    shared: &Rc<Shared>,
    handed: &mut mpsc::Receiver<Accepted>,
    phase: &mut watch::Receiver<Phase>,
) {
    loop {
        tokio::select! {
            () = reach(phase, Phase::HandedOver) => return,
            Some(accepted) = handed.recv() => start_handed(shared, accepted),
        }
    }
}

/// Lets the connections end, within the time there is.
async fn finish(
    shared: &Rc<Shared>,
    handed: &mut mpsc::Receiver<Accepted>,
    phase: &mut watch::Receiver<Phase>,
    settings: &WorkerSettings,
) {
    let grace = |phase: Phase| if phase < Phase::Ending { Duration::MAX } else { settings.idle_grace };
    let mut at = *phase.borrow_and_update();
    drain(grace(at));
    let end = Instant::now() + settings.shutdown_timeout;
    loop {
        tokio::select! {
            () = shared.emptied() => {
                // Another worker may just be passing one on: it sends what it has begun to, and nothing after that.
                handed.close();
                while let Some(accepted) = handed.recv().await {
                    start_handed(shared, accepted);
                }
                if shared.member.open() == 0 {
                    return;
                }
            }
            Some(accepted) = handed.recv() => start_handed(shared, accepted),
            () = reach(phase, Phase::Ending), if at < Phase::Ending => {
                at = Phase::Ending;
                drain(grace(at));
            }
            () = tokio::time::sleep_until(end) => {
                let connections = shared.member.open();
                tracing::warn!(connections, "requests were cut off at the end of worker_shutdown_timeout");
                return;
            }
        }
    }
}

/// Waits until the program is that far.
pub(super) async fn reach(phase: &mut watch::Receiver<Phase>, far: Phase) {
    // An error means that nobody is left who could say so: the program ends.
    drop(phase.wait_for(|phase| *phase >= far).await);
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
pub(super) struct Shared {
    pub(super) gateway: Rc<Gateway>,
    pub(super) settings: Rc<ServerSettings>,
    pub(super) member: Member,
    pub(super) traffic: Arc<Traffic>,
    /// A connection has ended.
    pub(super) closed: Notify,
    said_full: Cell<Option<Moment>>,
    announcing: RefCell<Vec<(Arc<str>, Rc<ServerSettings>)>>,
    said_refused: Cell<Option<Moment>>,
}

impl Shared {
    async fn emptied(&self) {
        while self.member.open() > 0 {
            self.closed.notified().await;
        }
    }

    /// The settings of connections whose answers announce HTTP/3.
    pub(super) fn announcing(&self, alt_svc: &Arc<str>) -> Rc<ServerSettings> {
        let mut all = self.announcing.borrow_mut();
        if let Some((_, settings)) = all.iter().find(|(known, _)| known == alt_svc) {
            return settings.clone();
        }
        let announced = Some(alt_svc.as_ref().into());
        let settings =
            Rc::new(ServerSettings { alt_svc: announced, ..ServerSettings::clone(&self.settings) });
        all.push((alt_svc.clone(), settings.clone()));
        settings
    }

    /// Says that a new connection has to wait, but not for each of many.
    pub(super) fn say_full(&self) {
        if may_say(&self.said_full) {
            tracing::warn!(
                connections = self.member.open(),
                "worker_connections or lockgate.limits.connections is reached: new connections wait"
            );
        }
    }

    /// Says why a connection was not served that had to begin with a PROXY header, but not for each of many.
    pub(super) fn say_refused(&self, peer: SocketAddr, reason: &dyn std::fmt::Display) {
        if may_say(&self.said_refused) {
            tracing::warn!(%peer, %reason, "a connection with PROXY protocol is refused");
        }
    }
}

/// Whether something was not said just before.
fn may_say(said: &Cell<Option<Moment>>) -> bool {
    let now = clock::now();
    let is_due = said.get().is_none_or(|said| now.duration_since(said) >= SAID);
    if is_due {
        said.set(Some(now));
    }
    is_due
}
