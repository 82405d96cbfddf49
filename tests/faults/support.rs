//! Sockets that can be reset, and a gateway with short time-outs.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use lockgate_tests::{DEADLINE, Gateway, Settings, eventually};
use serde_json::{Value, json};

/// The answer of an upstream that is well.
pub(crate) const WELL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell";

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Both directions are closed in order.
    Close,
    /// It is reset.
    Reset,
}

/// Ends a connection.
pub(crate) fn end(socket: TcpStream, how: End) {
    if how == End::Reset {
        let linger = socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO));
        linger.expect("a connected socket");
    }
    drop(socket);
}

/// A connection whose reads are bounded.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("it listens");
    socket.set_read_timeout(Some(DEADLINE)).expect("more than nothing");
    socket.set_write_timeout(Some(DEADLINE)).expect("more than nothing");
    socket.set_nodelay(true).expect("a connected socket");
    socket
}

/// An upstream whose connections each go to a script of their own.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    is_over: Arc<AtomicBool>,
}

impl Upstream {
    pub(crate) fn start(script: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (is_over, script) = (Arc::new(AtomicBool::new(false)), Arc::new(script));
        let stop = is_over.clone();
        thread::spawn(move || {
            for socket in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(socket), script) = (socket, script.clone()) else { continue };
                socket.set_read_timeout(Some(DEADLINE)).expect("more than nothing");
                socket.set_nodelay(true).expect("a connected socket");
                thread::spawn(move || script(socket));
            }
        });
        Self { address, is_over }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the accept loop.
        let _ = TcpStream::connect_timeout(&self.address, DEADLINE);
    }
}

/// The next head on a connection; `None` when it ends before.
pub(crate) fn head(socket: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(b"\r\n\r\n") {
        match socket.read(&mut byte) {
            Ok(1) => read.push(byte[0]),
            _ => return None,
        }
    }
    Some(String::from_utf8_lossy(&read).into_owned())
}

/// The next answer with a length: its status and its body. Interim ones are passed over.
pub(crate) fn answer(socket: &mut TcpStream) -> Option<(u16, String)> {
    let head = head(socket)?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    if (100..200).contains(&status) {
        return answer(socket);
    }
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "))?;
    let mut body = vec![0; length.parse().ok()?];
    socket.read_exact(&mut body).ok()?;
    Some((status, String::from_utf8_lossy(&body).into_owned()))
}

/// All that still comes; a reset ends it too.
pub(crate) fn rest(socket: &mut TcpStream) -> String {
    let mut read = Vec::new();
    if let Err(error) = socket.read_to_end(&mut read) {
        let is_end = error.kind() == std::io::ErrorKind::ConnectionReset;
        assert!(is_end, "the connection stays open: {error} after {}", read.escape_ascii());
    }
    String::from_utf8_lossy(&read).into_owned()
}

/// A GET of this target must be answered by a well upstream.
pub(crate) fn is_well(socket: &mut TcpStream, what: &str) {
    let sent = socket.write_all(b"GET /well HTTP/1.1\r\nHost: h\r\n\r\n");
    sent.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(answer(socket), Some((200, "well".to_owned())), "{what}");
}

/// A gateway whose every wait is short, in front of this upstream.
pub(crate) fn impatient(upstream: SocketAddr) -> Gateway {
    let short = json!("300ms");
    let gateway = Gateway::with(
        Settings::new()
            .set("nginx_config.http.client_header_timeout", short.clone())
            .set("nginx_config.http.client_body_timeout", short.clone())
            .set("nginx_config.http.send_timeout", short),
    );
    route(&gateway, upstream, &json!({"connect": 0.3, "send": 0.3, "read": 0.3}));
    gateway
}

/// Routes everything to this upstream.
pub(crate) fn route(gateway: &Gateway, upstream: SocketAddr, timeout: &Value) {
    gateway.route("1", json!({"uri": "/*", "timeout": timeout}), &upstream.to_string());
}

/// The statuses that the access log has for a target.
pub(crate) fn logged(gateway: &Gateway, target: &str) -> Vec<String> {
    let output = gateway.output();
    let start = format!(" {target} HTTP/");
    let ends = output.lines().filter_map(|line| line.split_once(&start));
    ends.filter_map(|(_, end)| Some(end.split_once("\" ")?.1.split(' ').next()?.to_owned())).collect()
}

/// Every one of these targets has one line in the log, with one of these statuses.
pub(crate) fn are_logged(gateway: &Gateway, targets: &[String], statuses: &[&str]) {
    for target in targets {
        let found = eventually(&format!("{target} should be logged"), || {
            Some(logged(gateway, target)).filter(|statuses| !statuses.is_empty())
        });
        let is_one = matches!(&found[..], [one] if statuses.contains(&one.as_str()));
        assert!(is_one, "{target}: {found:?}");
    }
}

/// Cuts to try in so many bytes: every one, or one in `stride` beside those next to these bounds.
pub(crate) fn cuts(len: usize, stride: usize, bounds: &[usize]) -> Vec<usize> {
    let is_near = |at: usize| bounds.iter().any(|bound| at.abs_diff(*bound) <= 1);
    (0..=len).filter(|at| at % stride == 0 || *at == len || is_near(*at)).collect()
}
