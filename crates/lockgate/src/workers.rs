//! The threads of the data plane: what they are told, how they are started, how their end is waited for.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use anyhow::Context;
use lockgate_http::server::ServerSettings;
use lockgate_plugin::Variable;
use lockgate_proxy::{
    AccessLogSettings, ConnectionLimits, Listener, Live, Phase, Place, Worker, WorkerSettings, places,
};
use lockgate_telemetry::access_log::{AccessLog, Template};
use lockgate_telemetry::metric::Metrics;
use tokio::sync::watch;

use crate::listen::Sockets;
use crate::settings::Settings;

/// A worker's thread.
pub(crate) type Thread = JoinHandle<io::Result<()>>;

/// How many workers there should be, and how many are at work.
#[derive(Clone, Debug)]
pub(crate) struct Crew {
    /// How many there should be.
    pub(crate) size: usize,
    at_work: Arc<AtomicUsize>,
}

/// Counted as a worker at work while it lives, however that ends.
pub(crate) struct AtWork(Arc<AtomicUsize>);

impl Crew {
    /// A crew of which nobody is at work yet.
    pub(crate) fn new(size: usize) -> Self {
        Self { size, at_work: Arc::default() }
    }

    /// How many are at work.
    pub(crate) fn at_work(&self) -> usize {
        self.at_work.load(Ordering::Acquire)
    }

    /// One begins.
    pub(crate) fn begin(&self) -> AtWork {
        self.at_work.fetch_add(1, Ordering::AcqRel);
        AtWork(self.at_work.clone())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Starts a thread for each worker; afterwards nothing is left of them that can fail.
pub(crate) fn start(
    settings: &Settings,
    sockets: &Sockets,
    (live, metrics): (&Live, &Metrics),
    log: Option<&(AccessLog, Arc<Template<Variable>>)>,
    phase: &watch::Receiver<Phase>,
    crew: &Crew,
) -> anyhow::Result<Vec<Thread>> {
    let shared = WorkerSettings {
        server: server_settings(settings),
        answers: settings.limits.answers(),
        shutdown_timeout: settings.shutdown_timeout,
        idle_grace: settings.http.keepalive_min_timeout,
    };
    let count = settings.workers.count().get();
    let (started, starts) = mpsc::channel();
    let mut quic = sockets.quic(live)?;
    let start = |(number, (listeners, place)): (usize, (Vec<Listener>, Place))| {
        let worker = Worker {
            listeners,
            quic: if number == 0 { std::mem::take(&mut quic) } else { Vec::new() },
            settings: shared.clone(),
            live: live.clone(),
            log: log.map(|(log, template)| AccessLogSettings {
                template: template.clone(),
                writer: log.writer().gathering(settings.access_log.buffer),
            }),
            traffic: metrics.traffic(),
            phase: phase.clone(),
            place,
            started: started.clone(),
        };
        let at_work = crew.begin();
        let run = move || {
            let _at_work = at_work;
            worker.run()
        };
        std::thread::Builder::new().name(format!("worker-{number}")).spawn(run)
    };
    let limits =
        ConnectionLimits { worker: settings.limits.worker_connections, all: settings.limits.connections };
    let seats = sockets.of_workers(count)?.into_iter().zip(places(count, limits));
    let threads: Vec<Thread> =
        seats.enumerate().map(start).collect::<io::Result<_>>().context("a worker cannot be started")?;
    drop(started);
    if starts.iter().count() < count {
        anyhow::bail!("a worker cannot be started: it could not watch its sockets");
    }
    Ok(threads)
}

fn server_settings(settings: &Settings) -> ServerSettings {
    let version = concat!("lockgate/", env!("CARGO_PKG_VERSION"));
    ServerSettings {
        idle_timeout: settings.http.keepalive_timeout,
        head_timeout: settings.http.client_header_timeout,
        body_timeout: settings.http.client_body_timeout,
        send_timeout: settings.http.send_timeout,
        linger_timeout: settings.http.lingering_timeout,
        max_head: settings.limits.head,
        limits: settings.limits.message,
        max_pipelined: settings.limits.pipelined,
        max_requests: settings.limits.keepalive_requests.unwrap_or(u64::MAX),
        max_body: settings.http.client_max_body_size.unwrap_or(u64::MAX),
        server: Some(if settings.server_tokens { version } else { "lockgate" }.into()),
        alt_svc: None,
        http2: settings.http.http2.clone(),
        passes_expect: settings.pass_expect,
    }
}

/// Waits for the end of all.
pub(crate) fn join(workers: Vec<Thread>) -> anyhow::Result<()> {
    for worker in workers {
        worker.join().map_err(|_| anyhow::anyhow!("a worker broke down"))??;
    }
    Ok(())
}
