//! WebSocket through the gateway, between a server and clients of other hands (Python's `websockets` and `h2`).
//!
//! `install.sh` fetches them when the suite runs, so it runs only when named: `--test websocket`.

use std::path::{Path, PathBuf};
use std::process::Command;

use lockgate_tests::{Gateway, Process, eventually};
use serde_json::json;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("websocket").join(name)
}

/// A Python that has them.
fn python() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("websocket");
    let status = Command::new(file("install.sh")).arg(&directory).status().expect("install.sh can be run");
    assert!(status.success(), "websockets and h2 could not be installed from PyPI");
    directory.join("venv/bin/python")
}

/// A gateway with one route to a server.
fn gateway() -> (Gateway, Process) {
    let mut server = Process::start(Command::new(python()).arg(file("server.py")));
    let port: u16 = eventually("the server should say its port", || {
        assert!(server.ended().is_none(), "the server ended: {}", server.output());
        server.output().lines().find_map(|line| line.trim().parse().ok())
    });
    let gateway = Gateway::start();
    let route = json!({"uri": "/chat", "enable_websocket": true});
    gateway.route("1", route, &format!("127.0.0.1:{port}"));
    (gateway, server)
}

fn run(gateway: &Gateway, script: &str, arguments: &[&str]) {
    let output =
        Command::new(python()).arg(file(script)).args(arguments).output().expect("Python can be run");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&said), gateway.output());
}

#[test]
fn clients_of_http_1_talk_to_a_server() {
    let (gateway, _server) = gateway();
    run(&gateway, "http1.py", &[&format!("ws://{}/chat", gateway.proxy)]);
}

#[test]
fn clients_on_streams_of_http_2_talk_to_a_server() {
    let (gateway, _server) = gateway();
    let port = gateway.proxy.port().to_string();
    run(&gateway, "http2.py", &["127.0.0.1", &port]);
}
