//! TLS to peers: one configuration for each way to verify, so that peers share its session tickets.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use aws_lc_rs::digest;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::certificate::{self, authorities};
use super::provider;

/// Roots that were named in place of the system's.
static TRUSTED: OnceLock<RootCertStore> = OnceLock::new();

/// From now on the certificates of peers are verified against these authorities (PEM) alone, or against them and the
/// system's. Has to be called before anybody is connected to; a second call has no effect.
pub fn trust(pems: &[String], system_too: bool) -> Result<(), String> {
    let mut roots = if system_too { system_roots() } else { RootCertStore::empty() };
    for pem in pems {
        roots.roots.extend(authorities("the file", pem)?.roots);
    }
    // What is there already stays.
    let _ = TRUSTED.set(roots);
    Ok(())
}

/// Configurations by whether they verify, and what they show.
type Known = BTreeMap<(bool, [u8; 32]), Weak<ClientConfig>>;

/// Like [`client_config`], for peers that ask who we are: they are shown this certificate (PEM), of which this is the
/// key. Configurations are shared for as long as somebody has them, and with them the sessions of peers.
pub fn client_config_as(verifies: bool, cert_pem: &str, key_pem: &str) -> Result<Arc<ClientConfig>, String> {
    static KNOWN: Mutex<Known> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (verifies, fingerprint(cert_pem, key_pem));
    if let Some(config) = known.get(&key).and_then(Weak::upgrade) {
        return Ok(config);
    }
    let certified = certificate::read(cert_pem, key_pem)?;
    let mut config = ClientConfig::clone(&client_config(verifies));
    // A session that was made as somebody else would be gone on with as somebody else.
    config.resumption = Resumption::default();
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(certified));
    let config = Arc::new(config);
    known.retain(|_, config| config.strong_count() > 0);
    known.insert(key, Arc::downgrade(&config));
    Ok(config)
}

fn fingerprint(cert_pem: &str, key_pem: &str) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&(cert_pem.len() as u64).to_be_bytes());
    context.update(cert_pem.as_bytes());
    context.update(key_pem.as_bytes());
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(context.finish().as_ref());
    fingerprint
}

/// The configuration for peers whose certificate is verified, against what [`trust`] was told, the system's roots
/// (`SSL_CERT_FILE` is honoured) or, where there are none, Mozilla's; or for peers whose certificate is taken as it is.
pub fn client_config(verifies: bool) -> Arc<ClientConfig> {
    static VERIFYING: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    static TRUSTING: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if verifies {
        VERIFYING.get_or_init(|| Arc::new(verifying())).clone()
    } else {
        TRUSTING.get_or_init(|| Arc::new(trusting())).clone()
    }
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for TLS 1.2 and 1.3")
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn verifying() -> ClientConfig {
    let roots = TRUSTED.get().cloned().unwrap_or_else(system_roots);
    builder().with_root_certificates(roots).with_no_client_auth()
}

fn trusting() -> ClientConfig {
    builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TakeAny(provider())))
        .with_no_client_auth()
}

/// Takes any certificate, but still only from whoever holds its key.
#[derive(Debug)]
struct TakeAny(Arc<CryptoProvider>);

impl ServerCertVerifier for TakeAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
