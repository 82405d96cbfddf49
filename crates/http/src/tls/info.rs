//! What is known of a connection's TLS, computed once when its handshake has ended.

use std::fmt::Write;

use rustls::ServerConnection;
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use super::verification::Terms;

/// The TLS of a client's connection.
#[derive(Clone, Debug)]
pub struct TlsInfo {
    /// The name that the client asked for (SNI), in lower case; nginx's `$ssl_server_name`.
    pub sni: Option<Box<str>>,
    /// The name its certificate was chosen by: `sni`, or the fallback where the client named none that is known.
    pub name: Box<str>,
    /// `TLSv1.2` or `TLSv1.3`; nginx's `$ssl_protocol`.
    pub version: &'static str,
    /// The cipher suite by OpenSSL's name; nginx's `$ssl_cipher`.
    pub cipher: &'static str,
    /// Whether it went on with an earlier session; nginx's `$ssl_session_reused` is `r` then.
    pub is_resumed: bool,
    /// Under which terms the client's certificate was asked for, where it was.
    pub terms: Option<Terms>,
    /// The client's certificate, where it showed one.
    pub client: Option<Box<ClientCertificate>>,
}

/// A client's certificate. The texts are those of nginx's variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// `$ssl_client_s_dn`: the subject (RFC 4514).
    pub subject: Box<str>,
    /// `$ssl_client_i_dn`: the issuer (RFC 4514).
    pub issuer: Box<str>,
    /// `$ssl_client_serial`: the serial number, in hexadecimal.
    pub serial: Box<str>,
    /// `$ssl_client_fingerprint`: its SHA-1, in hexadecimal.
    pub fingerprint: Box<str>,
    /// Whether an authority of the terms has issued it.
    pub is_verified: bool,
}

/// What is known of a client's certificate; nginx's `$ssl_client_verify`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// `NONE`: there is none.
    None,
    /// `SUCCESS`: there is one of a trusted issuer.
    Success,
    /// `FAILED`: there is one that is not.
    Failed,
}

impl Verified {
    /// As nginx writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
        }
    }
}

impl TlsInfo {
    /// Of a connection whose handshake has ended. `name` is what its certificate was chosen by, `is_verified` says
    /// whether the certificate it showed, if any, is of a trusted issuer.
    pub fn of(connection: &ServerConnection, name: &str, terms: Option<Terms>, is_verified: bool) -> Self {
        let client = connection.peer_certificates().and_then(|chain| chain.first());
        Self {
            sni: connection.server_name().map(|sni| sni.to_ascii_lowercase().into()),
            name: name.into(),
            version: match connection.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "TLSv1.3",
            },
            cipher: connection
                .negotiated_cipher_suite()
                .map_or("", |suite| super::server::cipher_name(suite.suite())),
            is_resumed: connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
            terms,
            client: client.map(|der| Box::new(ClientCertificate::of(der, is_verified))),
        }
    }

    /// What is known of the client's certificate.
    pub fn verified(&self) -> Verified {
        match &self.client {
            None => Verified::None,
            Some(client) if client.is_verified => Verified::Success,
            Some(_) => Verified::Failed,
        }
    }
}

impl ClientCertificate {
    fn of(der: &CertificateDer<'_>, is_verified: bool) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, der);
        let fingerprint = hex(digest.as_ref(), false);
        match X509Certificate::from_der(der) {
            Ok((_, certificate)) => Self {
                subject: name(certificate.subject()),
                issuer: name(certificate.issuer()),
                serial: hex(unsigned(certificate.raw_serial()), true),
                fingerprint,
                is_verified,
            },
            Err(_) => {
                Self { subject: "".into(), issuer: "".into(), serial: "".into(), fingerprint, is_verified }
            }
        }
    }
}

/// An integer without the zero in front that only says it is not negative.
fn unsigned(bytes: &[u8]) -> &[u8] {
    match bytes {
        [0, rest @ ..] if !rest.is_empty() => rest,
        bytes => bytes,
    }
}

fn hex(bytes: &[u8], is_upper: bool) -> Box<str> {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a text does not fail.
        let _ = if is_upper { write!(text, "{byte:02X}") } else { write!(text, "{byte:02x}") };
    }
    text.into()
}

/// RFC 4514 §2.1: the last part first.
fn name(name: &X509Name<'_>) -> Box<str> {
    let mut text = String::new();
    let parts: Vec<_> = name.iter_rdn().collect();
    for (index, part) in parts.into_iter().rev().enumerate() {
        if index > 0 {
            text.push(',');
        }
        for (index, attribute) in part.iter().enumerate() {
            if index > 0 {
                text.push('+');
            }
            let kind = attribute.attr_type();
            match x509_parser::objects::oid2abbrev(kind, x509_parser::objects::oid_registry()) {
                Ok(short) => text.push_str(short),
                Err(_) => text.push_str(&kind.to_id_string()),
            }
            text.push('=');
            escape(attribute.as_str().unwrap_or_default(), &mut text);
        }
    }
    text.into()
}

/// RFC 4514 §2.4; control characters too, which could break a log line or a header.
fn escape(value: &str, text: &mut String) {
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        let is_edge = (index == 0 && matches!(character, ' ' | '#')) || (index == last && character == ' ');
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => text.extend(['\\', character]),
            character if is_edge => text.extend(['\\', character]),
            character if character.is_control() || !character.is_ascii() => {
                for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(text, "\\{byte:02X}");
                }
            }
            character => text.push(character),
        }
    }
}
