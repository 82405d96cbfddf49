//! WebSocket through the gateway, between a server and clients of other hands (Python's `websockets` and `h2`).
//!
//! The harness fetches them when the suite runs, so it runs only when named: `--test websocket`.

use std::path::{Path, PathBuf};
use std::process::Command;

use lockgate_tests::{Authority, Gateway, Ports, Process, Settings, eventually};
use serde_json::json;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("websocket").join(name)
}

/// A Python that has them.
fn python() -> PathBuf {
    lockgate_tests::python("websocket", &["websockets", "h2"], "python")
}

/// A gateway with one route to a server.
fn gateway(settings: Settings) -> (Gateway, Process) {
    let mut server = Process::start(Command::new(python()).arg(file("server.py")));
    let port: u16 = eventually("the server should say its port", || {
        assert!(server.ended().is_none(), "the server ended: {}", server.output());
        server.output().lines().find_map(|line| line.trim().parse().ok())
    });
    let gateway = Gateway::with(settings);
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
    let (gateway, _server) = gateway(Settings::new());
    run(&gateway, "http1.py", &[&format!("ws://{}/chat", gateway.proxy)]);
}

#[test]
fn clients_on_streams_of_http_2_talk_to_a_server() {
    let (gateway, _server) = gateway(Settings::new());
    let port = gateway.proxy.port().to_string();
    run(&gateway, "http2.py", &["127.0.0.1", &port]);
}

#[test]
fn clients_that_speak_tls_talk_to_a_server_by_either_version() {
    let (authority, ports) = (Authority::new(), Ports::take());
    let listen = json!([{"ip": "127.0.0.1", "port": ports.get(0)}]);
    let (gateway, _server) = gateway(Settings::new().set("apisix.ssl", json!({"listen": listen})));
    let (certificate, key) = authority.files("gateway.test");
    let read = |path| std::fs::read_to_string(path).expect("the authority has written it");
    let ssl = json!({"snis": ["gateway.test"], "cert": read(certificate), "key": read(key)});
    gateway.put("/ssls/1", ssl);
    let (port, authority) = (ports.get(0).to_string(), authority.file().display().to_string());
    run(&gateway, "http1.py", &[&format!("wss://127.0.0.1:{port}/chat"), &authority]);
    run(&gateway, "http2.py", &["127.0.0.1", &port, &authority]);
}
