//! A file that is not written to before it has proved sound: writes wait in memory until they are let go.

use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

/// A file whose writes are held back. Repairing after a crash writes; repairing what turns out to be damaged
/// must not. Clones are the same file.
#[derive(Clone, Debug)]
pub(crate) struct HeldFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: FileBackend,
    /// What waits; `None` once it was let go.
    held: Mutex<Option<Held>>,
}

/// Writes in their order, and the length that they make.
#[derive(Debug)]
struct Held {
    length: u64,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Write { offset: u64, bytes: Vec<u8> },
    Resize(u64),
    Sync,
}

impl HeldFile {
    /// Holds back what is written to a file.
    pub(crate) fn new(file: FileBackend) -> io::Result<Self> {
        let held = Held { length: file.len()?, steps: Vec::new() };
        Ok(Self(Arc::new(Inner { file, held: Mutex::new(Some(held)) })))
    }

    /// Writes what waits, in its order, and holds back nothing from now on.
    pub(crate) fn let_go(&self) -> io::Result<()> {
        let mut held = self.held();
        for step in held.take().into_iter().flat_map(|held| held.steps) {
            match step {
                Step::Write { offset, bytes } => self.0.file.write(offset, &bytes)?,
                Step::Resize(length) => self.0.file.set_len(length)?,
                Step::Sync => self.0.file.sync_data()?,
            }
        }
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a step wait, or says that nothing waits any more.
    fn hold(&self, step: impl FnOnce() -> Step) -> bool {
        let mut held = self.held();
        let Some(held) = held.as_mut() else { return false };
        let step = step();
        match &step {
            Step::Write { offset, bytes } => held.length = held.length.max(offset + bytes.len() as u64),
            Step::Resize(length) => held.length = *length,
            Step::Sync => {}
        }
        held.steps.push(step);
        true
    }
}

impl Held {
    /// Reads as if everything had been written.
    fn read(&self, file: &FileBackend, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let size = out.len();
        if offset + size as u64 > self.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let written = clip(file.len()?, offset, size);
        out[written..].fill(0);
        file.read(offset, &mut out[..written])?;
        for step in &self.steps {
            match step {
                Step::Write { offset: at, bytes } => {
                    let from = clip(*at, offset, size);
                    let to = clip(at + bytes.len() as u64, offset, size);
                    let skipped = clip(offset, *at, bytes.len());
                    out[from..to].copy_from_slice(&bytes[skipped..skipped + (to - from)]);
                }
                Step::Resize(length) => out[clip(*length, offset, size)..].fill(0),
                Step::Sync => {}
            }
        }
        Ok(())
    }
}

/// The index of a position in a window that starts at `offset`, kept within the window.
fn clip(position: u64, offset: u64, length: usize) -> usize {
    usize::try_from(position.saturating_sub(offset)).unwrap_or(usize::MAX).min(length)
}

impl StorageBackend for HeldFile {
    fn len(&self) -> io::Result<u64> {
        self.held().as_ref().map_or_else(|| self.0.file.len(), |held| Ok(held.length))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match self.held().as_ref() {
            Some(held) => held.read(&self.0.file, offset, out),
            None => self.0.file.read(offset, out),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.hold(|| Step::Resize(len)) { Ok(()) } else { self.0.file.set_len(len) }
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.hold(|| Step::Sync) { Ok(()) } else { self.0.file.sync_data() }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let step = || Step::Write { offset, bytes: data.to_vec() };
        if self.hold(step) { Ok(()) } else { self.0.file.write(offset, data) }
    }

    fn close(&self) -> io::Result<()> {
        self.0.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.file.unlock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use redb::StorageBackend;
    use redb::backends::FileBackend;

    use super::HeldFile;

    fn read(file: &HeldFile, offset: u64, length: usize) -> Vec<u8> {
        let mut out = vec![0xff; length];
        file.read(offset, &mut out).unwrap();
        out
    }

    #[test]
    fn writes_are_seen_at_once_and_reach_the_file_when_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"abcdef").unwrap();
        let opened = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let file = HeldFile::new(FileBackend::new(opened).unwrap()).unwrap();
        file.write(2, b"XY").unwrap();
        file.set_len(5).unwrap();
        file.set_len(8).unwrap();
        file.write(7, b"Z").unwrap();
        file.sync_data().unwrap();
        assert_eq!(read(&file, 0, 8), b"abXYe\0\0Z");
        assert_eq!(read(&file, 3, 2), b"Ye");
        assert!(file.read(7, &mut [0; 2]).is_err(), "nothing lies beyond the end");
        assert_eq!(std::fs::read(&path).unwrap(), b"abcdef");
        file.let_go().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"abXYe\0\0Z");
        file.write(0, b"A").unwrap();
        assert_eq!(std::fs::read(&path).unwrap()[0], b'A');
        assert_eq!(read(&file, 0, 3), b"AbX");
    }
}
