//! The side that runs: starts the next gateway and gives it what it has.

use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::Context;

use super::VARIABLE;
use super::channel::{Channel, PROTOCOL, Role, Word};

/// The program as it was called. Another build may lie at the same path by the time it is called again.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    /// This one. It has to be asked for at the start: later the file may have been replaced.
    pub(crate) fn of_this() -> anyhow::Result<Self> {
        let mut arguments = std::env::args_os();
        let called = arguments.next().unwrap_or_default();
        let found = find(Path::new(&called), std::env::var_os("PATH"))
            .and_then(|path| std::path::absolute(path).ok());
        let path = match found {
            Some(path) => path,
            None => std::env::current_exe().context("nobody knows where this program lies")?,
        };
        Ok(Self { path, arguments: arguments.collect() })
    }
}

/// The file that a name on the command line stood for. Links stay what they are: they may point elsewhere later.
fn find(called: &Path, search: Option<OsString>) -> Option<PathBuf> {
    if called.parent().is_some_and(|parent| !parent.as_os_str().is_empty()) {
        return called.is_file().then(|| called.to_owned());
    }
    let file = called.file_name()?;
    std::env::split_paths(&search?).map(|folder| folder.join(file)).find(|path| path.is_file())
}

/// The next gateway, on its way. Until it is let go it ends with this value.
#[derive(Debug)]
pub(crate) struct Successor {
    child: Child,
    channel: Arc<Channel>,
    is_let_go: bool,
}

impl Successor {
    /// Starts it.
    pub(crate) fn start(program: &Program) -> anyhow::Result<Self> {
        let (channel, other) = Channel::pair().context("a socket pair")?;
        let child = Command::new(&program.path)
            .args(&program.arguments)
            .env(VARIABLE, std::process::id().to_string())
            .stdin(Stdio::from(other))
            .spawn()
            .with_context(|| format!("starting {}", program.path.display()))?;
        Ok(Self { child, channel: Arc::new(channel), is_let_go: false })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Gives it the sockets, and waits until it needs the store.
    pub(crate) async fn give(&self, sockets: Vec<(Role, SocketAddr, TcpListener)>) -> anyhow::Result<()> {
        self.talk(move |channel| {
            channel.say(&Word::Hello { protocol: PROTOCOL }, None)?;
            for (role, asked, socket) in &sockets {
                channel.say(&Word::Socket { role: *role, asked: *asked }, Some(socket.as_fd()))?;
            }
            channel.say(&Word::End, None)?;
            Ok(channel.expect(&Word::NeedStore)?)
        })
        .await
    }

    /// Tells it that the store is closed, and waits until it could begin.
    pub(crate) async fn give_store(&self) -> anyhow::Result<()> {
        self.talk(|channel| {
            channel.say(&Word::Store, None)?;
            Ok(channel.expect(&Word::Ready)?)
        })
        .await
    }

    /// Lets it begin. From then on it is the gateway.
    pub(crate) fn let_go(&mut self) -> anyhow::Result<()> {
        self.channel.say(&Word::Go, None)?;
        self.is_let_go = true;
        Ok(())
    }

    /// Waits until it has begun.
    pub(crate) async fn begun(&self) -> anyhow::Result<()> {
        self.talk(|channel| Ok(channel.expect(&Word::Serving)?)).await
    }

    async fn talk(
        &self,
        say: impl FnOnce(&Channel) -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let channel = self.channel.clone();
        tokio::task::spawn_blocking(move || say(&channel)).await?
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if !self.is_let_go {
            // It may have ended by itself. What it held, the store above all, is free when it is gone.
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_name_without_a_folder_is_looked_for_where_the_shell_did() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway");
        fs::write(&file, "").unwrap();
        let search = std::env::join_paths([Path::new("/nowhere"), folder.path()]).unwrap();
        assert_eq!(find(Path::new("gateway"), Some(search.clone())), Some(file.clone()));
        assert_eq!(find(Path::new("other"), Some(search.clone())), None);
        assert_eq!(find(&file, None), Some(file));
        assert_eq!(find(Path::new("./nowhere/gateway"), Some(search)), None);
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("one"), "").unwrap();
        let link = folder.path().join("current");
        std::os::unix::fs::symlink("one", &link).unwrap();
        assert_eq!(find(&link, None), Some(link));
    }
}
