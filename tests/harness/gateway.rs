//! The gateway under test, as a user starts it.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::lockgate;
use crate::connection::Connection;
use crate::message::Reply;
use crate::ports::Ports;
use crate::process::{Finished, Process};
use crate::settings::Settings;
use crate::wait::eventually;

/// The Admin key of every test's gateway.
pub const ADMIN_KEY: &str = "admin-key-of-a-test-0123456789ab";

/// A running gateway.
pub struct Gateway {
    /// The data plane.
    pub proxy: SocketAddr,
    /// The Admin API.
    pub admin: SocketAddr,
    /// The Control API.
    pub control: SocketAddr,
    /// What probes call.
    pub status: SocketAddr,
    /// Where metrics are shown.
    pub metrics: SocketAddr,
    process: Option<Process>,
    settings: Settings,
    secrets: Mutex<Vec<String>>,
    home: TempDir,
    _ports: Ports,
}

impl Gateway {
    /// Starts one with the defaults of [`Settings`].
    pub fn start() -> Self {
        Self::with(Settings::new())
    }

    /// Starts one and waits until both its sides answer.
    pub fn with(settings: Settings) -> Self {
        let ports = Ports::take();
        let at = |index| SocketAddr::from((Ipv4Addr::LOCALHOST, ports.get(index)));
        let (proxy, admin, control, status, metrics) = (at(0), at(1), at(2), at(3), at(4));
        let home = tempfile::tempdir().expect("the temporary directory is writable");
        let mut gateway = Self {
            proxy,
            admin,
            control,
            status,
            metrics,
            process: None,
            settings,
            secrets: Mutex::default(),
            home,
            _ports: ports,
        };
        gateway.rewrite(&gateway.settings);
        for (name, text) in &gateway.settings.beside {
            gateway.write(name, text);
        }
        gateway.launch();
        gateway
    }

    fn launch(&mut self) {
        let mut command = Command::new(self.settings.program.as_deref().unwrap_or_else(|| lockgate()));
        let rendered = self.home.path().join("config.yaml");
        let file = self.settings.file.as_ref().unwrap_or(&rendered);
        command.arg("run").arg("-c").arg(file);
        command.arg("--data-dir").arg(self.data()).args(&self.settings.arguments);
        command
            .env_remove("LOCKGATE_ADMIN_KEY")
            .env("LOCKGATE_IP", self.proxy.ip().to_string())
            .env("LOCKGATE_PORT", self.proxy.port().to_string())
            .env("LOCKGATE_ADMIN_PORT", self.admin.port().to_string())
            .env("LOCKGATE_CONTROL_PORT", self.control.port().to_string())
            .env("LOCKGATE_METRICS_PORT", self.metrics.port().to_string())
            .current_dir(self.home.path());
        command.envs(self.settings.environment.iter().map(|(name, value)| (name, value)));
        self.process = Some(Process::start(&mut command));
        self.wait_until_up();
    }

    fn wait_until_up(&mut self) {
        let (proxy, admin) = (self.proxy, self.admin);
        let (no_proxy, no_admin) = (self.settings.lacks_proxy, self.settings.lacks_admin);
        let process = self.process.as_mut().expect("just started");
        eventually("the gateway should answer on both ports", || {
            if let Some(status) = process.ended() {
                panic!("the gateway ended with {status} instead of starting: {}", process.output());
            }
            let serves = no_proxy || answers(proxy, "/");
            (serves && (no_admin || answers(admin, "/apisix/admin/routes"))).then_some(())
        });
    }

    /// Writes other settings to its file; whoever reads it next starts with them.
    pub fn rewrite(&self, settings: &Settings) {
        let listeners = [self.proxy, self.admin, self.control, self.status, self.metrics];
        let text = settings.render(listeners.map(|at| at.port()));
        std::fs::write(self.home.path().join("config.yaml"), text)
            .expect("the temporary directory is writable");
    }

    /// Writes a file beside its settings, so that nobody sees half of it.
    pub fn write(&self, name: &str, text: &str) {
        let (draft, path) = (self.home.path().join("draft"), self.home.path().join(name));
        let written = std::fs::write(&draft, text).and_then(|()| std::fs::rename(draft, path));
        written.expect("the temporary directory is writable");
    }

    /// Ends it as `kill -9` does and starts it again with the same settings and data.
    pub fn crash_and_restart(&mut self) {
        self.crash();
        self.launch();
    }

    /// Ends it as `kill -9` does.
    pub fn crash(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Starts it again after [`Gateway::crash`].
    pub fn restart(&mut self) {
        self.launch();
    }

    /// The running program.
    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("the gateway was ended by this test")
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.process.as_mut().expect("the gateway was ended by this test").ended()
    }

    /// Waits for its end; it must have been told to.
    pub fn finish(&mut self) -> Finished {
        self.process.take().expect("the gateway was ended by this test").finish()
    }

    /// What it has written so far.
    pub fn output(&self) -> String {
        self.process().output()
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.settings.data.clone().unwrap_or_else(|| self.home.path().join("data"))
    }

    /// A directory of this gateway's own.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Calls the Admin API with its key; `path` is what follows `/apisix/admin`. `Null` sends no body.
    pub fn admin(&self, method: &str, path: &str, body: impl Into<Value>) -> (u16, Value) {
        let body = body.into();
        gather_secrets(&body, &mut self.secrets.lock().unwrap_or_else(PoisonError::into_inner));
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let reply = self.admin_bytes(method, path, &bytes);
        let value = serde_json::from_slice(&reply.body).unwrap_or_else(|_| Value::String(reply.text()));
        (reply.status, value)
    }

    /// Calls the Admin API with its key and exactly this body.
    pub fn admin_bytes(&self, method: &str, path: &str, body: &[u8]) -> Reply {
        self.try_admin(method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// The same, for a gateway that may be gone.
    pub fn try_admin(&self, method: &str, path: &str, body: &[u8]) -> std::io::Result<Reply> {
        let socket = TcpStream::connect(self.admin)?;
        let mut connection = Connection::plain(socket);
        let mut bytes = format!(
            "{method} /apisix/admin{path} HTTP/1.1\r\nHost: {}\r\nX-API-KEY: {ADMIN_KEY}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.admin,
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        connection.send(bytes)?;
        connection.try_reply_to(method)?.ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
    }

    /// GETs a path from the Control API.
    pub fn control_get(&self, path: &str) -> Reply {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.control);
        Connection::open(self.control).exchange(request)
    }

    /// GETs a path from the port of probes.
    pub fn status_get(&self, path: &str) -> Reply {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.status);
        Connection::open(self.status).exchange(request)
    }

    /// GETs a path from the export server.
    pub fn metrics_get(&self, path: &str) -> Reply {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.metrics);
        Connection::open(self.metrics).exchange(request)
    }

    /// PUTs a resource that must be accepted; answers with the reply's body.
    pub fn put(&self, path: &str, body: Value) -> Value {
        let (status, value) = self.admin("PUT", path, body);
        assert!(status == 200 || status == 201, "PUT {path}: {status} {value}");
        value
    }

    /// PUTs a route with these fields and an upstream of one node.
    pub fn route(&self, id: &str, mut fields: Value, node: &str) {
        fields["upstream"] = json!({"type": "roundrobin", "nodes": {node: 1}});
        self.put(&format!("/routes/{id}"), fields);
    }

    /// PUTs a route with `aws-lambda` configured so.
    pub fn lambda(&self, id: &str, uri: &str, config: impl Into<Value>) {
        let config = config.into();
        self.put(&format!("/routes/{id}"), json!({"uri": uri, "plugins": {"aws-lambda": config}}));
    }

    /// A connection to the data plane.
    pub fn connect(&self) -> Connection {
        Connection::open(self.proxy)
    }

    /// GETs a target from the data plane over a connection of its own.
    pub fn get(&self, target: &str) -> Reply {
        self.get_as(target, "gateway.test")
    }

    /// GETs a target of a host.
    pub fn get_as(&self, target: &str, host: &str) -> Reply {
        self.request("GET", target, &[&format!("Host: {host}")], b"")
    }

    /// Sends a request over a connection of its own; `headers` are whole lines.
    pub fn request(&self, method: &str, target: &str, headers: &[&str], body: &[u8]) -> Reply {
        let mut bytes = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
        if !headers.iter().any(|line| line.to_ascii_lowercase().starts_with("host:")) {
            bytes.extend_from_slice(b"Host: gateway.test\r\n");
        }
        for line in headers {
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        if !body.is_empty() {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        self.connect().exchange(bytes)
    }

    /// The URL of a path on the data plane.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.proxy)
    }
}

/// A gateway never writes a secret down: every test's gateway is looked at for those it was given.
impl Drop for Gateway {
    fn drop(&mut self) {
        let Some(process) = self.process.take().filter(|_| !std::thread::panicking()) else {
            return;
        };
        let output = process.output();
        let given = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        for secret in given.iter().map(String::as_str).chain([ADMIN_KEY]) {
            assert!(!output.contains(secret), "the secret {secret} is in what the gateway wrote:\n{output}");
        }
    }
}

/// Whether a text is long enough to be told from other words, and is not the name of a variable.
fn is_secret(text: &str) -> bool {
    text.len() >= 12 && !text.starts_with('$')
}

/// The texts of fields that hold secrets; of a private key its first line, which no line break spoils.
fn gather_secrets(value: &Value, found: &mut Vec<String>) {
    const FIELDS: [&str; 6] =
        ["apikey", "secretkey", "secret_key", "session_token", "master_apikey", "service_token"];
    match value {
        Value::String(text) if text.contains("PRIVATE KEY-----") => {
            found.extend(text.lines().nth(1).map(str::to_owned));
        }
        Value::Array(items) => items.iter().for_each(|item| gather_secrets(item, found)),
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(text) if FIELDS.contains(&name.as_str()) && is_secret(text) => {
                        found.push(text.clone());
                    }
                    field => gather_secrets(field, found),
                }
            }
        }
        _ => {}
    }
}

fn answers(address: SocketAddr, path: &str) -> bool {
    let Ok(socket) = TcpStream::connect(address) else {
        return false;
    };
    let mut connection = Connection::plain(socket);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nX-API-KEY: {ADMIN_KEY}\r\nConnection: close\r\n\r\n"
    );
    connection.send(request).is_ok() && matches!(connection.try_reply_to("GET"), Ok(Some(_)))
}
