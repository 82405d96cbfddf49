//! A client of HTTP/3: quinn's and `h3`'s.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use h3_quinn::quinn;
use http::{HeaderMap, Method, Request, StatusCode};
use lockgate_tests::DEADLINE;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

pub(crate) type Stream = h3::client::RequestStream<h3_quinn::BidiStream<Bytes>, Bytes>;

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// A connection.
pub(crate) struct Client {
    sender: h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>,
    pub(crate) quic: quinn::Connection,
    _endpoint: quinn::Endpoint,
}

/// Runs a test; what hangs fails.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let test = async { tokio::time::timeout(DEADLINE, test).await.expect("it hangs") };
    runtime.expect("a runtime can be built").block_on(test)
}

impl Client {
    /// Connects to a name at an address; the certificate has to be of this authority.
    pub(crate) async fn connect(
        address: SocketAddr,
        name: &str,
        authority: &Path,
    ) -> Result<Self, quinn::ConnectionError> {
        let mut roots = rustls::RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(authority).expect("an authority's certificate");
        roots.add(certificate).expect("an authority's certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider knows it")
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h3".to_vec()];
        let tls = QuicClientConfig::try_from(tls).expect("it has the suite that QUIC begins with");
        let mut config = quinn::ClientConfig::new(Arc::new(tls));
        let mut transport = quinn::TransportConfig::default();
        transport.max_idle_timeout(Duration::from_secs(10).try_into().ok());
        config.transport_config(Arc::new(transport));
        let endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).expect("loopback has a free port");
        let quic = endpoint.connect_with(config, address, name).expect("a name of a host").await?;
        let opened = h3::client::new(h3_quinn::Connection::new(quic.clone())).await;
        let (mut driver, sender) = opened.expect("the connection stands");
        tokio::spawn(async move { drop(std::future::poll_fn(|cx| driver.poll_close(cx)).await) });
        Ok(Self { sender, quic, _endpoint: endpoint })
    }

    /// Sends a head.
    pub(crate) async fn ask(&mut self, method: Method, path: &str) -> Stream {
        let uri = format!("https://gateway.test{path}");
        let request = Request::builder().method(method).uri(uri).body(()).expect("a well-formed request");
        self.sender.send_request(request).await.expect("the gateway takes requests")
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn send(&mut self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        let mut stream = self.ask(method, path).await;
        let body = body.into();
        if !body.is_empty() {
            stream.send_data(body).await.expect("the gateway reads");
        }
        stream.finish().await.expect("the gateway reads");
        answer(&mut stream).await
    }
}

/// Reads an answer to its end.
pub(crate) async fn answer(stream: &mut Stream) -> Answer {
    let (parts, ()) = stream.recv_response().await.expect("an answer").into_parts();
    let mut body = Vec::new();
    while let Some(mut data) = stream.recv_data().await.expect("the body goes on") {
        body.extend_from_slice(&data.copy_to_bytes(data.remaining()));
    }
    Answer { status: parts.status, headers: parts.headers, body }
}
