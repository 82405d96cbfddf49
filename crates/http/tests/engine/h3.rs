//! HTTP/3: the engine between quinn's client and an upstream.

use std::net::UdpSocket;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use h3_quinn::quinn;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use lockgate_http::h3::{Endpoint, server_config};
use lockgate_http::server::{ServerSettings, Service};
use quinn::crypto::rustls::QuicClientConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::support::*;

type Sender = h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>;
type Stream = h3::client::RequestStream<h3_quinn::BidiStream<Bytes>, Bytes>;

/// A client, its connection, and what keeps both.
struct Client {
    sender: Sender,
    quic: quinn::Connection,
    _endpoint: quinn::Endpoint,
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A client's connection to a service of its own.
async fn connect<S: Service>(service: Rc<S>, settings: ServerSettings) -> Client {
    let issued = rcgen::generate_simple_self_signed(["h.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der()));
    let key = provider().key_provider.load_private_key(key).unwrap();
    let certified = rustls::sign::CertifiedKey::new(vec![issued.cert.der().clone()], key);
    let resolver = rustls::sign::SingleCertAndKey::from(certified);
    let tls = server_config(Arc::new(resolver)).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let server = Endpoint::new(socket, &tls, &settings).unwrap();
    tokio::task::spawn_local(async move {
        let settings = Rc::new(settings);
        while let Ok(Some(arriving)) = server.accept().await {
            tokio::task::spawn_local(arriving.serve(service.clone(), settings.clone()));
        }
    });
    let mut roots = rustls::RootCertStore::empty();
    roots.add(issued.cert.der().clone()).unwrap();
    let mut tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap();
    let quic = endpoint.connect_with(config, address, "h.test").unwrap().await.unwrap();
    let (mut driver, sender) = h3::client::new(h3_quinn::Connection::new(quic.clone())).await.unwrap();
    tokio::task::spawn_local(async move { drop(std::future::poll_fn(|cx| driver.poll_close(cx)).await) });
    Client { sender, quic, _endpoint: endpoint }
}

impl Client {
    async fn ask(&mut self, method: Method, path: &str) -> Stream {
        let request =
            Request::builder().method(method).uri(format!("https://h.test{path}")).body(()).unwrap();
        self.sender.send_request(request).await.unwrap()
    }

    async fn get(&mut self, path: &str) -> (Response<()>, Vec<u8>, Option<HeaderMap>) {
        let mut stream = self.ask(Method::GET, path).await;
        stream.finish().await.unwrap();
        answer(&mut stream).await
    }
}

async fn answer(stream: &mut Stream) -> (Response<()>, Vec<u8>, Option<HeaderMap>) {
    let head = stream.recv_response().await.unwrap();
    let mut body = Vec::new();
    while let Some(mut data) = stream.recv_data().await.unwrap() {
        body.extend_from_slice(&data.copy_to_bytes(data.remaining()));
    }
    (head, body, stream.recv_trailers().await.unwrap())
}

#[test]
fn a_request_is_answered_by_an_upstream() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = connect(proxy.service.clone(), ServerSettings::default()).await;
        let upstream = async {
            let mut upstream = proxy.accept().await;
            let head = head(&mut upstream).await;
            write(&mut upstream, "HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nok").await;
            head
        };
        let (head, (response, body, _)) = tokio::join!(upstream, client.get("/a%20b?c=d"));
        assert!(head.starts_with("GET /a%20b?c=d HTTP/1.1\r\nHost: h.test\r\n"), "{head}");
        assert!(!head.contains("Transfer-Encoding"), "{head}");
        assert_eq!((response.status(), &body[..]), (StatusCode::OK, &b"ok"[..]));
        assert_eq!(response.headers()["x-a"], "1");
        assert_eq!(response.headers()["content-length"], "2");
        assert!(proxy.outcomes()[0].is_complete);
    });
}

#[test]
fn bodies_and_trailers_pass_both_ways() {
    on_a_worker(async {
        let mut client = connect(Rc::new(Mirror), ServerSettings::default()).await;
        for size in [0, 1, 5_000, 3 << 20] {
            let stream = client.ask(Method::POST, "/").await;
            let (mut up, mut down) = stream.split();
            let sent = vec![7; size];
            let sending = async {
                for piece in sent.chunks(50_000) {
                    up.send_data(Bytes::copy_from_slice(piece)).await.unwrap();
                }
                let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "9".parse().unwrap())]);
                up.send_trailers(trailers).await.unwrap();
                up.finish().await.unwrap();
            };
            let reading = async {
                assert_eq!(down.recv_response().await.unwrap().status(), 200);
                let mut count = 0;
                while let Some(data) = down.recv_data().await.unwrap() {
                    count += data.remaining();
                }
                (count, down.recv_trailers().await.unwrap())
            };
            let ((), (count, trailers)) = tokio::join!(sending, reading);
            assert_eq!(count, size);
            assert_eq!(trailers.unwrap()["x-sum"], "9");
        }
    });
}

#[test]
fn a_body_is_as_long_as_it_says_or_not_whole() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = connect(proxy.service.clone(), ServerSettings::default()).await;
        for sent in ["123", "12345678"] {
            let request = Request::post("https://h.test/").header("content-length", "5").body(()).unwrap();
            let mut stream = client.sender.send_request(request).await.unwrap();
            stream.send_data(Bytes::from(sent)).await.unwrap();
            stream.finish().await.unwrap();
            let response = async { stream.recv_response().await.map(|response| response.status()) };
            let upstream = async {
                let mut upstream = proxy.accept().await;
                rest(&mut upstream).await
            };
            let (seen, _) = tokio::join!(upstream, response);
            let (_, body) = seen.split_once("\r\n\r\n").unwrap_or_default();
            assert!(body.len() < 5, "{sent}: {body}");
        }
    });
}

#[test]
fn many_requests_share_a_connection() {
    on_a_worker(async {
        let mut client = connect(Rc::new(Mirror), ServerSettings::default()).await;
        for _ in 0..300 {
            assert_eq!(client.get("/").await.0.status(), 200);
        }
        let mut streams = Vec::new();
        for _ in 0..100 {
            streams.push(client.ask(Method::POST, "/").await);
        }
        for mut stream in streams {
            stream.send_data(Bytes::from("x")).await.unwrap();
            stream.finish().await.unwrap();
            assert_eq!(answer(&mut stream).await.1, b"x");
        }
    });
}

#[test]
fn a_client_that_gives_up_frees_the_upstream() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = connect(proxy.service.clone(), ServerSettings::default()).await;
        let mut stream = client.ask(Method::GET, "/").await;
        stream.finish().await.unwrap();
        let mut upstream = proxy.accept().await;
        head(&mut upstream).await;
        stream.stop_sending(h3::error::Code::H3_REQUEST_CANCELLED);
        assert_eq!(rest(&mut upstream).await, "");
        until(|| proxy.outcomes().len() == 1).await;
        assert_eq!(proxy.outcomes()[0].status, 499);
    });
}

#[test]
fn what_is_no_request_is_refused() {
    on_a_worker(async {
        let mut settings = ServerSettings { max_body: 10, ..ServerSettings::default() };
        settings.limits.target = 100;
        let mut client = connect(Rc::new(Mirror), settings).await;
        assert_eq!(client.get(&"/".repeat(200)).await.0.status(), 414);
        let request = Request::post("https://h.test/").header("content-length", "11").body(()).unwrap();
        let mut stream = client.sender.send_request(request).await.unwrap();
        assert_eq!(stream.recv_response().await.unwrap().status(), 413);
        let request = Request::get("https://h.test/").header("x", "y".repeat(70_000)).body(()).unwrap();
        assert!(client.sender.send_request(request).await.is_err(), "the client knows the bound");
        assert_eq!(client.get("/").await.0.status(), 200);
    });
}

/// Sends bytes on a stream of a request as they are, and reads until the stream or the connection ends.
async fn raw(client: &Client, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let (mut send, mut recv) = client.quic.open_bi().await.unwrap();
    let _ = send.write_all(bytes).await;
    let _ = send.finish();
    recv.read_to_end(1 << 20).await.map_err(|error| error.to_string())
}

/// A HEADERS frame of a GET or POST: static entries of QPACK, and the authority as a literal.
fn head_frame(method: u8) -> Vec<u8> {
    let fields = [&[0, 0, method, 0xC0 + 23, 0xC0 + 1, 0x50, 6][..], b"h.test"].concat();
    [&[1, u8::try_from(fields.len()).unwrap()][..], &fields].concat()
}

/// Entries 17 and 20 of the table (RFC 9204, appendix A).
const GET: u8 = 0xC0 + 17;
const POST: u8 = 0xC0 + 20;

#[test]
fn frames_that_are_none_end_their_stream_and_nothing_more() {
    on_a_worker(async {
        let mut client = connect(Rc::new(Mirror), ServerSettings::default()).await;
        assert!(!raw(&client, &head_frame(GET)).await.unwrap().is_empty());
        let with = |frame: &[u8]| [&head_frame(POST)[..], frame].concat();
        for (what, bytes) in [
            ("nothing", vec![]),
            ("half a head", head_frame(GET)[..5].to_vec()),
            ("a head of a gigabyte", vec![1, 0xC0, 0, 0, 0, 0x40, 0, 0, 0]),
            ("an unknown frame of a gigabyte", with(&[0x21, 0xC0, 0, 0, 0, 0x40, 0, 0, 0])),
            ("data cut short", with(&[0, 10, 1, 2, 3])),
            ("nothing of some data", with(&[0, 10])),
            ("a stream of WebTransport", vec![0x40, 0x41, 0]),
            ("empty frames without end", with(&[0, 0].repeat(5000))),
        ] {
            let ended = raw(&client, &bytes).await;
            let is_cut = ended.is_err() || ended.as_ref().is_ok_and(Vec::is_empty);
            assert!(is_cut || what.contains("data") || what.contains("frame"), "{what}: {ended:?}");
            assert!(client.quic.close_reason().is_none(), "{what}: {:?}", client.quic.close_reason());
            assert_eq!(client.get("/").await.0.status(), 200, "{what}");
        }
    });
}

#[test]
fn a_client_that_takes_back_too_much_is_sent_away() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut settings = ServerSettings::default();
        settings.http2.max_resets = 20;
        let mut client = connect(proxy.service.clone(), settings).await;
        let mut asked = 0;
        while client.quic.close_reason().is_none() {
            let request = Request::get("https://h.test/").body(()).unwrap();
            let Ok(mut stream) = client.sender.send_request(request).await else { break };
            stream.stop_sending(h3::error::Code::H3_REQUEST_CANCELLED);
            stream.stop_stream(h3::error::Code::H3_REQUEST_CANCELLED);
            asked += 1;
            assert!(asked < 5000, "it may go on for ever");
            tokio::task::yield_now().await;
        }
        let reason = client.quic.closed().await.to_string();
        assert!(reason.contains("closed"), "{reason}");
    });
}

#[test]
fn a_client_that_is_idle_is_told_to_go() {
    on_a_worker(async {
        let mut client = connect(Rc::new(Mirror), Set::impatient().server).await;
        assert_eq!(client.get("/").await.0.status(), 200);
        let reason = client.quic.closed().await;
        assert!(matches!(reason, quinn::ConnectionError::ApplicationClosed(_)), "{reason}");
    });
}
