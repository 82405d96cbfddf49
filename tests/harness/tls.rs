//! A certificate authority that lives as long as its test.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// Issues certificates for names under a test's control.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    directory: tempfile::TempDir,
}

impl Authority {
    /// Makes a fresh authority.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names, none wrong");
        params.distinguished_name.push(DnType::CommonName, "authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params.self_signed(&key).expect("a certificate can be signed by its own key");
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        let pem = certificate.pem();
        std::fs::write(directory.path().join("ca.pem"), &pem).expect("the temporary directory is writable");
        Self { issuer: Issuer::new(params, key), pem, directory }
    }

    /// The authority's certificate.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A file with the authority's certificate.
    pub fn file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// Files with a server's certificate for `name`, and its key.
    pub fn files(&self, name: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = self.issue(name);
        let at = |end: &str| self.directory.path().join(format!("{name}.{end}"));
        for (path, pem) in [(at("pem"), certificate.pem()), (at("key"), key.serialize_pem())] {
            std::fs::write(path, pem).expect("the temporary directory is writable");
        }
        (at("pem"), at("key"))
    }

    /// A certificate for `name` and its key, both in PEM.
    pub fn pair(&self, name: &str) -> (String, String) {
        let (certificate, key) = self.issue(name);
        (certificate.pem(), key.serialize_pem())
    }

    /// The same with a key of this kind and whatever else `change` does.
    pub fn pair_with(
        &self,
        name: &str,
        kind: &'static rcgen::SignatureAlgorithm,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a well-formed name");
        params.distinguished_name.push(DnType::CommonName, name);
        change(&mut params);
        let key = KeyPair::generate_for(kind).expect("a key can be made");
        let certificate = params.signed_by(&key, &self.issuer).expect("the authority can sign");
        (certificate.pem(), key.serialize_pem())
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a well-formed name");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params.signed_by(&key, &self.issuer).expect("the authority can sign");
        (certificate, key)
    }

    /// What a server for `name` needs that lets in only clients with a certificate of this authority.
    pub fn mutual_server(&self, name: &str) -> Arc<rustls::ServerConfig> {
        let (certificate, key) = self.issue(name);
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        let own = CertificateDer::from_pem_slice(self.pem.as_bytes()).expect("it was written by us");
        roots.add(own).expect("a certificate of an authority");
        let verifier =
            rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows them")
            .with_client_cert_verifier(verifier.build().expect("there is a root"))
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("key and certificate belong together");
        Arc::new(config)
    }

    /// What a server for `name` (a DNS name or an address) needs.
    pub fn server(&self, name: &str) -> Arc<rustls::ServerConfig> {
        let (certificate, key) = self.issue(name);
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows them")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("key and certificate belong together");
        Arc::new(config)
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
