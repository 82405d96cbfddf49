//! A real etcd on free ports of loopback, and a relay before it that a test can cut.

use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

const MISSING: &str = "etcd is needed: Debian's packages etcd-server and etcd-client";

/// A member, ended when it is dropped.
pub(crate) struct Etcd {
    pub(crate) port: u16,
    peer: u16,
    home: tempfile::TempDir,
    data: PathBuf,
    child: Option<Child>,
    login: Mutex<Option<String>>,
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

impl Etcd {
    pub(crate) fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let mut etcd = Self { port: 0, peer: 0, home, data, child: None, login: Mutex::new(None) };
        // A port that was free may be somebody else's by the time etcd asks for it.
        for _ in 0..5 {
            (etcd.port, etcd.peer) = (free_port(), free_port());
            if etcd.begin() {
                return etcd;
            }
            etcd.kill();
            let _ = std::fs::remove_dir_all(&etcd.data);
        }
        panic!("etcd does not begin");
    }

    pub(crate) fn restart(&mut self) {
        assert!(self.begin(), "etcd does not begin");
    }

    /// Whether it serves soon.
    fn begin(&mut self) -> bool {
        let (client, peer) =
            (format!("http://127.0.0.1:{}", self.port), format!("http://127.0.0.1:{}", self.peer));
        let child = Command::new("etcd")
            .args(["--data-dir", self.data.to_str().unwrap(), "--unsafe-no-fsync"])
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("default={peer}"), "--log-level", "error"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.expect(MISSING));
        let end = Instant::now() + Duration::from_secs(30);
        while !self.tool(&["endpoint", "health"]).status.success() {
            let has_ended = self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            if has_ended || Instant::now() >= end {
                return false;
            }
        }
        true
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn tool(&self, arguments: &[&str]) -> std::process::Output {
        let login = self.login.lock().unwrap().clone();
        let mut command = Command::new("etcdctl");
        command.env("ETCDCTL_API", "3").args(["--endpoints", &format!("http://127.0.0.1:{}", self.port)]);
        command.args(login.iter().flat_map(|login| ["--user", login]));
        command.args(arguments).output().expect(MISSING)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.tool(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    pub(crate) fn put(&self, key: &str, value: &str) {
        self.run(&["put", key, value]);
    }

    pub(crate) fn get(&self, key: &str) -> String {
        self.run(&["get", "--print-value-only", key])
    }

    /// So many routes, in transactions of a hundred.
    pub(crate) fn fill(&self, count: usize) {
        use std::io::Write;
        let numbers: Vec<usize> = (0..count).collect();
        for chunk in numbers.chunks(100) {
            let value = |number: &usize| format!("{:?}", format!(r#"{{"uri":"/{number}"}}"#));
            let puts = chunk.iter().map(|number| format!("put /apisix/routes/{number} {}\n", value(number)));
            let text = format!("\n{}\n\n\n", puts.collect::<String>());
            let mut child = Command::new("etcdctl")
                .env("ETCDCTL_API", "3")
                .args(["--endpoints", &format!("http://127.0.0.1:{}", self.port), "txn"])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .expect(MISSING);
            child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
            assert!(child.wait().unwrap().success());
        }
    }

    pub(crate) fn compact(&self) {
        let status: Value = serde_json::from_str(&self.run(&["endpoint", "status", "-w", "json"])).unwrap();
        let revision = status[0]["Status"]["header"]["revision"].to_string();
        self.run(&["compact", "--physical", &revision]);
    }

    pub(crate) fn save(&self) -> PathBuf {
        let path = self.home.path().join("saved");
        self.run(&["snapshot", "save", path.to_str().unwrap()]);
        path
    }

    /// Begins again with what was saved.
    pub(crate) fn restore(&mut self, saved: &Path) {
        self.data = self.home.path().join("restored");
        let peer = format!("http://127.0.0.1:{}", self.peer);
        self.run(&[
            "snapshot",
            "restore",
            saved.to_str().unwrap(),
            "--data-dir",
            self.data.to_str().unwrap(),
            "--initial-cluster",
            &format!("default={peer}"),
            "--initial-advertise-peer-urls",
            &peer,
        ]);
        self.restart();
    }

    pub(crate) fn protect(&self, user: &str, password: &str) {
        let login = format!("{user}:{password}");
        self.run(&["user", "add", &login]);
        self.run(&["user", "grant-role", user, "root"]);
        self.run(&["auth", "enable"]);
        *self.login.lock().unwrap() = Some(login);
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}

const PASSES: u8 = 0;
const HOLDS: u8 = 1;
const CUT: u8 = 2;

/// Passes bytes on to etcd, or does not.
pub(crate) struct Relay {
    pub(crate) port: u16,
    state: Arc<AtomicU8>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Relay {
    pub(crate) fn start(to: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (state, open) = (Arc::new(AtomicU8::new(PASSES)), Arc::new(Mutex::new(Vec::new())));
        let relay = Self { port, state: state.clone(), open: open.clone() };
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if state.load(Ordering::SeqCst) == CUT {
                    continue;
                }
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)) else { continue };
                open.lock().unwrap().extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                pass(client.try_clone().unwrap(), server.try_clone().unwrap(), None);
                // Only what was there when it began to hold is held.
                let held = (state.load(Ordering::SeqCst) == PASSES).then(|| state.clone());
                pass(server, client, held);
            }
        });
        relay
    }

    /// From now on what etcd says on the connections that are open does not arrive.
    pub(crate) fn hold(&self) {
        self.state.store(HOLDS, Ordering::SeqCst);
    }

    /// Ends what is open, and takes nothing new.
    pub(crate) fn cut(&self) {
        self.state.store(CUT, Ordering::SeqCst);
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn mend(&self) {
        self.state.store(PASSES, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, held: Option<Arc<AtomicU8>>) {
    use std::io::{Read, Write};
    std::thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        loop {
            match from.read(&mut bytes) {
                Ok(count) if count > 0 => {
                    let is_held = held.as_ref().is_some_and(|state| state.load(Ordering::SeqCst) == HOLDS);
                    if !is_held && to.write_all(&bytes[..count]).is_err() {
                        break;
                    }
                }
                _ => break,
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
