//! Sessions that clients go on with: on any worker, and never past a certificate they have to show.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use lockgate_tests::{DEADLINE, Settings};
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, StreamOwned};
use serde_json::json;

use crate::support::Https;

pub(crate) type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A client that keeps its sessions.
pub(crate) fn client(https: &Https) -> Arc<ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(
            rustls::pki_types::CertificateDer::from_pem_slice(https.authority.pem().as_bytes())
                .expect("rcgen writes PEM"),
        )
        .expect("an authority's certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows them");
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// A connection for this name; the handshake is done with the first request.
pub(crate) fn connect(https: &Https, name: &str, client: &Arc<ClientConfig>) -> Tls {
    let socket = TcpStream::connect(https.port).expect("the gateway listens");
    socket.set_read_timeout(Some(DEADLINE)).expect("a deadline of more than zero");
    let name = name.to_owned().try_into().expect("a name");
    StreamOwned::new(ClientConnection::new(client.clone(), name).expect("a configuration that fits"), socket)
}

/// The head of the answer to a GET of a host, and all that came with it.
pub(crate) fn get(tls: &mut Tls, host: &str) -> String {
    write!(tls, "GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").expect("the gateway reads");
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
        let count = tls.read(&mut piece).expect("the gateway answers");
        assert!(count > 0, "the connection ended within {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn kind(https: &Https, name: &str, client: &Arc<ClientConfig>) -> Option<HandshakeKind> {
    let mut tls = connect(https, name, client);
    assert!(get(&mut tls, name).starts_with("HTTP/1.1 200"));
    tls.conn.handshake_kind()
}

#[test]
fn a_session_goes_on_at_any_worker() {
    for tickets in [false, true] {
        let settings = Settings::new().set("nginx_config.worker_processes", json!(4));
        let https = Https::with(settings, json!({"ssl_session_tickets": tickets}));
        https.put("1", &["a.example", "b.example"], json!({}));
        let client = client(&https);
        assert_ne!(kind(&https, "a.example", &client), Some(HandshakeKind::Resumed));
        for _ in 0..20 {
            assert_eq!(kind(&https, "a.example", &client), Some(HandshakeKind::Resumed), "{tickets}");
        }
        assert_ne!(kind(&https, "b.example", &client), Some(HandshakeKind::Resumed), "{tickets}");
    }
}

#[test]
fn a_new_certificate_keeps_sessions_and_new_terms_for_clients_end_them() {
    let https = Https::with(Settings::new(), json!({"ssl_session_tickets": true}));
    let ca = lockgate_tests::Authority::new();
    let skipping = json!({"client": {"ca": ca.pem(), "skip_mtls_uri_regex": ["^/"]}});
    https.put("1", &["a.example"], json!({}));
    let client = client(&https);
    assert_ne!(kind(&https, "a.example", &client), Some(HandshakeKind::Resumed));
    https.put("1", &["a.example"], json!({}));
    assert_eq!(kind(&https, "a.example", &client), Some(HandshakeKind::Resumed));
    https.put("1", &["a.example"], skipping);
    assert_ne!(kind(&https, "a.example", &client), Some(HandshakeKind::Resumed));
}
