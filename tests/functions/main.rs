//! Functions on this machine: real processes, called as AWS's clients call Lambda.

mod dev;
mod documentation;
mod ending;
mod environments;
mod examples;
mod invoke;
mod load;
mod runtime_api;
mod streaming;
mod web;

use std::net::SocketAddr;
use std::path::Path;

use lockgate_tests::{Connection, Gateway, Reply, Settings, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A gateway with functions written in Python.
struct Local {
    gateway: Gateway,
    /// Where functions are called.
    server: SocketAddr,
    folder: TempDir,
}

impl Local {
    /// Starts one function, `f`, with this source; `fields` are what the settings say besides.
    fn start(source: &str, fields: Value) -> Self {
        Self::with(source, fields, Settings::new())
    }

    /// The same, with settings.
    fn with(source: &str, fields: Value, settings: Settings) -> Self {
        Self::signed(source, fields, listening(settings))
    }

    /// The same, where the settings say all about the functions' server.
    fn signed(source: &str, mut fields: Value, settings: Settings) -> Self {
        let folder = tempfile::tempdir().expect("the temporary directory is writable");
        write(&folder.path().join("app.py"), source);
        fields["runtime"] = json!("python3");
        fields["handler"] = json!("app.handler");
        fields["directory"] = json!(folder.path());
        let gateway = Gateway::with(settings.set("functions", json!({ "f": fields })));
        let server = server_of(&gateway);
        Self { gateway, server, folder }
    }

    /// Calls `f` through the Invoke API; `headers` are whole lines.
    fn invoke(&self, event: &str, headers: &[&str]) -> Reply {
        call(self.server, "POST", "/2015-03-31/functions/f/invocations", headers, event.as_bytes())
    }

    /// GETs from the functions' server.
    fn get(&self, path: &str) -> Reply {
        call(self.server, "GET", path, &[], b"")
    }

    /// The function's log, once it satisfies.
    fn log(&self, what: &str, satisfies: impl Fn(&str) -> bool) -> String {
        eventually(what, || {
            let text = self.get("/lockgate/functions/f/log?lines=1000").text();
            satisfies(&text).then_some(text)
        })
    }

    /// A file beside the function's source.
    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("the temporary directory is writable");
}

/// Has the functions' server listen on any free port.
fn listening(settings: Settings) -> Settings {
    settings.set("function_server", json!({"listen": {"port": 0}}))
}

/// The address that the gateway shows.
fn server_of(gateway: &Gateway) -> SocketAddr {
    eventually("the banner should show where functions are called", || address_in(&gateway.output()))
}

fn address_in(output: &str) -> Option<SocketAddr> {
    let line = output.lines().find(|line| line.trim_start().starts_with("functions "))?;
    line.rsplit_once("http://")?.1.trim().parse().ok()
}

/// One request on a connection of its own.
fn call(server: SocketAddr, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Reply {
    Connection::open(server).exchange(request(server, method, path, headers, body))
}

fn request(server: SocketAddr, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
    if !headers.iter().any(|line| line.to_ascii_lowercase().starts_with("host:")) {
        bytes.extend_from_slice(format!("Host: {server}\r\n").as_bytes());
    }
    for line in headers {
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    bytes
}
