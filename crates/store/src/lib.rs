//! Where resources rest, and how everybody learns of a change.

mod apply;
mod condition;
pub mod document;
mod encryption;
mod etcd;
mod memory;
mod redb;
pub mod secret_file;
mod standalone;
pub mod variable;

pub use condition::Condition;
pub use encryption::{Keyring, KeyringError, SealingKey};
pub use etcd::{EtcdSettings, EtcdStore};
pub use memory::MemoryStore;
pub use redb::{RedbStore, UnreadableRecord};
pub use standalone::{Check, Configuration, StandaloneFile, StandaloneStore};

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use lockgate_resource::{Id, Kind, Resources, Revision};
use serde_json::Value;
use tokio::sync::watch;

/// One change to one resource.
#[derive(Clone, Debug)]
pub enum Change {
    /// Make or replace it.
    Put {
        /// Its kind.
        kind: Kind,
        /// Its id.
        id: Id,
        /// What it becomes: an object, secrets already sealed.
        value: Value,
        /// How long it is to live, from now on; `None` is until it is deleted.
        ttl: Option<Duration>,
    },
    /// Remove it.
    Delete {
        /// Its kind.
        kind: Kind,
        /// Its id.
        id: Id,
    },
}

/// What must hold for a change to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    Anything,
    /// There is no such resource yet.
    Absent,
    /// It was last changed at this revision.
    Unchanged(Revision),
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What was expected does not hold any more.
    #[error("{0} was changed by somebody else")]
    Conflict(String),
    /// There is nothing to delete.
    #[error("{0} does not exist")]
    Missing(String),
    /// The file is damaged. It is left as it is.
    #[error("the store {path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process has the file open.
    #[error("the store {path} is in use by another process")]
    Locked {
        /// The file.
        path: String,
    },
    /// The next process is about to take the file over, or has; this one may have it back soon.
    #[error("the store {path} is being handed over to another process: try again in a second")]
    HandedOver {
        /// The file.
        path: String,
    },
    /// A later version of this program wrote the file. It is left as it is.
    #[error("the store {path} has format {format}; this version reads up to {known}")]
    TooNew {
        /// The file.
        path: String,
        /// Its format.
        format: u64,
        /// The newest format that this version can read.
        known: u64,
    },
    /// Nothing can be changed here.
    #[error("{0}")]
    ReadOnly(String),
    /// It could not be read or written.
    #[error("the store cannot be used: {0}")]
    Unavailable(String),
}

/// The answer of a store, some time later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Where resources rest.
pub trait Store: Send + Sync {
    /// Makes a change, durably: once it answers, the change survives a crash. It answers with the revision of
    /// the change; `watch` shows it at once.
    fn commit(&self, change: Change, expect: Expect) -> Answer<'_, Revision>;

    /// Everything, always the newest: the only way into the data plane.
    fn watch(&self) -> watch::Receiver<Resources>;

    /// How it is. A store that is there as long as the program is has nothing to tell.
    fn condition(&self) -> watch::Receiver<Condition> {
        watch::channel(Condition::SOUND).1
    }

    /// This store, where it is one that is only ever replaced as a whole.
    fn standalone(&self) -> Option<&StandaloneStore> {
        None
    }
}
