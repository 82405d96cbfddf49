//! Who writes the log: workers fill buffers, one thread writes them, and nobody ever waits for a disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

/// A worker's buffer goes to the thread when it has this many bytes, unless told otherwise.
const BUFFER: usize = 64 * 1024;
/// What may be told: with less, a burst of lines would fill the channel; with more, memory.
const BUFFERS: RangeInclusive<usize> = 4 * 1024..=1024 * 1024;
/// Room for a line behind a full buffer.
const LINE: usize = 1024;
/// How many buffers may wait for the thread: 2 MiB of the usual size.
const WAITING: usize = 32;
/// How long closing waits for the last lines to be written.
const PATIENCE: Duration = Duration::from_secs(2);

/// An open log. Dropping it writes what was flushed before, for at most two seconds.
#[derive(Debug)]
pub struct AccessLog {
    sender: SyncSender<Batch>,
    shared: Arc<Shared>,
    done: Receiver<()>,
}

#[derive(Debug, Default)]
struct Shared {
    dropped: AtomicU64,
    should_reopen: AtomicBool,
    should_close: AtomicBool,
}

/// Lines on their way; none at all is a nudge to look at what was asked for.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    lines: u64,
}

impl AccessLog {
    /// Opens a log: a file that is appended to, `/dev/stdout` or `/dev/stderr`.
    pub fn open(path: &Path) -> io::Result<Self> {
        let sink = Sink::open(path)?;
        let (sender, batches) = sync_channel(WAITING);
        let (finish, done) = sync_channel(1);
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        thread::Builder::new().name("access-log".to_owned()).spawn(move || {
            write_all(sink, &batches, &own);
            // Nobody may be waiting any more.
            let _ = finish.try_send(());
        })?;
        Ok(Self { sender, shared, done })
    }

    /// A writer for one worker.
    pub fn writer(&self) -> Writer {
        Writer {
            batch: Batch::default(),
            buffer: BUFFER,
            sender: self.sender.clone(),
            shared: self.shared.clone(),
        }
    }

    /// Opens the file anew, once what waits is written: for log rotation.
    pub fn reopen(&self) {
        self.shared.should_reopen.store(true, Ordering::Release);
        self.nudge();
    }

    /// How many lines were dropped since the log was opened, because the thread was behind or could not write.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    fn nudge(&self) {
        // A full channel means that the thread is about to look anyway.
        let _ = self.sender.try_send(Batch::default());
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.shared.should_close.store(true, Ordering::Release);
        self.nudge();
        // An output that takes nothing must not keep the program from ending.
        let _ = self.done.recv_timeout(PATIENCE);
    }
}

/// One worker's end of a log. Dropping it flushes.
#[derive(Debug)]
pub struct Writer {
    batch: Batch,
    buffer: usize,
    sender: SyncSender<Batch>,
    shared: Arc<Shared>,
}

impl Writer {
    /// Gathers so many bytes before they are handed over: at least 4 KiB, at most 1 MiB; 64 KiB by default.
    #[must_use]
    pub fn gathering(mut self, bytes: usize) -> Self {
        self.buffer = bytes.clamp(*BUFFERS.start(), *BUFFERS.end());
        self
    }

    /// Adds a line: `line` writes it, without its end.
    pub fn append(&mut self, line: impl FnOnce(&mut Vec<u8>)) {
        if self.batch.bytes.capacity() == 0 {
            self.batch.bytes.reserve_exact(self.buffer + LINE);
        }
        line(&mut self.batch.bytes);
        self.batch.bytes.push(b'\n');
        self.batch.lines += 1;
        if self.batch.bytes.len() >= self.buffer {
            self.flush();
        }
    }

    /// Hands over what is buffered; a worker does so about every second and before it ends. It never waits:
    /// where the thread is behind, the lines are dropped and counted.
    pub fn flush(&mut self) {
        if self.batch.lines == 0 {
            return;
        }
        match self.sender.try_send(std::mem::take(&mut self.batch)) {
            Ok(()) => {}
            Err(TrySendError::Full(mut batch) | TrySendError::Disconnected(mut batch)) => {
                self.shared.dropped.fetch_add(batch.lines, Ordering::Relaxed);
                batch.bytes.clear();
                batch.lines = 0;
                self.batch = batch;
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.flush();
    }
}

fn write_all(mut sink: Sink, batches: &Receiver<Batch>, shared: &Shared) {
    let mut is_failing = false;
    loop {
        // Read before the channel is found empty: what was sent before somebody asked is written first.
        let should_close = shared.should_close.load(Ordering::Acquire);
        let should_reopen = shared.should_reopen.load(Ordering::Acquire);
        let batch = match batches.try_recv() {
            Ok(batch) => batch,
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) if should_close => return,
            Err(TryRecvError::Empty) if should_reopen => {
                shared.should_reopen.store(false, Ordering::Release);
                sink.reopen();
                continue;
            }
            Err(TryRecvError::Empty) => match batches.recv() {
                Ok(batch) => batch,
                Err(_) => return,
            },
        };
        if batch.lines == 0 {
            continue;
        }
        match sink.write(&batch.bytes) {
            Ok(()) => is_failing = false,
            Err(error) => {
                shared.dropped.fetch_add(batch.lines, Ordering::Relaxed);
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::error!(path = %sink.path.display(), %error, "access log cannot be written");
                }
            }
        }
    }
}

struct Sink {
    path: PathBuf,
    output: Output,
}

enum Output {
    Stdout,
    Stderr,
    File(File),
}

impl Sink {
    fn open(path: &Path) -> io::Result<Self> {
        let output = match path.to_str() {
            Some("/dev/stdout") => Output::Stdout,
            Some("/dev/stderr") => Output::Stderr,
            _ => Output::File(OpenOptions::new().append(true).create(true).open(path)?),
        };
        Ok(Self { path: path.to_owned(), output })
    }

    /// Keeps the old file where the new one cannot be opened.
    fn reopen(&mut self) {
        match Self::open(&self.path) {
            Ok(sink) => *self = sink,
            Err(error) => {
                tracing::error!(path = %self.path.display(), %error, "access log cannot be reopened");
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.output {
            Output::File(file) => file.write_all(bytes),
            Output::Stdout => io::stdout().lock().write_all(bytes).and_then(|()| io::stdout().flush()),
            Output::Stderr => io::stderr().lock().write_all(bytes),
        }
    }
}
