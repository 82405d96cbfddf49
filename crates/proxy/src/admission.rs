//! Whether the TLS of a connection lets it ask for a host: where clients have to show a certificate, only a connection
//! that was made for that very name, under the terms of today, gets in.

use http::StatusCode;
use lockgate_http::tls::Verified;
use lockgate_http::{ConnectionInfo, Request};

use crate::error::ProxyError;
use crate::snapshot::{Certificates, CompiledSsl, normal};

/// RFC 9110 §15.5.20: the client may ask again on a connection of its own.
const MISDIRECTED: ProxyError = ProxyError::Refused {
    status: StatusCode::MISDIRECTED_REQUEST,
    reason: "the host needs a TLS connection of its own, for the client's certificate",
};
const NO_CERTIFICATE: ProxyError =
    ProxyError::Refused { status: StatusCode::BAD_REQUEST, reason: "client certificate was not present" };
const NOT_TRUSTED: ProxyError =
    ProxyError::Refused { status: StatusCode::BAD_REQUEST, reason: "client certificate is not trusted" };

/// Whether a request may go on. `path` is what routes are found by.
pub(crate) fn admit(
    certificates: &Certificates,
    connection: &ConnectionInfo,
    request: &Request,
    path: &str,
) -> Result<(), ProxyError> {
    if !connection.is_tls || !certificates.verify_clients() {
        return Ok(());
    }
    let name = connection.tls.as_deref().map_or("", |tls| &tls.name);
    if let Some(own) = certificates.find(name) {
        check(own, connection, path)?;
    }
    let host = normal(without_port(request.host()));
    if host.is_empty() || host == name {
        return Ok(());
    }
    match certificates.find(&host) {
        Some(other) if other.client.is_some() => Err(MISDIRECTED),
        _ => Ok(()),
    }
}

/// Whether a connection has shown what has to be shown for the name it was made for.
fn check(ssl: &CompiledSsl, connection: &ConnectionInfo, path: &str) -> Result<(), ProxyError> {
    let Some(client) = &ssl.client else { return Ok(()) };
    let Some(tls) = connection.tls.as_deref().filter(|tls| tls.terms == Some(ssl.terms)) else {
        return Err(MISDIRECTED);
    };
    match tls.verified() {
        Verified::Success => Ok(()),
        _ if client.skips(path) => Ok(()),
        Verified::None => Err(NO_CERTIFICATE),
        Verified::Failed => Err(NOT_TRUSTED),
    }
}

/// A host without its port; an IPv6 address is in brackets.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn a_port_is_no_part_of_a_name() {
        for (host, name) in
            [("a:8443", "a"), ("a", "a"), ("[::1]:443", "[::1]"), ("[::1]", "[::1]"), ("", "")]
        {
            assert_eq!(without_port(host), name);
        }
    }
}
