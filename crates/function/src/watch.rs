//! Notices that the files of a function have changed, by looking at them twice a second.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use crate::description::{Description, Program};
use crate::pool::Pool;

/// How often files are looked at.
const EVERY: Duration = Duration::from_millis(500);
/// Files of one function that are looked at.
const MOST_FILES: usize = 5000;
/// Directories that a function's own files are not in.
const PASSED_OVER: [&str; 4] = ["node_modules", "target", "__pycache__", "venv"];

/// How the names of files end that make up a function. Whatever else lies there (logs, a store) may change as it
/// likes.
const ENDINGS: [&str; 10] = ["py", "js", "mjs", "cjs", "ts", "rb", "json", "yaml", "yml", "toml"];

/// What of a function's files is looked at.
enum Watched {
    Files(Vec<PathBuf>),
    Tree(PathBuf),
}

/// Has the environments of functions replaced when their files change and then stay as they are for a moment.
pub(crate) async fn watch(pools: Vec<Rc<Pool>>) {
    let mut watched: Vec<(Rc<Pool>, u64, u64)> =
        pools.into_iter().filter(|pool| pool.description.reload).map(|pool| (pool, 0, 0)).collect();
    if watched.is_empty() {
        return;
    }
    loop {
        for (pool, live, last) in &mut watched {
            let what = watched_of(&pool.description);
            let Ok(now) = tokio::task::spawn_blocking(move || fingerprint(&what)).await else { return };
            if *live == 0 {
                (*live, *last) = (now, now);
            }
            // What is still being written is let be.
            if now != *live && now == *last {
                *live = now;
                pool.reload();
            }
            *last = now;
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn watched_of(description: &Description) -> Watched {
    match &description.program {
        // A program of its own: it and the files it is started with. Around it may be a whole build directory.
        Program::Command(words) if words.first().is_some_and(|word| word.contains('/')) => {
            Watched::Files(words.iter().map(|word| description.directory.join(word)).collect())
        }
        Program::Command(_) | Program::Handler { .. } => Watched::Tree(description.directory.clone()),
    }
}

/// A number that is another one when a file is.
fn fingerprint(watched: &Watched) -> u64 {
    let mut hasher = DefaultHasher::new();
    match watched {
        Watched::Files(files) => files.iter().for_each(|file| note(file, &mut hasher)),
        Watched::Tree(root) => {
            for file in files_of(root) {
                note(&file, &mut hasher);
            }
        }
    }
    hasher.finish().max(1)
}

fn note(file: &Path, hasher: &mut DefaultHasher) {
    file.hash(hasher);
    if let Ok(metadata) = std::fs::metadata(file)
        && metadata.is_file()
    {
        metadata.len().hash(hasher);
        metadata.modified().ok().hash(hasher);
    }
}

fn is_source(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}

/// The files below a directory, in an order that is the same each time.
fn files_of(root: &Path) -> Vec<PathBuf> {
    let mut directories = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(directory) = directories.pop() {
        let Ok(entries) = std::fs::read_dir(directory) else { continue };
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => {
                    if !name.starts_with('.') && !PASSED_OVER.contains(&&*name) {
                        directories.push(entry.path());
                    }
                }
                Ok(_) if files.len() < MOST_FILES && is_source(&name) => files.push(entry.path()),
                Ok(_) | Err(_) => {}
            }
        }
        if files.len() >= MOST_FILES {
            break;
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::{Watched, fingerprint};

    #[test]
    fn a_changed_source_is_noticed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        std::fs::create_dir(folder.path().join("node_modules")).unwrap();
        write("app.py", "1");
        let look = || fingerprint(&Watched::Tree(folder.path().to_owned()));
        let first = look();
        write("node_modules/x.js", "1");
        write("lockgate.redb", "1");
        assert_eq!(look(), first);
        write("app.py", "22");
        let second = look();
        assert_ne!(second, first);
        write("new.py", "");
        assert_ne!(look(), second);
    }
}
