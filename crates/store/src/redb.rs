//! The default store: one file, no server, nothing acknowledged before it is on the disk.

mod deadline;
mod file;
mod held;
mod writer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use lockgate_resource::{Resources, Revision};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{Answer, Change, Expect, Store, StoreError};

pub use file::UnreadableRecord;
use writer::{Message, Request, Writer};

/// Changes that may wait for the disk before those who ask have to wait too.
const QUEUE: usize = 1024;

/// Keeps resources in one file, under APISIX's keys. A change is acknowledged once it is synced to the disk;
/// changes that wait together are synced together. To drop it is to wait until the file is closed.
pub struct RedbStore {
    path: PathBuf,
    resources: Arc<watch::Sender<Resources>>,
    /// `None` only while it is dropped.
    requests: Option<mpsc::Sender<Message>>,
    unreadable: Vec<UnreadableRecord>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl RedbStore {
    /// Opens the file, or makes it (mode 0600) where there is none. It blocks: the whole file is read and its
    /// checksums are verified. A file that fails is left as it is, to the byte.
    pub fn open(path: &Path) -> Result<Arc<Self>, StoreError> {
        let opened = file::open(path)?;
        let resources = Arc::new(watch::Sender::new(opened.resources));
        let (requests, receiver) = mpsc::channel(QUEUE);
        let mut writer = Writer {
            path: path.to_owned(),
            database: Some(opened.database),
            resources: Arc::clone(&resources),
            requests: receiver,
            is_released: false,
            deadlines: opened.deadlines,
            retry_at: None,
        };
        let clock = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let clock = clock.map_err(|error| StoreError::Unavailable(format!("no clock: {error}")))?;
        writer.sweep();
        let thread = std::thread::Builder::new().name("store".to_owned()).spawn(move || writer.run(&clock));
        let thread =
            thread.map_err(|error| StoreError::Unavailable(format!("no thread to write: {error}")))?;
        Ok(Arc::new(Self {
            path: path.to_owned(),
            resources,
            requests: Some(requests),
            unreadable: opened.unreadable,
            thread: Mutex::new(Some(thread)),
        }))
    }

    /// The records that could not be read when the file was opened, for the program to report. They are still in
    /// the file, untouched.
    pub fn unreadable(&self) -> &[UnreadableRecord] {
        &self.unreadable
    }

    /// Closes the file for another process to open, once the changes that were asked for before are kept. What it
    /// held stays to be read here; changes are refused with [`StoreError::HandedOver`].
    pub async fn release(&self) -> Result<(), StoreError> {
        self.ask(Message::Release).await
    }

    /// Opens the file again after [`RedbStore::release`]; whoever else had it must have closed it.
    pub async fn resume(&self) -> Result<(), StoreError> {
        self.ask(Message::Resume).await?
    }

    /// Makes all of some changes, in their order and in one transaction, or none. Gives the revision of the last.
    pub async fn commit_all(&self, changes: Vec<Change>) -> Result<Revision, StoreError> {
        self.ask(|answer| Message::All(changes, answer)).await?
    }

    /// Gives the file's unused space back to the system, while nobody has it open. It blocks. Whether it is smaller.
    pub fn compact(path: &Path) -> Result<bool, StoreError> {
        let mut opened = file::open(path)?;
        opened.database.compact().map_err(|error| match error {
            redb::CompactionError::Storage(error) => file::explain(path, error.into()),
            error => StoreError::Unavailable(format!("{}: {error}", path.display())),
        })
    }

    async fn ask<T>(&self, message: impl FnOnce(oneshot::Sender<T>) -> Message) -> Result<T, StoreError> {
        let gone = || StoreError::Unavailable(format!("{}: nobody writes any more", self.path.display()));
        let (answer, answered) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or_else(gone)?;
        requests.send(message(answer)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())
    }

    async fn change(&self, change: Change, expect: Expect) -> Result<Revision, StoreError> {
        self.ask(|answer| Message::Change(Request { change, expect, answer })).await?
    }
}

impl Store for RedbStore {
    /// A caller that stops waiting does not stop the change.
    fn commit(&self, change: Change, expect: Expect) -> Answer<'_, Revision> {
        Box::pin(self.change(change, expect))
    }

    fn watch(&self) -> watch::Receiver<Resources> {
        self.resources.subscribe()
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        self.requests = None;
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(path = %self.path.display(), "the thread that writes the store had failed");
        }
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore").field("path", &self.path).finish_non_exhaustive()
    }
}
