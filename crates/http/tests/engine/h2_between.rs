//! HTTP/2 on one side of the proxy, or on both: what passes between them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, StatusCode};
use lockgate_http::client::{Timeouts, send};
use lockgate_http::peer::{KeepAlive, Peer, PeerTls, Protocol};
use lockgate_http::resolver::Resolver;
use lockgate_http::{Body, Outgoing, Request, Response};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::support::*;

/// A client of a proxy.
async fn client(proxy: &Proxy) -> SendRequest<Bytes> {
    let (sender, connection) = h2::client::handshake(proxy.connect().await).await.unwrap();
    tokio::task::spawn_local(async move {
        let _ = connection.await;
    });
    sender.ready().await.unwrap()
}

/// A proxy whose upstream speaks HTTP/2.
async fn proxy() -> Proxy {
    Set::default().speaking(Protocol::Http2).start().await
}

/// The next request that the upstream gets; its connection is driven beside.
async fn incoming(proxy: &Proxy) -> (http::Request<RecvStream>, SendResponse<Bytes>) {
    let mut connection = h2::server::handshake(proxy.accept().await).await.unwrap();
    let incoming = connection.accept().await.unwrap().unwrap();
    tokio::task::spawn_local(async move { while let Some(Ok(_)) = connection.accept().await {} });
    incoming
}

fn post() -> http::Request<()> {
    http::Request::post("http://h/").body(()).unwrap()
}

#[test]
fn a_request_that_breaks_off_is_never_ended_upstream() {
    on_a_worker(async {
        let proxy = proxy().await;
        let (_, mut body) = client(&proxy).await.send_request(post(), false).unwrap();
        body.send_data(Bytes::from_static(b"half"), false).unwrap();
        let (request, mut respond) = incoming(&proxy).await;
        let mut upload = request.into_body();
        assert_eq!(upload.data().await.unwrap().unwrap(), "half");
        body.send_reset(Reason::CANCEL);
        let error = upload.data().await.unwrap().unwrap_err();
        assert_eq!(error.reason(), Some(Reason::CANCEL));
        assert_eq!(std::future::poll_fn(|cx| respond.poll_reset(cx)).await.unwrap(), Reason::CANCEL);
    });
}

#[test]
fn a_streamed_body_that_nobody_looked_at_is_sent_again_whole() {
    on_a_worker(async {
        let proxy = proxy().await;
        let (answer, mut body) = client(&proxy).await.send_request(post(), false).unwrap();
        body.send_data(Bytes::from_static(b"one "), false).unwrap();
        let mut connection = h2::server::handshake(proxy.accept().await).await.unwrap();
        let (request, mut respond) = connection.accept().await.unwrap().unwrap();
        let mut upload = request.into_body();
        let first = tokio::select! {
            data = upload.data() => data.unwrap().unwrap(),
            more = connection.accept() => panic!("{more:?}"),
        };
        assert_eq!(first, "one ");
        respond.send_reset(Reason::REFUSED_STREAM);
        let (request, mut respond) = connection.accept().await.unwrap().unwrap();
        tokio::task::spawn_local(async move { while let Some(Ok(_)) = connection.accept().await {} });
        body.send_data(Bytes::from_static(b"two"), true).unwrap();
        let (mut upload, mut all) = (request.into_body(), Vec::new());
        while let Some(data) = upload.data().await {
            all.extend_from_slice(&data.unwrap());
        }
        assert_eq!(all, b"one two");
        respond.send_response(http::Response::new(()), true).unwrap();
        assert_eq!(answer.await.unwrap().status(), StatusCode::OK);
    });
}

#[test]
fn a_broken_chunk_is_never_ended_upstream() {
    on_a_worker(async {
        let proxy = proxy().await;
        let mut client = proxy.connect().await;
        write(
            &mut client,
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx\r\n",
        )
        .await;
        let (request, _respond) = incoming(&proxy).await;
        let mut upload = request.into_body();
        let end = loop {
            match upload.data().await {
                Some(Ok(_)) => {}
                end => break end,
            }
        };
        assert_eq!(end.unwrap().unwrap_err().reason(), Some(Reason::CANCEL));
        assert!(rest(&mut client).await.starts_with("HTTP/1.1 4") || !proxy.outcomes().is_empty());
    });
}

#[test]
fn trailers_pass_between_all_versions() {
    on_a_worker(async {
        let proxy = proxy().await;
        let (answer, mut body) = client(&proxy).await.send_request(post(), false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-up", "1".parse().unwrap());
        body.send_data(Bytes::from_static(b"abc"), false).unwrap();
        body.send_trailers(trailers.clone()).unwrap();
        let (request, mut respond) = incoming(&proxy).await;
        let mut upload = request.into_body();
        assert_eq!(upload.data().await.unwrap().unwrap(), "abc");
        assert!(upload.data().await.is_none());
        assert_eq!(upload.trailers().await.unwrap().unwrap(), trailers);
        let mut stream = respond.send_response(http::Response::new(()), false).unwrap();
        stream.send_trailers(trailers.clone()).unwrap();
        let mut download = answer.await.unwrap().into_body();
        assert!(download.data().await.is_none());
        assert_eq!(download.trailers().await.unwrap().unwrap(), trailers);
    });
}

#[test]
fn interim_answers_pass_between_all_versions() {
    on_a_worker(async {
        let hint = || http::Response::builder().status(103).header("link", "</a>").body(()).unwrap();
        let up_h2 = proxy().await;
        let mut old = up_h2.connect().await;
        write(&mut old, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let (_, mut respond) = incoming(&up_h2).await;
        respond.send_informational(hint()).unwrap();
        assert_eq!(head(&mut old).await, "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
        respond.send_response(http::Response::new(()), true).unwrap();
        assert!(head(&mut old).await.starts_with("HTTP/1.1 200 OK\r\n"));

        let up_h1 = Set::default().start().await;
        let (mut answer, _) = client(&up_h1).await.send_request(post(), true).unwrap();
        let mut upstream = up_h1.accept().await;
        head(&mut upstream).await;
        write(&mut upstream, "HTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
            .await;
        let interim = std::future::poll_fn(|cx| answer.poll_informational(cx)).await.unwrap().unwrap();
        assert_eq!(
            (interim.status().as_u16(), interim.headers()["link"].as_bytes()),
            (103, b"</b>".as_slice())
        );
        write(&mut upstream, "HTTP/1.1 204 No Content\r\n\r\n").await;
        let none = std::future::poll_fn(|cx| answer.poll_informational(cx)).await;
        assert!(none.is_none(), "a 100 that was not asked for: {none:?}");
        assert_eq!(answer.await.unwrap().status(), StatusCode::NO_CONTENT);
    });
}

#[test]
fn a_client_that_waits_for_a_100_gets_it_when_its_body_is_wanted() {
    on_a_worker(async {
        let proxy = proxy().await;
        let mut request = post();
        request.headers_mut().insert("expect", "100-continue".parse().unwrap());
        let (mut answer, mut body) = client(&proxy).await.send_request(request, false).unwrap();
        // Nobody wants it before there is an upstream to send it to.
        let interim = std::future::poll_fn(|cx| answer.poll_informational(cx));
        let (interim, (request, mut respond)) = tokio::join!(interim, incoming(&proxy));
        assert_eq!(interim.unwrap().unwrap().status(), StatusCode::CONTINUE);
        body.send_data(Bytes::from_static(b"abc"), true).unwrap();
        assert!(request.headers().get("expect").is_none());
        assert_eq!(request.into_body().data().await.unwrap().unwrap(), "abc");
        respond.send_response(http::Response::new(()), true).unwrap();
        assert_eq!(answer.await.unwrap().status(), StatusCode::OK);
    });
}

#[test]
fn a_client_that_sends_more_than_its_window_is_sent_away() {
    on_a_worker(async {
        // Nothing reads the body: the answer never comes.
        let held = Rc::new(RefCell::new(Vec::new()));
        let keep = held.clone();
        let service = Answer(move |request: Request| {
            keep.borrow_mut().push(request.body);
            Body::stream(Never)
        });
        let mut socket = connect_to(Rc::new(service), Rc::default()).await;
        write(&mut socket, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0")
            .await;
        write(&mut socket, b"\0\0\x06\x01\x04\0\0\0\x01\x83\x86\x84\x41\x01h").await;
        let data = [b"\0\x40\0\0\0\0\0\0\x01".as_slice(), &[0; 16_384]].concat();
        for _ in 0..17 {
            write(&mut socket, &data).await;
        }
        let seen = rest_of(&mut socket).await;
        let fault = [7_u8, 0, 0, 0, 0, 0].as_slice();
        let reset = [3_u8, 0, 0, 0, 0, 1, 0, 0, 0, 3].as_slice();
        let has = |part: &[u8]| seen.windows(part.len()).any(|window| window == part);
        assert!(has(reset) || has(fault), "FLOW_CONTROL_ERROR: {seen:?}");
        assert_eq!(held.borrow().len(), 1);
    });
}

/// What comes within a second.
async fn rest_of(socket: &mut TcpStream) -> Vec<u8> {
    use tokio::io::AsyncReadExt;
    let mut seen = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(1), socket.read_to_end(&mut seen)).await;
    seen
}

/// A body that never says anything.
struct Never;

impl lockgate_http::BodyStream for Never {
    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<bool, lockgate_http::BodyError>> {
        std::task::Poll::Pending
    }

    fn data(&self) -> &[u8] {
        &[]
    }

    fn consume(&mut self, _: usize) {}

    fn length(&self) -> Option<u64> {
        None
    }
}

/// What a server in TLS needs, and what trusts it.
fn tls(protocols: &[&str]) -> (TlsAcceptor, PeerTls) {
    let provider = || Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let signed = rcgen::generate_simple_self_signed(vec!["h".to_owned()]).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::Pkcs8(signed.signing_key.serialize_der().into());
    let mut server = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    server.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(signed.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let peer = PeerTls { config: Arc::new(client), name: "h".try_into().unwrap() };
    (TlsAcceptor::from(Arc::new(server)), peer)
}

/// Asks twice a server that offers these protocols; the versions of its answers.
async fn negotiate(protocols: &[&str], protocol: Protocol) -> Result<Vec<Response>, String> {
    let (acceptor, tls) = tls(protocols);
    let listener = listener().await;
    let port = listener.local_addr().unwrap().port();
    let resolver = Resolver::new(tokio::runtime::Handle::current(), []);
    let peer = Peer::new("127.0.0.1", port, Some(tls), KeepAlive::default(), &resolver).speaking(protocol);
    tokio::task::spawn_local(async move {
        loop {
            let stream = listener.accept().await.unwrap().0;
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let speaks_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            tokio::task::spawn_local(async move {
                if !speaks_h2 {
                    use tokio::io::{AsyncReadExt, AsyncWriteExt};
                    let mut bytes = [0; 4096];
                    while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {
                        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
                    }
                    return;
                }
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    respond.send_response(http::Response::new(()), true).unwrap();
                }
            });
        }
    });
    let (peer, mut answers) = (Arc::new(peer), Vec::new());
    let mut request = Request::new(http::Method::GET, "/").unwrap();
    request.headers.append("Host", b"h").unwrap();
    for _ in 0..2 {
        let answer = send(&peer, &request, Body::empty(), &Outgoing::default(), &Timeouts::default()).await;
        answers.push(answer.map_err(|failure| failure.error.to_string())?.response);
    }
    Ok(answers)
}

#[test]
fn a_peer_in_tls_chooses_among_what_is_offered() {
    on_a_worker(async {
        let cases: [(&[&str], Protocol, Result<u16, &str>); 6] = [
            (&["h2", "http/1.1"], Protocol::Negotiated, Ok(200)),
            (&["http/1.1"], Protocol::Negotiated, Ok(204)),
            (&[], Protocol::Negotiated, Ok(204)),
            (&["h2"], Protocol::Http2, Ok(200)),
            (&[], Protocol::Http2, Err("does not offer HTTP/2")),
            (&["h2", "http/1.1"], Protocol::Http1, Ok(204)),
        ];
        for (offered, protocol, expected) in cases {
            let what = format!("{offered:?}, {protocol:?}");
            match (negotiate(offered, protocol).await, expected) {
                (Ok(answers), Ok(status)) => {
                    assert_eq!(answers.len(), 2, "{what}");
                    assert!(answers.iter().all(|answer| answer.status == status), "{what}: {answers:?}");
                }
                (Err(said), Err(expected)) => assert!(said.contains(expected), "{what}: {said}"),
                (got, _) => panic!("{what}: {got:?}"),
            }
        }
    });
}
