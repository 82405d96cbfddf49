//! What the end of a TLS connection says: a body that ends with its connection is whole only behind a
//! `close_notify` (RFC 9112 §9.8).

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use lockgate_http::client::Timeouts;
use lockgate_http::peer::{KeepAlive, Peer, PeerTls};
use lockgate_http::resolver::Resolver;
use lockgate_http::server::{ServerSettings, serve};
use lockgate_http::tls::client_config;
use lockgate_http::{ConnectionInfo, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::support::*;

fn acceptor() -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    Arc::new(config).into()
}

/// A client behind a proxy, and its upstream, which speaks TLS and has a request.
async fn asked() -> (TcpStream, TlsStream<TcpStream>) {
    let upstream = listener().await;
    let address = upstream.local_addr().unwrap();
    let tls = PeerTls { config: client_config(false), name: "localhost".try_into().unwrap() };
    let resolver = Resolver::new(tokio::runtime::Handle::current(), []);
    let peer = Peer::new("127.0.0.1", address.port(), Some(tls), KeepAlive::default(), &resolver);
    let service = Forward::to(Arc::new(peer), Timeouts::default());
    let mut client = connect_to(Rc::new(service), Rc::default()).await;
    write(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let accepted = upstream.accept().await.unwrap().0;
    let mut upstream = acceptor().accept(accepted).await.unwrap();
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        read.push(upstream.read_u8().await.unwrap());
    }
    upstream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbody").await.unwrap();
    upstream.flush().await.unwrap();
    (client, upstream)
}

#[test]
fn a_body_before_a_close_notify_is_whole() {
    on_a_worker(async {
        let (mut client, mut upstream) = asked().await;
        upstream.shutdown().await.unwrap();
        drop(upstream);
        let answer = read_until(&mut client, "0\r\n\r\n").await;
        assert!(answer.ends_with("\r\n\r\n4\r\nbody\r\n0\r\n\r\n"), "{answer}");
    });
}

#[test]
fn a_body_that_is_cut_off_without_one_is_not() {
    on_a_worker(async {
        let (mut client, upstream) = asked().await;
        drop(upstream.into_inner().0);
        let answer = rest(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && !answer.ends_with("0\r\n\r\n"), "{answer}");
    });
}

#[test]
fn an_idle_client_is_told_that_its_connection_ends() {
    on_a_worker(async {
        let listener = listener().await;
        let connector = tokio_rustls::TlsConnector::from(client_config(false));
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, from) = listener.accept().await.unwrap();
        let (mut client, server) = tokio::try_join!(
            connector.connect("localhost".try_into().unwrap(), client),
            acceptor().accept(accepted)
        )
        .unwrap();
        let settings =
            ServerSettings { idle_timeout: Duration::from_millis(50), ..ServerSettings::default() };
        let info = Rc::new(ConnectionInfo::new(from, from, true));
        let stream = Stream::Server(Box::new(server));
        tokio::task::spawn_local(serve(stream, info, Rc::new(Mirror), Rc::new(settings), false));
        client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        // It fails where the connection just ends.
        client.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    });
}
