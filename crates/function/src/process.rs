//! A process in a group of its own: how it is started, what it may use, and how nothing of it is left behind.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, getpgid, kill_process_group, prlimit, waitid,
};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

/// Memory that a process may map beyond its limit, in bytes. The limit itself is held against what is resident;
/// this bounds what can be taken between two looks, and leaves room for stacks that are never touched and for
/// allocators that map a gigabyte at once.
const MAPPED_BEYOND: u64 = 4 << 30;
/// Processes of one group that are looked at for their memory.
const MOST_PROCESSES: usize = 64;
/// How often members of a group are looked for that have become ours.
const BURIALS: usize = 200;
/// The pause between two looks.
const BETWEEN_BURIALS: Duration = Duration::from_millis(10);
/// Variables that are handed down to a function; whatever else we were started with is not its business.
const HANDED_DOWN: [&str; 17] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "VIRTUAL_ENV",
    "PYENV_ROOT",
    "PYENV_VERSION",
    "NVM_DIR",
];

/// A running process; dropped, it and its group are ended.
pub(crate) struct Process {
    child: Child,
    pid: Option<Pid>,
}

impl Process {
    /// Starts a program with these variables, in a group of its own, with a limit of memory in bytes.
    pub(crate) fn start(mut command: Command, memory: u64) -> io::Result<Self> {
        let inherited = HANDED_DOWN.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        let own: Vec<_> = command
            .as_std()
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        command
            .env_clear()
            .envs(inherited)
            .envs(own)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn()?;
        let pid = child.id().and_then(|id| id.try_into().ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let limit = Some(memory.saturating_add(MAPPED_BEYOND));
            // It may have ended already; then there is nothing to limit.
            let _ = prlimit(Some(pid), Resource::Data, Rlimit { current: limit, maximum: limit });
        }
        Ok(Self { child, pid })
    }

    /// Its output, once.
    pub(crate) fn output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// Its handle for those who only look.
    pub(crate) fn handle(&self) -> Handle {
        Handle(self.pid)
    }

    /// Waits for its end.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks the whole group to end.
    pub(crate) fn ask_to_end(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends the whole group.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Takes leave of members of the group that became ours when their own parent ended, as they do where we are the
    /// first process of a container.
    pub(crate) async fn bury_group(&self) {
        let Some(pid) = self.pid else { return };
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        for _ in 0..BURIALS {
            match waitid(WaitId::Pgid(Some(pid)), look) {
                Ok(Some(_)) => {}
                // Killed, and not gone yet.
                Ok(None) => tokio::time::sleep(BETWEEN_BURIALS).await,
                // There is none.
                Err(_) => return,
            }
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            // A group that is gone is what was wanted.
            let _ = kill_process_group(pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The leader may have been waited for; its group is still its own while it has members, and an id is not
        // given again before all others were.
        self.kill();
    }
}

/// A process that is only looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Handle(Option<Pid>);

impl Handle {
    /// Whether it has not ended yet, as far as the kernel has said.
    pub(crate) fn is_alive(self) -> bool {
        let Some(pid) = self.0 else { return false };
        let only_look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        matches!(waitid(WaitId::Pid(pid), only_look), Ok(None))
    }

    /// Resident memory of its group, in bytes; 0 where the system does not tell.
    pub(crate) fn resident(self) -> u64 {
        let Some(leader) = self.0 else { return 0 };
        let mut sum = 0;
        let mut found = vec![leader];
        let mut next = 0;
        while let Some(pid) = found.get(next).copied() {
            next += 1;
            sum += resident(pid);
            if found.len() < MOST_PROCESSES {
                found.extend(children(pid).into_iter().filter(|child| getpgid(Some(*child)) == Ok(leader)));
            }
        }
        sum
    }
}

/// Resident memory of one process, in bytes.
fn resident(pid: Pid) -> u64 {
    let path = format!("/proc/{}/statm", pid.as_raw_nonzero());
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let pages: u64 = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or_default();
    pages * rustix::param::page_size() as u64
}

fn children(pid: Pid) -> Vec<Pid> {
    let pid = pid.as_raw_nonzero();
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let pids = text.split_whitespace().filter_map(|word| word.parse().ok()).filter_map(Pid::from_raw);
    pids.take(MOST_PROCESSES).collect()
}

/// How a process ended, in Lambda's words: `signal: killed`, `exit status 1`.
pub(crate) fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(9)) => "signal: killed".to_owned(),
        (None, Some(11)) => "signal: segmentation fault".to_owned(),
        (None, Some(6)) => "signal: aborted".to_owned(),
        (None, Some(signal)) => format!("signal: {signal}"),
        (None, None) => "an unknown status".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::process::Command;

    use super::{Process, describe};

    fn shell(script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("MINE", "1");
        Process::start(command, 64 << 20).unwrap()
    }

    #[tokio::test]
    async fn a_process_is_given_its_own_variables_and_few_of_ours() {
        let mut process = shell(r#"[ "$MINE" = 1 ] && [ -n "$PATH" ] && [ -z "$CARGO_MANIFEST_DIR" ]"#);
        assert_eq!(describe(process.wait().await.unwrap()), "exit status 0");
    }

    #[tokio::test]
    async fn ending_a_process_ends_its_whole_group() {
        use tokio::io::AsyncReadExt;
        let mut process = shell("sleep 1000 & echo started; wait");
        let handle = process.handle();
        let mut out = process.output().0.unwrap();
        let mut start = [0; 8];
        out.read_exact(&mut start).await.unwrap();
        assert!(handle.is_alive() && handle.resident() > 0);
        process.kill();
        assert_eq!(describe(process.wait().await.unwrap()), "signal: killed");
        assert!(!handle.is_alive());
        // The pipe ends once no process of the group has it open any more.
        assert_eq!(out.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn the_limit_of_memory_is_set() {
        let mut process = shell("while [ \"$(ulimit -d)\" = unlimited ]; do :; done");
        assert!(process.wait().await.unwrap().success());
    }
}
