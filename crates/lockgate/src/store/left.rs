//! What a process that hands over leaves for the next one, where it holds everything in memory alone.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use lockgate_store::document::items;
use lockgate_store::{Configuration, StandaloneStore};
use serde_json::{Value, json};

/// Where it is left, in the data directory. It is there for as long as a hand-over takes.
pub(super) fn file_in(data_dir: &Path) -> PathBuf {
    data_dir.join("configuration.json")
}

/// Leaves what the Admin API was told, for its owner alone.
pub(super) fn leave(store: &StandaloneStore, path: &Path) -> io::Result<()> {
    let Some(configuration) = store.configuration() else { return Ok(()) };
    let Configuration { document, digest, modified } = &*configuration;
    let text = json!({"document": document, "digest": digest, "modified": modified}).to_string();
    take_away(path)?;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

/// Takes what was left, where this process follows another, and takes it away in any case.
pub(super) fn take(store: &StandaloneStore, path: &Path, follows: bool) -> io::Result<()> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        text => text?,
    };
    take_away(path)?;
    if follows {
        let left: Value = serde_json::from_slice(&text)?;
        let read = items(&left["document"]).map_err(|mistakes| io::Error::other(mistakes.join("; ")))?;
        let document = left["document"].as_object().cloned().unwrap_or_default();
        let digest = left["digest"].as_str().unwrap_or_default().to_owned();
        let modified = left["modified"].as_u64().unwrap_or_default();
        store.configure(Configuration { document, digest, modified }, read.items);
    }
    Ok(())
}

/// Removes it, where it is there.
pub(super) fn take_away(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
