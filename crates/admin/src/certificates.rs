//! Whether certificates and their private keys are any, and belong to each other.

use lockgate_http::tls::certificate;
use lockgate_resource::{Kind, is_reference};
use serde_json::Value;

/// Checks every certificate of a resource that has not been there `before`: one that was good when it came may have
/// expired since, and other fields must still be free to change. The words around a reason are APISIX's.
pub(crate) fn check(kind: Kind, value: &Value, before: Option<&Value>) -> Result<(), String> {
    match kind {
        Kind::Ssl => check_ssl(value, before),
        Kind::Upstream => check_client(value, before),
        Kind::Route | Kind::Service => match value.get("upstream") {
            Some(upstream) => check_client(upstream, before.and_then(|before| before.get("upstream"))),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

fn check_ssl(value: &Value, before: Option<&Value>) -> Result<(), String> {
    pair(value, before, "/cert", "/key")?;
    let more = value.get("certs").and_then(Value::as_array).map_or(0, Vec::len);
    for place in 0..more {
        let checked = pair(value, before, &format!("/certs/{place}"), &format!("/keys/{place}"));
        checked.map_err(|why| format!("failed to handle cert-key pair[{}]: {why}", place + 1))?;
    }
    match text(value, "/client/ca").filter(|ca| !is_reference(ca)) {
        Some(ca) => certificate::check_authorities("ca", ca)
            .map_err(|why| format!("failed to validate client_cert: {why}")),
        None => Ok(()),
    }
}

fn check_client(upstream: &Value, before: Option<&Value>) -> Result<(), String> {
    let checked = pair(upstream, before, "/tls/client_cert", "/tls/client_key");
    checked.map_err(|why| format!("tls.client_{why}"))
}

fn pair(value: &Value, before: Option<&Value>, cert: &str, key: &str) -> Result<(), String> {
    let (Some(pem), Some(key)) = (text(value, cert), text(value, key)) else {
        return Ok(());
    };
    // What is kept elsewhere is looked at when it has been fetched.
    if is_reference(pem) || is_reference(key) {
        return Ok(());
    }
    if before.and_then(|before| text(before, cert)) == Some(pem) {
        return certificate::read(pem, key).map(drop);
    }
    certificate::check(pem, key)
}

fn text<'a>(value: &'a Value, place: &str) -> Option<&'a str> {
    value.pointer(place).and_then(Value::as_str)
}
