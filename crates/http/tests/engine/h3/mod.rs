//! HTTP/3: the engine between quinn's client and an upstream.

mod hostile;
mod life;
mod messages;

use std::net::UdpSocket;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use h3_quinn::quinn;
use http::{HeaderMap, Method, Request, Response};
use lockgate_http::h3::{Endpoint, server_config};
use lockgate_http::server::{ServerSettings, Service};
use quinn::crypto::rustls::QuicClientConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

type Sender = h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>;
type Stream = h3::client::RequestStream<h3_quinn::BidiStream<Bytes>, Bytes>;

/// A client, its connection, and what keeps both.
struct Client {
    sender: Sender,
    quic: quinn::Connection,
    endpoint: quinn::Endpoint,
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
    Client { sender, quic, endpoint }
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
