//! TLS clients under load while one gateway hands over to the next: none is refused or reset.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use lockgate_tests::{Authority, DEADLINE, FakeUpstream, Ports, Settings, Then, eventually};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::json;

use crate::generations::Generations;

/// Clients at a time, half of which go on with earlier sessions.
const CLIENTS: usize = 6;

fn config(authority: &Authority, resumes: bool) -> Arc<ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("it was written by us");
    roots.add(root).expect("a certificate of an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    if !resumes {
        config.resumption = rustls::client::Resumption::disabled();
    }
    Arc::new(config)
}

/// One connection: some requests, as long as it is not told to go. How many were answered.
fn ask(address: SocketAddr, config: &Arc<ClientConfig>) -> std::io::Result<u64> {
    let socket = TcpStream::connect_timeout(&address, DEADLINE)?;
    socket.set_read_timeout(Some(DEADLINE))?;
    socket.set_nodelay(true)?;
    let name = ServerName::try_from("a.example").expect("a name");
    let session = ClientConnection::new(config.clone(), name).expect("a configuration that fits");
    let mut stream = StreamOwned::new(session, socket);
    for number in 1..=10 {
        stream.write_all(b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n")?;
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let mut body = [0; 5];
        stream.read_exact(&mut body)?;
        let head = String::from_utf8_lossy(&head).into_owned();
        if !head.starts_with("HTTP/1.1 200 ") || &body != b"hello" {
            return Err(std::io::Error::other(head));
        }
        if head.contains("Connection: close\r\n") {
            return Ok(number);
        }
    }
    Ok(10)
}

#[test]
fn no_tls_client_is_refused_or_reset_by_an_upgrade_under_load() {
    let upstream =
        FakeUpstream::start(|_, connection| connection.answer("200 OK", &[], "hello").map(|()| Then::Keep));
    let ports = Ports::take();
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.get(0)));
    let ssl = json!({"enable": true, "listen": [{"ip": "127.0.0.1", "port": at.port()}]});
    let settings = Settings::new()
        .set("apisix.ssl", ssl)
        .set("nginx_config.worker_processes", json!(2))
        .set("nginx_config.http", json!({"keepalive_timeout": "5s", "access_log": "/dev/null"}));
    let mut gateways = Generations::start(settings);
    gateways.first.route("1", json!({"uri": "/*"}), &upstream.node());
    let authority = Authority::new();
    let (cert, key) = authority.pair("a.example");
    gateways.first.put("/ssls/1", json!({"cert": cert, "key": key, "snis": ["a.example"]}));
    let (is_done, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let load = |resumes: bool| {
        let config = config(&authority, resumes);
        let mut failures = Vec::new();
        while !is_done.load(Ordering::SeqCst) && failures.is_empty() {
            match ask(at, &config) {
                Ok(count) => drop(answered.fetch_add(count, Ordering::SeqCst)),
                Err(error) => failures.push(error.to_string()),
            }
        }
        failures
    };
    let load = &load;
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|number| scope.spawn(move || load(number % 2 == 0))).collect();
        let more = |what: &str| {
            let before = answered.load(Ordering::SeqCst);
            eventually(what, || (answered.load(Ordering::SeqCst) >= before + 300).then_some(()));
        };
        more("requests should be answered before the upgrade");
        gateways.upgrade();
        more("requests should be answered behind the upgrade");
        is_done.store(true, Ordering::SeqCst);
        for client in clients {
            assert_eq!(client.join().expect("a client does not panic"), Vec::<String>::new());
        }
    });
    gateways.wait_for_first();
}
