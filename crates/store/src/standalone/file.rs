//! The file that resources are read from: looked at each second, taken in whole or not at all.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lockgate_resource::Resources;

use super::StandaloneStore;
use crate::Store;
use crate::document::{self, Format, Item};

/// How often the file is looked at.
const INTERVAL: Duration = Duration::from_secs(1);
/// A file that was changed so lately may change again without looking different.
const FRESH: Duration = Duration::from_secs(2);
/// A file is never longer than this, in bytes.
const LONGEST: u64 = 512 << 20;
/// Mistakes that are told at most; one wrong habit makes as many as there are resources.
const MOST_TOLD: usize = 20;

/// Says what is wrong with the resources of a file, each mistake with its place, beside those that are held now.
pub type Check = dyn Fn(&[Item], &Resources) -> Vec<String> + Send + Sync;

/// A file, and the store that holds what it says.
pub struct StandaloneFile {
    path: PathBuf,
    format: Format,
    store: Arc<StandaloneStore>,
    check: Box<Check>,
    env: fn(&str) -> Option<String>,
    seen: Option<Seen>,
}

/// What the file looked like.
#[derive(PartialEq, Eq)]
struct Seen {
    modified: Option<SystemTime>,
    size: u64,
    inode: u64,
    text: u64,
}

impl StandaloneFile {
    /// A file that was not looked at yet. `check` looks at what the form of the file does not tell, `env` knows the
    /// variables that it names.
    pub fn new(
        path: PathBuf,
        format: Format,
        store: Arc<StandaloneStore>,
        check: Box<Check>,
        env: fn(&str) -> Option<String>,
    ) -> Self {
        Self { path, format, store, check, env, seen: None }
    }

    /// Looks at the file again and again, for as long as it is let.
    pub async fn follow(mut self) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            let looked = tokio::task::spawn_blocking(move || {
                self.look();
                self
            });
            match looked.await {
                Ok(this) => self = this,
                Err(error) => {
                    tracing::error!(%error, "the file of resources is no longer looked at");
                    return;
                }
            }
        }
    }

    /// Looks at the file, and takes in what it says where that is new and right. It blocks.
    pub fn look(&mut self) {
        let text = match self.read() {
            Ok(Some(text)) => text,
            Ok(None) => return,
            Err(error) => {
                self.seen = None;
                return self.complain(&format!("cannot be read: {error}"));
            }
        };
        match self.take(&text) {
            Ok(()) => tracing::warn!(path = %self.path.display(), "resources are read from the file"),
            Err(mistakes) => {
                let more = mistakes.len().saturating_sub(MOST_TOLD);
                let mut told = mistakes[..mistakes.len() - more].join("; ");
                if more > 0 {
                    told = format!("{told}; and {more} more");
                }
                self.complain(&told);
            }
        }
    }

    /// The text of the file; `None` where it is as it was.
    fn read(&mut self) -> io::Result<Option<String>> {
        let mut file = fs::File::open(&self.path)?;
        let about = file.metadata()?;
        let modified = about.modified().ok();
        let (size, inode) = (about.size(), about.ino());
        let age = modified.and_then(|modified| modified.elapsed().ok());
        if let Some(seen) = &self.seen {
            let looks_alike = (seen.modified, seen.size, seen.inode) == (modified, size, inode);
            if looks_alike && age.is_some_and(|age| age > FRESH) {
                return Ok(None);
            }
        }
        if size > LONGEST {
            return Err(io::Error::other(format!("it is longer than {} MiB", LONGEST >> 20)));
        }
        let mut text = String::new();
        file.by_ref().take(LONGEST).read_to_string(&mut text)?;
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let seen = Seen { modified, size, inode, text: hasher.finish() };
        let is_same = self.seen.as_ref().is_some_and(|before| before.text == seen.text);
        self.seen = Some(seen);
        Ok((!is_same).then_some(text))
    }

    fn take(&self, text: &str) -> Result<(), Vec<String>> {
        let document = self.format.read(text, &self.env).map_err(|mistake| vec![mistake])?;
        let read = document::items(&document)?;
        let held = self.store.watch().borrow().clone();
        let mistakes = (self.check)(&read.items, &held);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        for warning in read.warnings {
            tracing::warn!("{}: {warning}", self.path.display());
        }
        self.store.replace(read.items);
        Ok(())
    }

    /// Says what is wrong with the file, once.
    fn complain(&mut self, why: &str) {
        let trouble = format!("{}: {why}", self.path.display());
        if self.store.condition().borrow().trouble.as_ref() != Some(&trouble) {
            tracing::error!("{trouble}; what was read last is served");
            self.store.fail(trouble);
        }
    }
}
