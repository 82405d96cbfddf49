//! Certificates and their keys, read from PEM: what cannot serve is refused with the reason, never with the key.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::provider;

/// The longest chain that is taken, in certificates.
const LONGEST_CHAIN: usize = 16;

/// Whether a certificate and its key can serve from now on: both readable, the chain in order from the certificate
/// to its issuers, the key of a type that TLS knows and the certificate's own, the time within its dates. The error
/// begins with `cert` or `key`, whichever is wrong.
pub fn check(cert_pem: &str, key_pem: &str) -> Result<(), String> {
    let certified = read(cert_pem, key_pem)?;
    for (place, der) in certified.cert.iter().enumerate() {
        check_dates(&named(place), &parse(&named(place), der)?)?;
    }
    Ok(())
}

/// Whether certificates of authorities can be read, and there is one. `field` is what the error calls them.
pub fn check_authorities(field: &str, pem: &str) -> Result<(), String> {
    authorities(field, pem).map(drop)
}

/// A certificate with its chain, and its key, for a handshake. Dates are not looked at: a certificate that was taken
/// while it was good goes on until it is replaced.
pub fn read(cert_pem: &str, key_pem: &str) -> Result<Arc<CertifiedKey>, String> {
    let chain = read_chain("cert", cert_pem)?;
    check_order(&chain)?;
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|error| match error {
        rustls_pki_types::pem::Error::NoItemsFound if key_pem.contains("ENCRYPTED") => {
            "key is encrypted: give it without a passphrase".to_owned()
        }
        rustls_pki_types::pem::Error::NoItemsFound => "key has no private key in PEM".to_owned(),
        // The parser's own words could quote the key.
        _ => "key is not well-formed PEM".to_owned(),
    })?;
    match CertifiedKey::from_der(chain, key, &provider()) {
        Ok(certified) => Ok(Arc::new(certified)),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err("key is not the one of cert".to_owned())
        }
        Err(_) => {
            Err("key is of a type that is not supported: RSA from 2048 bits, ECDSA on P-256, P-384 or \
                       P-521 and Ed25519 are"
                .to_owned())
        }
    }
}

/// The dates of the first certificate of a chain, in seconds since 1970: good from, good until.
pub fn dates(cert_pem: &str) -> Result<(i64, i64), String> {
    let chain = read_chain("cert", cert_pem)?;
    let first = parse("cert", &chain[0])?;
    Ok((first.validity().not_before.timestamp(), first.validity().not_after.timestamp()))
}

/// What `pem` has, as roots to verify against.
pub(super) fn authorities(field: &str, pem: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for (place, der) in read_chain(field, pem)?.into_iter().enumerate() {
        let added = roots.add(der);
        added.map_err(|_| format!("{field} has no well-formed certificate at place {}", place + 1))?;
    }
    Ok(roots)
}

/// Every certificate of a PEM text; at least one.
pub(super) fn read_chain(field: &str, pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let chain = chain.map_err(|_| format!("{field} is not well-formed PEM"))?;
    if chain.is_empty() {
        return Err(format!("{field} has no certificate in PEM"));
    }
    Ok(chain)
}

/// RFC 5246 §7.4.2: each certificate after the first is the issuer of the one before.
fn check_order(chain: &[CertificateDer<'_>]) -> Result<(), String> {
    if chain.len() > LONGEST_CHAIN {
        return Err(format!("cert has {} certificates, more than {LONGEST_CHAIN}", chain.len()));
    }
    let parsed = chain.iter().enumerate().map(|(place, der)| parse(&named(place), der));
    let parsed: Vec<_> = parsed.collect::<Result<_, String>>()?;
    for (place, pair) in parsed.windows(2).enumerate() {
        if pair[0].issuer() != pair[1].subject() {
            return Err(format!(
                "cert is not in order: its certificate {} ({}) is not the issuer of the one before ({})",
                place + 2,
                pair[1].subject(),
                pair[0].subject()
            ));
        }
    }
    Ok(())
}

/// What a message calls a certificate of the chain.
fn named(place: usize) -> String {
    if place == 0 { "cert".to_owned() } else { format!("cert (its certificate {})", place + 1) }
}

fn parse<'a>(name: &str, der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, String> {
    match X509Certificate::from_der(der) {
        Ok(([], parsed)) => Ok(parsed),
        _ => Err(format!("{name} is no well-formed X.509 certificate")),
    }
}

fn check_dates(name: &str, certificate: &X509Certificate<'_>) -> Result<(), String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    let validity = certificate.validity();
    if validity.not_after.timestamp() < now {
        return Err(format!("{name} expired at {}", validity.not_after));
    }
    if validity.not_before.timestamp() > now {
        return Err(format!("{name} is not valid before {}", validity.not_before));
    }
    Ok(())
}
