//! A gateway and those that follow it, each of which ends with the test.

use std::path::PathBuf;
use std::process::Command;

use lockgate_tests::{Finished, Gateway, Process, Settings, eventually, lockgate};
use tempfile::TempDir;

/// The gateway that was started first, and the process ids of those that followed.
pub(crate) struct Generations {
    pub(crate) first: Gateway,
    followers: Vec<u32>,
    folder: TempDir,
}

impl Generations {
    /// Starts the first one, by a link that may be pointed elsewhere later.
    pub(crate) fn start(settings: Settings) -> Self {
        let folder = tempfile::tempdir().expect("the temporary directory is writable");
        let link = folder.path().join("lockgate");
        std::os::unix::fs::symlink(lockgate(), &link).expect("a link can be made");
        Self { first: Gateway::with(settings.program(link)), followers: Vec::new(), folder }
    }

    /// The link the gateway was started by.
    pub(crate) fn link(&self) -> PathBuf {
        self.folder.path().join("lockgate")
    }

    /// Points the link at another program.
    pub(crate) fn install(&self, program: &str) {
        let fresh = self.folder.path().join("fresh");
        std::os::unix::fs::symlink(program, &fresh).expect("a link can be made");
        std::fs::rename(fresh, self.link()).expect("a link can be replaced");
    }

    /// Makes a script and points the link at it.
    pub(crate) fn install_script(&self, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.folder.path().join("script");
        std::fs::write(&path, text).expect("the temporary directory is writable");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("the file is ours");
        self.install(&path.to_string_lossy());
    }

    /// Runs `lockgate upgrade`.
    pub(crate) fn try_upgrade(&self) -> Finished {
        self.asking().finish()
    }

    /// Starts `lockgate upgrade`.
    pub(crate) fn asking(&self) -> Process {
        Process::start(Command::new(lockgate()).arg("upgrade").arg("--data-dir").arg(self.first.data()))
    }

    /// Runs `lockgate upgrade`, which must succeed; gives the process id of the new gateway.
    pub(crate) fn upgrade(&mut self) -> u32 {
        let end = self.try_upgrade();
        assert_eq!(end.code, Some(0), "{}", end.output);
        let id = end.output.split_whitespace().find_map(|word| word.parse().ok());
        let id = id.unwrap_or_else(|| panic!("no process id: {}", end.output));
        self.followers.push(id);
        id
    }

    /// The process id that the data directory names.
    pub(crate) fn written_id(&self) -> Option<u32> {
        std::fs::read_to_string(self.first.data().join("lockgate.pid")).ok()?.trim().parse().ok()
    }

    /// Remembers a gateway that was not started by [`Self::upgrade`].
    pub(crate) fn follow(&mut self, id: u32) {
        self.followers.push(id);
    }

    /// Waits until the one that was started first has ended; it must have done so by itself.
    pub(crate) fn wait_for_first(&mut self) {
        let status = eventually("the first one should have ended", || self.first.ended());
        assert_eq!(status.code(), Some(0), "{}", self.first.output());
    }
}

/// Whether a process runs; one that ended and that nobody asked after does not.
pub(crate) fn runs(id: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{id}/stat")).ok();
    let state = state.and_then(|text| text.rsplit(") ").next().and_then(|rest| rest.chars().next()));
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

/// Sends a signal.
pub(crate) fn signal(name: &str, id: u32) {
    let status = Command::new("kill").args([format!("-{name}"), id.to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "kill -{name} {id} failed");
}

impl Drop for Generations {
    fn drop(&mut self) {
        self.followers.extend(self.written_id());
        for id in &self.followers {
            if runs(*id) {
                drop(Command::new("kill").args(["-KILL", &id.to_string()]).status());
            }
        }
    }
}
