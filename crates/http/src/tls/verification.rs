//! Which certificates of clients are trusted (mTLS).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::certificate::authorities;
use super::provider;

/// What a client had to show for a session: sessions are gone on with only under the very same terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Terms(u64);

impl Terms {
    /// Terms that are none of those before.
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self::new()
    }
}

/// How certificates of clients are verified.
#[derive(Clone, Debug)]
pub struct Verification {
    issuers: Arc<Issuers>,
    is_optional: bool,
}

impl Verification {
    /// By the authorities of `ca_pem`, with at most `depth` certificates between theirs and the client's. Where it
    /// is optional, the handshake takes clients without a certificate, and those with one of another issuer: whoever
    /// answers their requests looks at [`super::TlsInfo::verified`].
    pub fn new(ca_pem: &str, depth: usize, is_optional: bool) -> Result<Self, String> {
        let roots = Arc::new(authorities("client.ca", ca_pem)?);
        let inner = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
        let inner = inner.map_err(|error| format!("client.ca cannot be used: {error}"))?;
        Ok(Self { issuers: Arc::new(Issuers { inner, depth }), is_optional })
    }

    /// Whether a chain that a client showed leads to a trusted issuer.
    pub fn trusts(&self, chain: &[CertificateDer<'_>]) -> bool {
        let Some((first, rest)) = chain.split_first() else { return false };
        self.issuers.verify_client_cert(first, rest, UnixTime::now()).is_ok()
    }

    /// Whether the handshake lets everybody in.
    pub fn is_optional(&self) -> bool {
        self.is_optional
    }

    pub(super) fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        if self.is_optional { Arc::new(Optional(self.issuers.clone())) } else { self.issuers.clone() }
    }
}

/// Verifies with a bound on the length of the chain.
#[derive(Debug)]
struct Issuers {
    inner: Arc<dyn ClientCertVerifier>,
    depth: usize,
}

impl ClientCertVerifier for Issuers {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        // A path uses no certificate twice, so no path is longer than what it is made of.
        self.inner.verify_client_cert(certificate, &between[..between.len().min(self.depth)], now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Asks for a certificate and takes whatever comes, but still only from whoever holds its key.
#[derive(Debug)]
struct Optional(Arc<Issuers>);

impl ClientCertVerifier for Optional {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
