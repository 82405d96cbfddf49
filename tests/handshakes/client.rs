//! Clients: rustls's, which tells what became of a handshake, and OpenSSL's program, which can be told anything.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;

use lockgate_tests::DEADLINE;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned};

use crate::certificates::{Ca, Pair};

/// A client of one address. Its sessions are its own; clones share them.
#[derive(Clone)]
pub(crate) struct Client {
    at: SocketAddr,
    config: Arc<ClientConfig>,
}

/// A connection whose handshake has ended well.
pub(crate) struct Secured {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl Client {
    pub(crate) fn new(at: SocketAddr, ca: &Ca) -> Self {
        Self::build(at, ca, None, rustls::ALL_VERSIONS)
    }

    /// One that shows a certificate, with those above it.
    pub(crate) fn showing(&self, ca: &Ca, pair: &Pair, above: &[&Ca]) -> Self {
        let chain: Vec<_> = [&pair.der].into_iter().chain(above.iter().map(|ca| &ca.der)).cloned().collect();
        let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("rcgen writes PEM");
        Self::build(self.at, ca, Some((chain, key)), rustls::ALL_VERSIONS)
    }

    /// One that speaks one version.
    pub(crate) fn speaking(&self, ca: &Ca, version: &'static rustls::SupportedProtocolVersion) -> Self {
        Self::build(self.at, ca, None, &[version])
    }

    fn build(
        at: SocketAddr,
        ca: &Ca,
        identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(ca.der.clone()).expect("an authority's certificate");
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .expect("the provider knows them")
            .with_root_certificates(roots);
        let mut config = match identity {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).expect("they belong together"),
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::in_memory_sessions(256);
        Self { at, config: Arc::new(config) }
    }

    /// Does a handshake for a name; the error is what rustls says.
    pub(crate) fn connect(&self, name: &str) -> Result<Secured, String> {
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let socket = TcpStream::connect_timeout(&self.at, DEADLINE).map_err(|error| error.to_string())?;
        socket.set_read_timeout(Some(DEADLINE)).expect("a deadline of more than zero");
        socket.set_nodelay(true).expect("a connected socket");
        let connection = ClientConnection::new(self.config.clone(), name).expect("a configuration that fits");
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(|error| error.to_string())?;
        }
        Ok(Secured { stream })
    }

    /// GETs a path of a name over a connection of its own; answers with the status.
    pub(crate) fn get(&self, name: &str, path: &str) -> Result<u16, String> {
        self.connect(name)?.get_last(name, path)
    }

    /// What a name's clients are shown.
    pub(crate) fn shown(&self, name: &str) -> Result<CertificateDer<'static>, String> {
        let connection = self.connect(name)?;
        Ok(connection.stream.conn.peer_certificates().expect("a server shows one")[0].clone())
    }

    /// Whether the next connection goes on with an earlier session; the one after it can too.
    pub(crate) fn resumes(&self, name: &str) -> bool {
        let mut connection = self.connect(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let is_resumed = connection.stream.conn.handshake_kind() == Some(HandshakeKind::Resumed);
        // Tickets of TLS 1.3 come behind the handshake.
        connection.get_last(name, "/").unwrap_or_else(|error| panic!("{name}: {error}"));
        is_resumed
    }
}

impl Secured {
    /// GETs a path of a host and reads the answer's head and body, of which the server tells the length.
    pub(crate) fn get(&mut self, host: &str, path: &str) -> Result<u16, String> {
        self.ask(host, path, "keep-alive")?;
        let (mut answer, mut byte) = (Vec::new(), [0]);
        while !answer.ends_with(b"\r\n\r\n") {
            match self.stream.read(&mut byte).map_err(|error| error.to_string())? {
                0 => return Err("closed within an answer".to_owned()),
                _ => answer.push(byte[0]),
            }
        }
        let head = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        let length = head.split("content-length:").nth(1).and_then(|rest| rest.split("\r\n").next());
        let length: usize = length.map_or(0, |text| text.trim().parse().expect("a number"));
        self.stream.read_exact(&mut vec![0; length]).map_err(|error| error.to_string())?;
        Ok(status(&answer))
    }

    /// The same with the last request of a connection, which has to end with `close_notify`.
    fn get_last(&mut self, host: &str, path: &str) -> Result<u16, String> {
        self.ask(host, path, "close")?;
        let mut answer = Vec::new();
        self.stream.read_to_end(&mut answer).map_err(|error| error.to_string())?;
        Ok(status(&answer))
    }

    fn ask(&mut self, host: &str, path: &str, connection: &str) -> Result<(), String> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: {connection}\r\n\r\n");
        self.stream.write_all(request.as_bytes()).map_err(|error| error.to_string())
    }
}

fn status(answer: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(answer);
    let word = text.split(' ').nth(1).and_then(|word| word.parse().ok());
    word.unwrap_or_else(|| panic!("no status in {text:?}"))
}

/// What `openssl s_client` says of one request to a host, sent after a handshake with these arguments.
pub(crate) fn s_client(at: SocketAddr, host: &str, arguments: &[&str]) -> String {
    let mut command = Command::new("timeout");
    command.args(["20", "openssl", "s_client", "-ign_eof", "-connect", &at.to_string()]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    assert!(Command::new("openssl").arg("version").output().is_ok(), "install openssl");
    let mut child = command.spawn().expect("coreutils has timeout");
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    // It reads nothing where the handshake fails.
    let _ = child.stdin.take().expect("a pipe").write_all(request.as_bytes());
    let output = child.wait_with_output().expect("a child can be waited for");
    [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
}
