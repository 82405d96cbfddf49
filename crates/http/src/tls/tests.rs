//! Certificates, handshakes and sessions, played through without a socket.

use std::io::{Read, Write};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ServerConfig, ServerConnection, SignatureScheme as Scheme,
};

use super::certificate::{check, check_authorities, read};
use super::server::{Keys, ServerTls, Versions};
use super::{Terms, TlsInfo, Verification, client_config, provider};

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "an authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    Authority { issuer: Issuer::new(params, key), pem }
}

impl Authority {
    fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "a, \"quoted\" name");
        params.distinguished_name.push(DnType::OrganizationName, "tests");
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

#[test]
fn a_certificate_and_its_key_are_taken() {
    let authority = authority();
    let (cert, key) = authority.issue(|_| {});
    assert_eq!(check(&cert, &key), Ok(()));
    assert_eq!(check(&format!("{cert}{}", authority.pem), &key), Ok(()));
    assert_eq!(check_authorities("client.ca", &authority.pem), Ok(()));
}

#[test]
fn what_cannot_serve_is_refused_with_the_reason() {
    let authority = authority();
    let (cert, key) = authority.issue(|_| {});
    let (other, other_key) = authority.issue(|_| {});
    let (old, old_key) = authority.issue(|params| params.not_after = rcgen::date_time_ymd(2001, 1, 1));
    let (new, new_key) = authority.issue(|params| params.not_before = rcgen::date_time_ymd(2900, 1, 1));
    let wrong = [
        ("x".to_owned(), key.clone(), "cert has no certificate in PEM"),
        (cert.clone(), "x".to_owned(), "key has no private key in PEM"),
        (cert.clone(), cert.clone(), "key has no private key in PEM"),
        (cert.clone(), other_key.clone(), "key is not the one of cert"),
        (format!("{cert}{other}"), key.clone(), "cert is not in order: its certificate 2"),
        (format!("{}{cert}", authority.pem), key.clone(), "cert is not in order"),
        (old, old_key, "cert expired at Jan  1 00:00:00 2001"),
        (new, new_key, "cert is not valid before Jan  1 00:00:00 2900"),
    ];
    for (cert, key, reason) in wrong {
        let error = check(&cert, &key).unwrap_err();
        assert!(error.starts_with(reason), "{error:?} should begin with {reason:?}");
        assert!(!error.contains("PRIVATE"));
    }
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assert_eq!(check(&cert, &encrypted).unwrap_err(), "key is encrypted: give it without a passphrase");
    assert!(check_authorities("client.ca", "x").unwrap_err().starts_with("client.ca has no certificate"));
}

/// Plays a whole handshake and one byte each way, so that the client has its tickets.
fn shake(
    client: &Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    name: &'static str,
) -> Result<(ClientConnection, ServerConnection), rustls::Error> {
    let mut client = ClientConnection::new(client.clone(), name.try_into().unwrap())?;
    let mut server = ServerConnection::new(server)?;
    for _ in 0..4 {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        server.read_tls(&mut &bytes[..]).unwrap();
        server.process_new_packets()?;
        bytes.clear();
        server.write_tls(&mut bytes).unwrap();
        client.read_tls(&mut &bytes[..]).unwrap();
        client.process_new_packets()?;
    }
    server.writer().write_all(b"x").unwrap();
    let mut bytes = Vec::new();
    server.write_tls(&mut bytes).unwrap();
    client.read_tls(&mut &bytes[..]).unwrap();
    client.process_new_packets()?;
    client.reader().read_exact(&mut [0]).unwrap();
    Ok((client, server))
}

fn keys(one: &Arc<CertifiedKey>) -> Arc<Keys> {
    Arc::new(Keys::new(vec![one.clone()]))
}

fn tls(versions: Versions, tickets: bool) -> ServerTls {
    ServerTls::new(versions, &[], tickets)
}

#[test]
fn sessions_are_gone_on_with_under_the_same_terms_and_for_the_same_name_alone() {
    let (cert, key) = authority().issue(|_| {});
    let certified = read(&cert, &key).unwrap();
    let (both, tls12) = (Versions::ALL, Versions { tls12: true, tls13: false });
    for (versions, tickets) in [(both, false), (both, true), (tls12, false), (tls12, true)] {
        let tls = tls(versions, tickets);
        let terms = Terms::new();
        let config = |terms| tls.config(keys(&certified), None, None, terms).unwrap();
        let mut client = ClientConfig::clone(&client_config(false));
        client.resumption = rustls::client::Resumption::in_memory_sessions(8);
        let client = Arc::new(client);
        let kind = |terms, name| shake(&client, config(terms), name).unwrap().1.handshake_kind();
        assert_ne!(kind(terms, "a.example"), Some(HandshakeKind::Resumed));
        assert_eq!(kind(terms, "a.example"), Some(HandshakeKind::Resumed), "{versions:?} {tickets}");
        assert_ne!(kind(Terms::new(), "a.example"), Some(HandshakeKind::Resumed), "{versions:?} {tickets}");
        assert_ne!(kind(terms, "b.example"), Some(HandshakeKind::Resumed), "{versions:?} {tickets}");
    }
}

fn showing(cert: &str, key: &str) -> Arc<ClientConfig> {
    let mut config = ClientConfig::clone(&client_config(false));
    let certified = read(cert, key).unwrap();
    config.client_auth_cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(certified));
    Arc::new(config)
}

#[test]
fn clients_are_asked_for_certificates_of_the_authority() {
    let (ours, theirs) = (authority(), authority());
    let (cert, key) = ours.issue(|_| {});
    let certified = read(&cert, &key).unwrap();
    let known = showing(&cert, &key);
    let (cert, key) = theirs.issue(|_| {});
    let stranger = showing(&cert, &key);
    let nobody = client_config(false);
    let config = |verification: &Verification| {
        ServerTls::default().config(keys(&certified), None, Some(verification), Terms::new()).unwrap()
    };
    let strict = Verification::new(&ours.pem, 1, false).unwrap();
    let lax = Verification::new(&ours.pem, 1, true).unwrap();
    for refused in [&stranger, &nobody] {
        assert!(shake(refused, config(&strict), "a.example").is_err());
    }
    for (client, trusted) in [(&known, true), (&stranger, false), (&nobody, false)] {
        let (_, server) = shake(client, config(&lax), "a.example").unwrap();
        assert_eq!(server.peer_certificates().is_some_and(|chain| lax.trusts(chain)), trusted);
    }
    let (_, server) = shake(&known, config(&strict), "a.example").unwrap();
    let info = TlsInfo::of(&server, "a.example", None, true);
    let client = info.client.as_deref().unwrap();
    assert_eq!(info.verified().as_str(), "SUCCESS");
    assert_eq!(&*client.subject, "O=tests,CN=a\\, \\\"quoted\\\" name");
    assert_eq!(&*client.issuer, "CN=an authority");
    assert_eq!((info.sni.as_deref(), info.version), (Some("a.example"), "TLSv1.3"));
    assert_eq!(info.cipher, "TLS_AES_256_GCM_SHA384");
}

#[test]
fn a_chain_that_is_too_long_is_not_trusted() {
    let root = authority();
    let between = {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "between");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.signed_by(&key, &root.issuer).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    };
    let (cert, key) = between.issue(|_| {});
    let chain = read(&format!("{cert}{}", between.pem), &key).unwrap();
    let trusts = |depth| Verification::new(&root.pem, depth, false).unwrap().trusts(&chain.cert);
    assert_eq!([trusts(0), trusts(1), trusts(9)], [false, true, true]);
}

#[test]
fn of_several_keys_the_client_gets_one_that_it_can_verify() {
    let authority = authority();
    let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "rsa");
    let rsa = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let cert = params.signed_by(&rsa, &authority.issuer).unwrap().pem();
    let by_rsa = read(&cert, &rsa.serialize_pem()).unwrap();
    let (cert, key) = authority.issue(|_| {});
    let by_ecdsa = read(&cert, &key).unwrap();
    let keys = Keys::new(vec![by_rsa.clone(), by_ecdsa.clone()]);
    let chosen = |schemes: &[Scheme]| keys.choose(schemes);
    let both = chosen(&[Scheme::RSA_PSS_SHA256, Scheme::ECDSA_NISTP256_SHA256]).unwrap();
    assert!(Arc::ptr_eq(&both, &by_ecdsa));
    assert!(Arc::ptr_eq(&chosen(&[Scheme::RSA_PSS_SHA256]).unwrap(), &by_rsa));
    assert!(chosen(&[Scheme::ED25519]).is_none());
}

#[test]
fn suites_that_are_not_named_are_not_spoken() {
    let (cert, key) = authority().issue(|_| {});
    let only = super::server::cipher("ECDHE-ECDSA-CHACHA20-POLY1305").unwrap();
    let tls = ServerTls::new(Versions { tls12: true, tls13: false }, &[only], false);
    let config = tls.config(keys(&read(&cert, &key).unwrap()), None, None, Terms::new()).unwrap();
    let (_, server) = shake(&client_config(false), config, "a.example").unwrap();
    let info = TlsInfo::of(&server, "a.example", None, false);
    assert_eq!((info.version, info.cipher), ("TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305"));
    let none = ServerTls::new(
        Versions { tls12: true, tls13: false },
        &[rustls::CipherSuite::TLS_NULL_WITH_NULL_NULL],
        false,
    );
    assert!(none.config(keys(&read(&cert, &key).unwrap()), None, None, Terms::new()).is_err());
    assert!(provider().cipher_suites.len() > 1);
}
