//! The one thread that writes: changes that wait together share one transaction, and so one sync of the disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lockgate_resource::{Resources, Revision};
use redb::Database;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};

use super::deadline::{self, Deadlines};
use super::file::{self, META, RECORDS, REVISION};
use crate::apply::apply;
use crate::{Change, Expect, StoreError};

/// The changes of one transaction at most.
const BATCH: usize = 128;
/// How long is waited at most before the clock is looked at again, where something has to go.
const PATIENCE: Duration = Duration::from_secs(10);
/// When what could not be removed is tried again, in milliseconds.
const RETRY: u64 = 1000;

/// What the thread is asked to do.
pub(super) enum Message {
    /// Make a change.
    Change(Request),
    /// Make all of them or none.
    All(Vec<Change>, oneshot::Sender<Result<Revision, StoreError>>),
    /// Close the file, for another process.
    Release(oneshot::Sender<()>),
    /// Open it again.
    Resume(oneshot::Sender<Result<(), StoreError>>),
}

/// A change that somebody waits for.
pub(super) struct Request {
    pub(super) change: Change,
    pub(super) expect: Expect,
    pub(super) answer: oneshot::Sender<Result<Revision, StoreError>>,
}

/// Owns the file.
pub(super) struct Writer {
    pub(super) path: PathBuf,
    /// `None` while the file is released, and after a failed write: redb takes no more of them before the file is
    /// opened anew.
    pub(super) database: Option<Database>,
    pub(super) resources: Arc<watch::Sender<Resources>>,
    pub(super) requests: mpsc::Receiver<Message>,
    /// Whether the file is another process's for now.
    pub(super) is_released: bool,
    /// What has to go, and when.
    pub(super) deadlines: Deadlines,
    /// When what could not be removed is tried again.
    pub(super) retry_at: Option<u64>,
}

impl Writer {
    /// Writes until nobody can ask any more.
    pub(super) fn run(mut self, clock: &Runtime) {
        loop {
            let patience = self.patience();
            let waited = clock.block_on(async {
                match patience {
                    None => Ok(self.requests.recv().await),
                    Some(patience) => tokio::time::timeout(patience, self.requests.recv()).await,
                }
            });
            let mut message = match waited {
                Ok(None) => return,
                Ok(message) => message,
                Err(_) => None,
            };
            while let Some(next) = message {
                message = self.act(next);
            }
            self.sweep();
        }
    }

    /// How long to wait before something has to go; `None` where nothing has to.
    fn patience(&self) -> Option<Duration> {
        let next = self.deadlines.next().filter(|_| !self.is_released)?;
        let wait =
            Duration::from_millis(next.max(self.retry_at.unwrap_or(0)).saturating_sub(deadline::now()));
        // The clock of the wall may be set meanwhile.
        Some(wait.min(PATIENCE))
    }

    /// Removes what has lived as long as it was to.
    pub(super) fn sweep(&mut self) {
        let now = deadline::now();
        if self.is_released || self.retry_at.is_some_and(|at| at > now) {
            return;
        }
        let due = self.deadlines.due(now);
        if due.is_empty() {
            return;
        }
        let names: Vec<String> = due.iter().map(|(kind, id)| kind.key(id)).collect();
        let changes: Vec<Change> = due.into_iter().map(|(kind, id)| Change::Delete { kind, id }).collect();
        self.retry_at = match self.write_all(&changes) {
            Ok(_) => {
                tracing::info!(resources = names.join(" "), "resources have expired");
                None
            }
            Err(error) => {
                tracing::error!(path = %self.path.display(), %error, "expired resources could not be removed");
                Some(now + RETRY)
            }
        };
    }

    /// Does what is asked, a change together with those that wait behind it. Gives back what came after them.
    fn act(&mut self, message: Message) -> Option<Message> {
        let mut batch = match message {
            Message::Change(first) => vec![first],
            Message::All(changes, answer) => {
                drop(answer.send(self.write_all(&changes)));
                return None;
            }
            Message::Release(answer) => {
                self.database = None;
                self.is_released = true;
                let _ = answer.send(());
                return None;
            }
            Message::Resume(answer) => {
                self.is_released = false;
                drop(answer.send(self.reopen()));
                return None;
            }
        };
        let mut next = None;
        while batch.len() < BATCH && next.is_none() {
            match self.requests.try_recv() {
                Ok(Message::Change(request)) => batch.push(request),
                Ok(other) => next = Some(other),
                Err(_) => break,
            }
        }
        self.answer(batch);
        next
    }

    fn answer(&mut self, batch: Vec<Request>) {
        if self.is_released {
            let path = self.path.display().to_string();
            for request in batch {
                drop(request.answer.send(Err(StoreError::HandedOver { path: path.clone() })));
            }
            return;
        }
        match self.write(&batch) {
            Ok(outcomes) => {
                for (request, outcome) in batch.into_iter().zip(outcomes) {
                    // Whoever asked may have gone; the change is made all the same.
                    drop(request.answer.send(outcome));
                }
            }
            Err(error) => {
                self.database = None;
                tracing::error!(path = %self.path.display(), %error, "changes could not be kept");
                for request in batch {
                    drop(request.answer.send(Err(StoreError::Unavailable(error.to_string()))));
                }
            }
        }
    }

    /// Tries every change in turn and keeps those that could be made.
    fn write(&mut self, batch: &[Request]) -> Result<Vec<Result<Revision, StoreError>>, StoreError> {
        self.reopen()?;
        let mut resources = self.resources.borrow().clone();
        let outcomes: Vec<_> =
            batch.iter().map(|request| apply(&mut resources, &request.change, request.expect)).collect();
        let made =
            || batch.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok()).map(|(request, _)| request);
        if made().next().is_some()
            && let Some(database) = &self.database
        {
            let changes = made().map(|request| &request.change);
            keep(database, &resources, &mut self.deadlines, changes)
                .map_err(|error| file::explain(&self.path, error))?;
            self.resources.send_replace(resources);
        }
        Ok(outcomes)
    }

    fn write_all(&mut self, changes: &[Change]) -> Result<Revision, StoreError> {
        if self.is_released {
            return Err(StoreError::HandedOver { path: self.path.display().to_string() });
        }
        self.reopen()?;
        let mut resources = self.resources.borrow().clone();
        for change in changes {
            apply(&mut resources, change, Expect::Anything)?;
        }
        let revision = resources.revision;
        if let Some(database) = self.database.as_ref().filter(|_| !changes.is_empty()) {
            if let Err(error) = keep(database, &resources, &mut self.deadlines, changes.iter()) {
                self.database = None;
                return Err(file::explain(&self.path, error));
            }
            self.resources.send_replace(resources);
        }
        Ok(revision)
    }

    /// Opens the file anew after a failed write. What it holds is what counts: the write may have succeeded.
    fn reopen(&mut self) -> Result<(), StoreError> {
        if self.database.is_none() {
            let opened = file::open(&self.path)?;
            self.database = Some(opened.database);
            self.deadlines = opened.deadlines;
            self.resources.send_replace(opened.resources);
        }
        Ok(())
    }
}

/// Brings the rows of the changed resources to what the set says, in one durable transaction.
fn keep<'a>(
    database: &Database,
    resources: &Resources,
    deadlines: &mut Deadlines,
    changes: impl Iterator<Item = &'a Change> + Clone,
) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    let mut records = transaction.open_table(RECORDS)?;
    deadlines.keep(&transaction, changes.clone())?;
    for change in changes {
        let (Change::Put { kind, id, .. } | Change::Delete { kind, id }) = change;
        let key = kind.key(id);
        match resources.get(*kind, id.as_str()) {
            Some(record) => {
                let json = record.value.to_string();
                records.insert(key.as_str(), (record.created.0, record.modified.0, json.as_bytes()))?;
            }
            None => drop(records.remove(key.as_str())?),
        }
    }
    drop(records);
    transaction.open_table(META)?.insert(REVISION, resources.revision.0)?;
    Ok(transaction.commit()?)
}
