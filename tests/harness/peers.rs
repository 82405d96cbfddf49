//! Other gateways in front of the same upstream: nginx and HAProxy as Debian has them, if they are installed.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::{Gateway, Ports, Process, Settings, eventually};

/// The longest body that a gateway of the tables takes.
pub const MAX_BODY: u64 = 4 * 1024 * 1024;

/// What clients speak to a peer, by prior knowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// A gateway that listens.
pub struct Peer {
    /// What it is called.
    pub name: &'static str,
    /// What it says of its version.
    pub version: String,
    /// Where it listens.
    pub address: SocketAddr,
    _running: Running,
}

/// What ends with it.
enum Running {
    Ours(#[expect(dead_code, reason = "it is held to be dropped")] Box<Gateway>),
    Other { _process: Process, _home: tempfile::TempDir, _ports: Ports },
}

/// How each peer is started: this gateway, then the others.
pub const PEERS: [fn(&str, Speaks) -> Peer; 3] = [lockgate, nginx, haproxy];

fn lockgate(upstream: &str, speaks: Speaks) -> Peer {
    let settings = Settings::new().set("nginx_config.http.client_max_body_size", json!(MAX_BODY));
    let gateway = Box::new(Gateway::with(settings));
    // The table of frames has a row of a route that does not allow it.
    let is_http1 = speaks == Speaks::Http1;
    gateway.route("1", json!({"uri": "/*", "enable_websocket": is_http1}), upstream);
    let version = format!("Lockgate {}", env!("CARGO_PKG_VERSION"));
    Peer { name: "Lockgate", version, address: gateway.proxy, _running: Running::Ours(gateway) }
}

/// Its defaults, with connections to the upstream kept, as a gateway has it.
fn nginx(upstream: &str, speaks: Speaks) -> Peer {
    let protocol = if speaks == Speaks::Http2 { " http2" } else { "" };
    start("nginx", "-v", |home, port| {
        let home = home.display();
        let file = format!("{home}/nginx.conf");
        let text = format!(
            "daemon off; pid {home}/pid; error_log {home}/error.log; worker_processes 1;
            events {{ }}
            http {{
                access_log off; client_max_body_size {MAX_BODY};
                client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
                uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
                upstream node {{ server {upstream}; keepalive 16; }}
                server {{
                    listen 127.0.0.1:{port}{protocol};
                    location / {{
                        proxy_pass http://node; proxy_http_version 1.1;
                        proxy_set_header Connection \"\"; proxy_set_header Host $http_host;
                    }}
                }}
            }}"
        );
        (file.clone(), text, vec!["-c".to_owned(), file])
    })
}

/// Its defaults: HTTP mode, connections kept.
fn haproxy(upstream: &str, speaks: Speaks) -> Peer {
    let protocol = if speaks == Speaks::Http2 { " proto h2" } else { "" };
    start("haproxy", "-v", |home, port| {
        let file = format!("{}/haproxy.cfg", home.display());
        let text = format!(
            "defaults\n mode http\n timeout client 30s\n timeout server 30s\n timeout connect 5s\n\
             frontend front\n bind 127.0.0.1:{port}{protocol}\n default_backend node\n\
             backend node\n server node {upstream}\n"
        );
        (file.clone(), text, vec!["-db".to_owned(), "-f".to_owned(), file])
    })
}

fn start(
    name: &'static str,
    asks_version: &str,
    configure: impl FnOnce(&Path, u16) -> (String, String, Vec<String>),
) -> Peer {
    let (home, ports) = (tempfile::tempdir().expect("the temporary directory is writable"), Ports::take());
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.get(0)));
    let (file, text, arguments) = configure(home.path(), address.port());
    std::fs::write(file, text).expect("the temporary directory is writable");
    let output = Command::new(name).arg(asks_version).output();
    let output = output.unwrap_or_else(|error| panic!("{name} is not installed: {error}"));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let number =
        said.split([' ', '/', '-']).find(|word| word.starts_with(|start: char| start.is_ascii_digit()));
    let process = Process::start(Command::new(name).args(arguments));
    eventually("the peer should listen", || TcpStream::connect(address).ok());
    let label = if name == "haproxy" { "HAProxy" } else { name };
    let running = Running::Other { _process: process, _home: home, _ports: ports };
    Peer {
        name: label,
        version: format!("{label} {}", number.unwrap_or_default()),
        address,
        _running: running,
    }
}
