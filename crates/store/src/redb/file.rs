//! What the file looks like, and how it is opened: checked whole before anything in it is trusted or changed.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use lockgate_resource::{Kind, Record, Resources, Revision};
use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde_json::Value;

use super::deadline::Deadlines;
use super::held::HeldFile;
use crate::{StoreError, secret_file};

/// Numbers about the file: `format` and `revision`.
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// Key, such as `/apisix/routes/1`, to the revision that made the record, the one that changed it last, and
/// its JSON.
pub(super) const RECORDS: TableDefinition<'_, &str, (u64, u64, &[u8])> = TableDefinition::new("records");
/// In `META`: the count of changes.
pub(super) const REVISION: &str = "revision";
/// In `META`: how to read the rest.
const FORMAT: &str = "format";
/// The format that this version writes, and the newest that it can read.
const KNOWN_FORMAT: u64 = 1;
/// Bytes of pages kept in memory. Everything is read once, at the start, so pages are worth little.
const CACHE: usize = 1 << 20;

/// A record that could not be read. It stays in the file until its key is written again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableRecord {
    /// Its key, such as `/apisix/routes/1`.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for UnreadableRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.reason)
    }
}

/// An open file and what was found in it.
pub(super) struct Opened {
    pub(super) database: Database,
    pub(super) resources: Resources,
    pub(super) deadlines: Deadlines,
    pub(super) unreadable: Vec<UnreadableRecord>,
}

/// Opens a file, or makes it where there is none.
pub(super) fn open(path: &Path) -> Result<Opened, StoreError> {
    let unavailable = |error: io::Error| StoreError::Unavailable(format!("{}: {error}", path.display()));
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(path)?;
            OpenOptions::new().read(true).write(true).open(path)
        }
        opened => opened,
    };
    let file = file.map_err(unavailable)?;
    // redb would take an empty file for a new one; this store never leaves one, so its content was lost.
    if file.metadata().map_err(unavailable)?.len() == 0 {
        return Err(StoreError::Damaged {
            path: path.display().to_string(),
            reason: "it is empty".to_owned(),
        });
    }
    let backend = FileBackend::new(file).map_err(|error| explain(path, error.into()))?;
    let held = HeldFile::new(backend).map_err(unavailable)?;
    let opened = builder().create_with_backend(held.clone()).map_err(redb::Error::from);
    let opened = opened.and_then(|database| read(path, database)).map_err(|error| explain(path, error))??;
    held.let_go().map_err(unavailable)?;
    Ok(opened)
}

/// Says in this crate's words what redb says.
pub(super) fn explain(path: &Path, error: redb::Error) -> StoreError {
    let path = path.display().to_string();
    let damaged = |reason: String| StoreError::Damaged { path: path.clone(), reason };
    match error {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => StoreError::Locked { path },
        redb::Error::Corrupted(reason) => damaged(reason),
        redb::Error::RepairAborted => damaged("it cannot be repaired".to_owned()),
        redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => damaged(error.to_string()),
        redb::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            damaged("its end is missing".to_owned())
        }
        redb::Error::TableDoesNotExist(table) => damaged(format!("it has no table {table}")),
        error @ (redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. }) => damaged(error.to_string()),
        error => StoreError::Unavailable(format!("{path}: {error}")),
    }
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
    builder
}

/// Makes a new file beside the place where it belongs, and puts it there once it is whole.
fn create(path: &Path) -> Result<(), StoreError> {
    let unavailable = |error: io::Error| StoreError::Unavailable(format!("{}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(unavailable)?;
    }
    let draft: PathBuf = path.with_extension(format!("{}.new", std::process::id()));
    secret_file::remove_if_there(&draft).map_err(unavailable)?;
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&draft);
    let file = file.map_err(unavailable)?;
    let filled = fill(file).map_err(|error| explain(path, error));
    let placed = filled.and_then(|()| secret_file::place(&draft, path).map_err(unavailable));
    secret_file::remove_if_there(&draft).map_err(unavailable)?;
    placed
}

fn fill(file: std::fs::File) -> Result<(), redb::Error> {
    let database = builder().create_with_backend(FileBackend::new(file)?)?;
    let transaction = database.begin_write()?;
    transaction.open_table(RECORDS)?;
    let mut meta = transaction.open_table(META)?;
    meta.insert(FORMAT, KNOWN_FORMAT)?;
    meta.insert(REVISION, 0)?;
    drop(meta);
    transaction.commit()?;
    Ok(database.close()?)
}

fn read(path: &Path, database: Database) -> Result<Result<Opened, StoreError>, redb::Error> {
    let transaction = database.begin_read()?;
    let meta = transaction.open_table(META)?;
    let number = |name: &str| meta.get(name).map(|found| found.map(|number| number.value()));
    let (Some(format), Some(revision)) = (number(FORMAT)?, number(REVISION)?) else {
        return Err(redb::Error::Corrupted("it has no format or no revision".to_owned()));
    };
    if format > KNOWN_FORMAT {
        let path = path.display().to_string();
        return Ok(Err(StoreError::TooNew { path, format, known: KNOWN_FORMAT }));
    }
    let mut resources = Resources::default();
    let mut unreadable = Vec::new();
    for row in transaction.open_table(RECORDS)?.iter()? {
        let (key, value) = row?;
        match record(key.value(), value.value()) {
            Ok(record) => resources.insert(record),
            Err(reason) => unreadable.push(UnreadableRecord { key: key.value().to_owned(), reason }),
        }
    }
    resources.revision = resources.revision.max(Revision(revision));
    let deadlines = Deadlines::read(&transaction, &resources)?;
    drop((meta, transaction));
    Ok(Ok(Opened { database, resources, deadlines, unreadable }))
}

fn record(key: &str, (created, modified, json): (u64, u64, &[u8])) -> Result<Record, String> {
    let (kind, id) = Kind::of_key(key)?;
    let value: Value =
        serde_json::from_slice(json).map_err(|error| format!("its JSON is broken: {error}"))?;
    match value {
        Value::Object(_) => {
            Ok(Record { kind, id, value, created: Revision(created), modified: Revision(modified) })
        }
        _ => Err("its JSON is not an object".to_owned()),
    }
}
