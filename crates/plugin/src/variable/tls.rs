//! Variables of a client's TLS, in nginx's names.

use lockgate_http::tls::TlsInfo;

use super::present;

/// A part of what is known of a client's TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVariable {
    /// `ssl_protocol`: `TLSv1.3`.
    Protocol,
    /// `ssl_cipher`: by OpenSSL's name.
    Cipher,
    /// `ssl_server_name`: the name that the client asked for.
    ServerName,
    /// `ssl_session_reused`: `r` for a session that went on, `.` for a new one.
    SessionReused,
    /// `ssl_client_verify`: `NONE`, `SUCCESS` or `FAILED`.
    ClientVerify,
    /// `ssl_client_s_dn`: the subject of the client's certificate.
    ClientSubject,
    /// `ssl_client_i_dn`: its issuer.
    ClientIssuer,
    /// `ssl_client_serial`: its serial number, in hexadecimal.
    ClientSerial,
    /// `ssl_client_fingerprint`: its SHA-1, in hexadecimal.
    ClientFingerprint,
}

impl TlsVariable {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "ssl_protocol" => Self::Protocol,
            "ssl_cipher" => Self::Cipher,
            "ssl_server_name" => Self::ServerName,
            "ssl_session_reused" => Self::SessionReused,
            "ssl_client_verify" => Self::ClientVerify,
            "ssl_client_s_dn" => Self::ClientSubject,
            "ssl_client_i_dn" => Self::ClientIssuer,
            "ssl_client_serial" => Self::ClientSerial,
            "ssl_client_fingerprint" => Self::ClientFingerprint,
            _ => return None,
        })
    }

    pub(super) fn write(self, tls: &TlsInfo, out: &mut Vec<u8>) -> bool {
        let client = tls.client.as_deref();
        let text = match self {
            Self::Protocol => Some(tls.version),
            Self::Cipher => Some(tls.cipher),
            Self::ServerName => tls.sni.as_deref(),
            Self::SessionReused => Some(if tls.is_resumed { "r" } else { "." }),
            Self::ClientVerify => Some(tls.verified().as_str()),
            Self::ClientSubject => client.map(|client| &*client.subject),
            Self::ClientIssuer => client.map(|client| &*client.issuer),
            Self::ClientSerial => client.map(|client| &*client.serial),
            Self::ClientFingerprint => client.map(|client| &*client.fingerprint),
        };
        text.is_some_and(|text| present(text, out))
    }
}

#[cfg(test)]
mod tests {
    use lockgate_http::tls::ClientCertificate;

    use super::*;

    #[test]
    fn what_is_known_of_tls_is_written_as_nginx_writes_it() {
        let client = ClientCertificate {
            subject: "CN=jane,O=Example".into(),
            issuer: "CN=Root".into(),
            serial: "1F".into(),
            fingerprint: "ab12".into(),
            is_verified: true,
        };
        let tls = TlsInfo {
            sni: Some("a.test".into()),
            name: "a.test".into(),
            version: "TLSv1.3",
            cipher: "TLS_AES_128_GCM_SHA256",
            is_resumed: false,
            terms: None,
            client: None,
        };
        let value = |tls: &TlsInfo, name: &str| {
            let mut out = Vec::new();
            let is_there = TlsVariable::parse(name).unwrap().write(tls, &mut out);
            is_there.then(|| String::from_utf8(out).unwrap())
        };
        for (name, expected) in [
            ("ssl_protocol", Some("TLSv1.3")),
            ("ssl_cipher", Some("TLS_AES_128_GCM_SHA256")),
            ("ssl_server_name", Some("a.test")),
            ("ssl_session_reused", Some(".")),
            ("ssl_client_verify", Some("NONE")),
            ("ssl_client_s_dn", None),
            ("ssl_client_serial", None),
        ] {
            assert_eq!(value(&tls, name).as_deref(), expected, "{name}");
        }
        let tls = TlsInfo { client: Some(Box::new(client)), is_resumed: true, ..tls };
        for (name, expected) in [
            ("ssl_session_reused", "r"),
            ("ssl_client_verify", "SUCCESS"),
            ("ssl_client_s_dn", "CN=jane,O=Example"),
            ("ssl_client_i_dn", "CN=Root"),
            ("ssl_client_serial", "1F"),
            ("ssl_client_fingerprint", "ab12"),
        ] {
            assert_eq!(value(&tls, name).as_deref(), Some(expected), "{name}");
        }
    }
}
