//! What the operating system asks of the program.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for the word to end.
pub(crate) struct Ending {
    terminate: Signal,
    interrupt: Signal,
}

impl Ending {
    /// Takes the signals over; from now on they do not end the program by themselves.
    pub(crate) fn watch() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// SIGTERM, or Ctrl-C.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Waits for SIGUSR1: files were rotated, open them anew.
pub(crate) fn rotations() -> io::Result<Signal> {
    signal(SignalKind::user_defined1())
}

/// Waits for SIGUSR2: start the program anew and hand everything over to it.
pub(crate) fn upgrades() -> io::Result<Signal> {
    signal(SignalKind::user_defined2())
}
