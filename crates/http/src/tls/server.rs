//! TLS towards clients: versions, cipher suites, sessions, and one configuration for each certificate.

use std::sync::Arc;

pub use rustls::CipherSuite;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SignatureAlgorithm, SupportedProtocolVersion};

use super::provider;
use super::session::{Sessions, Tickets};
use super::verification::{Terms, Verification};

/// OpenSSL's names of the cipher suites there are.
const CIPHERS: [(&str, CipherSuite); 9] = [
    ("TLS_AES_256_GCM_SHA384", CipherSuite::TLS13_AES_256_GCM_SHA384),
    ("TLS_AES_128_GCM_SHA256", CipherSuite::TLS13_AES_128_GCM_SHA256),
    ("TLS_CHACHA20_POLY1305_SHA256", CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-RSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-RSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-RSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];

/// The suite of OpenSSL's name, where there is one.
pub fn cipher(name: &str) -> Option<CipherSuite> {
    CIPHERS.iter().find(|(known, _)| *known == name).map(|(_, suite)| *suite)
}

/// OpenSSL's name of a suite.
pub fn cipher_name(suite: CipherSuite) -> &'static str {
    CIPHERS.iter().find(|(_, known)| *known == suite).map_or("", |(name, _)| name)
}

/// Versions of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// TLS 1.2.
    pub tls12: bool,
    /// TLS 1.3.
    pub tls13: bool,
}

impl Versions {
    /// Both that there are.
    pub const ALL: Self = Self { tls12: true, tls13: true };

    fn list(self) -> Vec<&'static SupportedProtocolVersion> {
        let each = [(self.tls13, &rustls::version::TLS13), (self.tls12, &rustls::version::TLS12)];
        each.into_iter().filter(|(is_on, _)| *is_on).map(|(_, version)| version).collect()
    }
}

/// What holds for all certificates that say nothing else.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// Which versions are spoken.
    pub versions: Versions,
    /// Whether clients keep their sessions themselves, in tickets. Otherwise the gateway keeps them.
    pub tickets: bool,
    provider: Arc<CryptoProvider>,
}

impl Default for ServerTls {
    fn default() -> Self {
        Self { versions: Versions::ALL, tickets: false, provider: provider() }
    }
}

impl ServerTls {
    /// These versions, and of the suites of TLS 1.2 those alone that are named, as nginx reads it: those of TLS 1.3
    /// are always there. An empty list is all.
    pub fn new(versions: Versions, ciphers: &[CipherSuite], tickets: bool) -> Self {
        let all = provider();
        if ciphers.is_empty() {
            return Self { versions, tickets, provider: all };
        }
        let mut some = CryptoProvider::clone(&all);
        some.cipher_suites.retain(|suite| suite.tls13().is_some() || ciphers.contains(&suite.suite()));
        Self { versions, tickets, provider: Arc::new(some) }
    }

    /// The configuration for clients that ask for what `keys` certify.
    pub fn config(
        &self,
        keys: Arc<Keys>,
        versions: Option<Versions>,
        verification: Option<&Verification>,
        terms: Terms,
    ) -> Result<Arc<ServerConfig>, String> {
        let builder = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&versions.unwrap_or(self.versions).list())
            .map_err(|_| "no version of TLS is left that has a cipher suite".to_owned())?;
        let builder = match verification {
            Some(verification) => builder.with_client_cert_verifier(verification.verifier()),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(keys);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.session_storage = Arc::new(Sessions::of(terms));
        if self.tickets {
            let tickets = Tickets::of(terms).ok_or("there is no randomness for session tickets")?;
            config.ticketer = Arc::new(tickets);
        }
        Ok(Arc::new(config))
    }
}

/// Certificates for one name, of several types of key.
#[derive(Debug)]
pub struct Keys(Vec<Arc<CertifiedKey>>);

impl Keys {
    /// The order matters only among keys of one type.
    pub fn new(mut keys: Vec<Arc<CertifiedKey>>) -> Self {
        // Signing by RSA costs some ten times as much.
        keys.sort_by_key(|certified| certified.key.algorithm() == SignatureAlgorithm::RSA);
        Self(keys)
    }

    /// The first that the client can verify.
    pub fn choose(&self, schemes: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.iter().find(|certified| certified.key.choose_scheme(schemes).is_some()).cloned()
    }
}

impl ResolvesServerCert for Keys {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.signature_schemes())
    }
}
