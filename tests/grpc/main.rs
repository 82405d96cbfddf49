//! gRPC through the gateway, between a client and a server of the gRPC project (its package for Python).
//!
//! The harness fetches it when the suite runs, so it runs only when named: `--test grpc`.

use std::path::{Path, PathBuf};
use std::process::Command;

use lockgate_tests::{Authority, Gateway, Ports, Process, Settings, closed_port, eventually};
use serde_json::json;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("grpc").join(name)
}

/// A Python that has gRPC.
fn python() -> PathBuf {
    lockgate_tests::python("grpc", &["grpcio"], "python")
}

/// A server, which is told where its certificate lies.
fn server(arguments: &[PathBuf]) -> (Process, u16) {
    let mut process = Process::start(Command::new(python()).arg(file("server.py")).args(arguments));
    let port = eventually("the gRPC server should say its port", || {
        assert!(process.ended().is_none(), "the gRPC server ended: {}", process.output());
        process.output().lines().find_map(|line| line.trim().parse().ok())
    });
    (process, port)
}

/// A gateway with one route to it.
fn gateway(settings: Settings, scheme: &str, port: u16) -> Gateway {
    let gateway = Gateway::with(settings);
    let upstream = json!({
        "type": "roundrobin", "scheme": scheme, "nodes": {format!("localhost:{port}"): 1},
        "pass_host": "node", "tls": {"verify": true},
    });
    gateway.put("/routes/1", json!({"uri": "/lockgate.Test/*", "upstream": upstream}));
    gateway
}

/// Makes every kind of call through a gateway, or the one that is named.
fn call(gateway: &Gateway, kind: &str) {
    run(gateway, &[kind, &gateway.proxy.to_string()]);
}

fn run(gateway: &Gateway, arguments: &[&str]) {
    let output =
        Command::new(python()).arg(file("client.py")).args(arguments).output().expect("Python can be run");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&said), gateway.output());
}

#[test]
fn every_kind_of_call_passes_in_plain() {
    let (_server, port) = server(&[]);
    call(&gateway(Settings::new(), "grpc", port), "every");
}

#[test]
fn every_kind_of_call_passes_by_tls_that_is_verified() {
    let authority = Authority::new();
    let (certificate, key) = authority.files("localhost");
    let (_server, port) = server(&[certificate, key]);
    let settings = Settings::new().environment("SSL_CERT_FILE", authority.file().display().to_string());
    call(&gateway(settings, "grpcs", port), "every");
}

#[test]
fn every_kind_of_call_passes_from_clients_that_speak_tls() {
    let (authority, ports) = (Authority::new(), Ports::take());
    let (_server, port) = server(&[]);
    let listen = json!([{"ip": "127.0.0.1", "port": ports.get(0)}]);
    let gateway = gateway(Settings::new().set("apisix.ssl", json!({"listen": listen})), "grpc", port);
    let (certificate, key) = authority.files("gateway.test");
    let read = |path| std::fs::read_to_string(path).expect("the authority has written it");
    let ssl = json!({"snis": ["gateway.test"], "cert": read(certificate), "key": read(key)});
    gateway.put("/ssls/1", ssl);
    let at = format!("127.0.0.1:{}", ports.get(0));
    run(&gateway, &["every", &at, &authority.file().display().to_string()]);
}

#[test]
fn a_node_that_is_not_there_is_unavailable() {
    call(&gateway(Settings::new(), "grpc", closed_port()), "unavailable");
}
