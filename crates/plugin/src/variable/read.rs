//! Reads the parts of a request that variables name: arguments, headers, cookies, the user.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockgate_http::name::OwnedName;
use lockgate_http::{Headers, name};

/// The query of a target, without its `?`.
pub(crate) fn query(target: &str) -> Option<&str> {
    target.split_once('?').map(|(_, query)| query)
}

/// Writes the first argument with this name, decoded.
pub(crate) fn argument(query: Option<&str>, name: &str, out: &mut Vec<u8>) -> bool {
    for pair in query.unwrap_or_default().split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if (!pair.is_empty() && key == name) || (key.contains(['%', '+']) && is_encoded(key, name)) {
            out.extend(form_bytes(value));
            return true;
        }
    }
    false
}

fn is_encoded(key: &str, name: &str) -> bool {
    form_bytes(key).eq(name.bytes())
}

/// The bytes of a form value: `+` is a space, escapes are decoded, a broken escape stays as it is.
pub(crate) fn form_bytes(text: &str) -> impl Iterator<Item = u8> {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        let (&first, more) = rest.split_first()?;
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let decoded = match rest {
            [b'%', high, low, ..] => digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        rest = if decoded.is_some() { &rest[3..] } else { more };
        Some(decoded.unwrap_or(if first == b'+' { b' ' } else { first }))
    })
}

/// Writes every field with this name, joined.
pub(super) fn header(headers: &Headers, name: &OwnedName, out: &mut Vec<u8>) -> bool {
    let mut values = headers.get_all(name);
    let Some(first) = values.next() else { return false };
    out.extend_from_slice(first);
    for value in values {
        let is_cookie = name.as_str().eq_ignore_ascii_case("cookie");
        out.extend_from_slice(if is_cookie { b"; " } else { b", " });
        out.extend_from_slice(value);
    }
    true
}

/// Writes the first cookie with this name.
pub(super) fn cookie(headers: &Headers, name: &str, out: &mut Vec<u8>) -> bool {
    let pairs = headers.get_all(name::COOKIE).flat_map(|field| field.split(|byte| *byte == b';'));
    for pair in pairs {
        let pair = pair.trim_ascii();
        if let Some(value) = pair.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")) {
            out.extend_from_slice(value);
            return true;
        }
    }
    false
}

/// Writes the host that the client named, in lower case, without its port.
pub(super) fn host(headers: &Headers, out: &mut Vec<u8>) -> bool {
    let Some(host) = headers.get_str(name::HOST) else {
        return false;
    };
    let name = without_port(host);
    out.extend(name.bytes().map(|byte| byte.to_ascii_lowercase()));
    !name.is_empty()
}

/// A host without its port: `[::1]:80` is `[::1]`.
pub fn without_port(host: &str) -> &str {
    let port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    match host.rsplit_once(':') {
        Some((name, digits)) if port(digits) && (!name.contains(':') || name.ends_with(']')) => name,
        _ => host,
    }
}

/// Writes the user of basic authentication (RFC 7617).
pub(super) fn user(headers: &Headers, out: &mut Vec<u8>) -> bool {
    let credentials = headers.get_str(name::AUTHORIZATION).and_then(|value| {
        let (scheme, rest) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(rest.trim()).ok())?
    });
    let user = credentials.as_deref().and_then(|pair| pair.split(|byte| *byte == b':').next());
    out.extend_from_slice(user.unwrap_or_default());
    user.is_some_and(|user| !user.is_empty())
}
