//! What happens to a gateway while it serves: files are rotated, the next one takes over, it is told to end.

use std::io;
use std::path::Path;

use lockgate_proxy::Phase;
use lockgate_telemetry::access_log::AccessLog;
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, watch};

use crate::control::{Asked, Control, tell_manager};
use crate::handover::{Program, Successor};
use crate::listen::Sockets;
use crate::signal::{Ending, rotations, upgrades};
use crate::store::Kept;

/// Everything that may be asked of a running gateway.
pub(crate) struct Events {
    /// The word to end.
    pub(crate) ending: Ending,
    rotations: Signal,
    upgrades: Signal,
    asking: mpsc::Sender<Asked>,
    asked: mpsc::Receiver<Asked>,
}

/// What the next gateway is given.
pub(crate) struct Giving<'a> {
    /// How it is called.
    pub(crate) program: &'a Program,
    /// The sockets.
    pub(crate) sockets: &'a Sockets,
    /// The store.
    pub(crate) store: &'a Kept,
    /// What this one is at.
    pub(crate) phase: &'a watch::Sender<Phase>,
}

impl Events {
    /// Takes the signals over.
    pub(crate) fn watch() -> io::Result<Self> {
        let (asking, asked) = mpsc::channel(1);
        Ok(Self { ending: Ending::watch()?, rotations: rotations()?, upgrades: upgrades()?, asking, asked })
    }

    /// Can be found by the command line from now on, and by whoever manages services.
    pub(crate) fn listen(&self, data_dir: &Path) {
        tell_manager();
        match Control::listen(data_dir) {
            Ok(control) => drop(tokio::spawn(control.run(self.asking.clone()))),
            Err(error) => tracing::warn!(%error, "lockgate upgrade will not find this gateway; SIGUSR2 will"),
        }
    }

    /// Attends to what is asked until this gateway is to end; `true` where another one has taken over.
    pub(crate) async fn attend(&mut self, giving: &Giving<'_>, log: Option<&AccessLog>) -> bool {
        loop {
            let asked = tokio::select! {
                () = self.ending.wait() => return false,
                Some(()) = self.rotations.recv() => {
                    if let Some(log) = log {
                        log.reopen();
                    }
                    continue;
                }
                Some(()) = self.upgrades.recv() => None,
                Some(asked) = self.asked.recv() => Some(asked),
            };
            let outcome = tokio::select! {
                () = self.ending.wait() => return false,
                outcome = giving.hand_over() => outcome,
            };
            if let Err(error) = &outcome {
                tracing::error!("the next gateway did not start, this one goes on: {error:#}");
            }
            if let Some(asked) = asked {
                asked.answer(&outcome).await;
            }
            if outcome.is_ok() {
                return true;
            }
        }
    }
}

impl Giving<'_> {
    /// Starts the next gateway and gives it everything; gives its process id. Where that fails, this one has
    /// everything as before.
    async fn hand_over(&self) -> anyhow::Result<u32> {
        let mut successor = Successor::start(self.program)?;
        if let Err(error) = self.give(&mut successor).await {
            // It has to be gone before the store can be opened.
            drop(successor);
            self.store.resume().await?;
            return Err(error);
        }
        self.phase.send_replace(Phase::HandedOver);
        // What it has to say now changes nothing, but who waits for an answer should find it at work.
        if let Err(error) = successor.begun().await {
            tracing::error!("the next gateway has taken over and is in trouble: {error:#}");
        }
        Ok(successor.id())
    }

    async fn give(&self, successor: &mut Successor) -> anyhow::Result<()> {
        successor.give(self.sockets.to_give()?).await?;
        self.store.release().await?;
        successor.give_store().await?;
        successor.let_go()
    }
}
