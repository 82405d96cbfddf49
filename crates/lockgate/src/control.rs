//! Where the command line finds the gateway that runs: a socket in its data directory, for its owner alone.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::mpsc;

/// The socket, in the data directory.
const NAME: &str = "lockgate.sock";
/// The process id, in the data directory, for service managers.
const PID: &str = "lockgate.pid";
/// What the command line says.
const UPGRADE: &[u8; 8] = b"upgrade\n";
/// How long saying it may take.
const HASTE: Duration = Duration::from_secs(1);
/// How long the answer may take: longer than a hand-over can.
const PATIENCE: Duration = Duration::from_mins(5);

/// The socket of the gateway that runs.
#[derive(Debug)]
pub(crate) struct Control(UnixListener);

/// Somebody at the command line who waits for an answer.
#[derive(Debug)]
pub(crate) struct Asked(tokio::net::UnixStream);

impl Control {
    /// Listens in a data directory, in place of whoever did before, and writes the process id beside it.
    pub(crate) fn listen(data_dir: &Path) -> io::Result<Self> {
        let own = std::process::id();
        let folder = Folder::open(data_dir)?;
        let fresh = format!("{NAME}.{own}");
        drop(fs::remove_file(folder.path(&fresh)));
        let listener = UnixListener::bind(folder.path(&fresh))?;
        fs::set_permissions(folder.path(&fresh), fs::Permissions::from_mode(0o600))?;
        fs::rename(folder.path(&fresh), folder.path(NAME))?;
        let fresh = folder.path(&format!("{PID}.{own}"));
        fs::write(&fresh, format!("{own}\n"))?;
        fs::rename(&fresh, folder.path(PID))?;
        Ok(Self(listener))
    }

    /// Passes on who asks for an upgrade, for as long as somebody listens.
    pub(crate) async fn run(self, upgrades: mpsc::Sender<Asked>) {
        while !upgrades.is_closed() {
            let Ok((mut stream, _)) = self.0.accept().await else {
                tokio::time::sleep(HASTE).await;
                continue;
            };
            let mut said = [0; UPGRADE.len()];
            let heard = tokio::time::timeout(HASTE, stream.read_exact(&mut said)).await;
            if matches!(heard, Ok(Ok(_))) && said == *UPGRADE {
                drop(upgrades.send(Asked(stream)).await);
            }
        }
    }
}

impl Asked {
    /// Answers: the process id of the new gateway, or why there is none.
    pub(crate) async fn answer(mut self, outcome: &anyhow::Result<u32>) {
        let line = match outcome {
            Ok(id) => format!("ok {id}\n"),
            Err(error) => format!("{}\n", format!("{error:#}").replace('\n', "; ")),
        };
        // Whoever asked may have gone.
        drop(tokio::time::timeout(HASTE, self.0.write_all(line.as_bytes())).await);
    }
}

/// Has the gateway of a data directory start its successor; gives the process id of that one.
pub(crate) fn upgrade(data_dir: &Path) -> anyhow::Result<u32> {
    let nobody = || format!("no gateway runs with the data directory {}", data_dir.display());
    let mut stream = Folder::open(data_dir)
        .and_then(|folder| UnixStream::connect(folder.path(NAME)))
        .with_context(nobody)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(UPGRADE).with_context(nobody)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).context("the gateway that runs did not answer")?;
    match line.trim_end().strip_prefix("ok ").and_then(|id| id.parse().ok()) {
        Some(id) => Ok(id),
        None if line.is_empty() => bail!("the gateway that runs ended without an answer"),
        None => {
            bail!("the gateway that runs goes on, because the new one did not start: {}", line.trim_end())
        }
    }
}

/// Tells the service manager, where one asked to be told, that this process serves and is the main one from now on:
/// after a hand-over that is news (systemd: `Type=notify` and `NotifyAccess=all`).
pub(crate) fn tell_manager() {
    let Some(at) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let text = format!("READY=1\nMAINPID={}\n", std::process::id());
    let address = match at.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&at),
    };
    let told = address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), &address));
    if let Err(error) = told {
        tracing::warn!(%error, "the service manager cannot be told that this process serves");
    }
}

/// A folder, reached by a path that is short: that of a socket may have a hundred bytes only.
struct Folder(File);

impl Folder {
    fn open(path: &Path) -> io::Result<Self> {
        File::open(path).map(Self)
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.0.as_raw_fd()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_is_answered_however_long_the_path_is() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a".repeat(200));
        fs::create_dir(&folder).unwrap();
        let (sender, mut upgrades) = mpsc::channel(1);
        tokio::spawn(Control::listen(&folder).unwrap().run(sender));
        for outcome in [Ok(7), Err(anyhow::anyhow!("two\nlines"))] {
            let folder = folder.clone();
            let asking = tokio::task::spawn_blocking(move || upgrade(&folder));
            upgrades.recv().await.unwrap().answer(&outcome).await;
            match (asking.await.unwrap(), outcome) {
                (Ok(heard), Ok(said)) => assert_eq!(heard, said),
                (Err(heard), Err(_)) => assert!(heard.to_string().ends_with("two; lines"), "{heard}"),
                (heard, said) => panic!("{heard:?} {said:?}"),
            }
        }
        assert_eq!(fs::read_to_string(folder.join(PID)).unwrap(), format!("{}\n", std::process::id()));
        let mode = fs::metadata(folder.join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn the_last_one_to_listen_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let first = Control::listen(folder.path()).unwrap();
        let (sender, mut upgrades) = mpsc::channel(1);
        tokio::spawn(Control::listen(folder.path()).unwrap().run(sender));
        let path = folder.path().to_owned();
        let asking = tokio::task::spawn_blocking(move || upgrade(&path));
        upgrades.recv().await.unwrap().answer(&Ok(1)).await;
        assert_eq!(asking.await.unwrap().unwrap(), 1);
        drop(first);
    }

    #[test]
    fn nobody_to_ask_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let error = upgrade(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("no gateway runs with the data directory"), "{error}");
    }
}
