//! Who calls, and may they?

use std::net::IpAddr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::request::Parts;
use http::{Method, header};

use crate::address::Address;
use crate::envelope::Refusal;
use crate::{Admin, AdminKey, Role};

/// Whether a call may come from where it comes from, by the name it came under.
pub(crate) fn admit(admin: &Admin, peer: Option<IpAddr>, parts: &Parts) -> Result<(), Refusal> {
    let peer = peer.map(|peer| peer.to_canonical());
    let is_allowed = |peer: &IpAddr| admin.allow.iter().any(|network| network.contains(peer));
    if !admin.allow.is_empty() && !peer.as_ref().is_some_and(is_allowed) {
        return Err(Refusal::Forbidden("your IP address is not allowed".to_owned()));
    }
    if admin.loopback_hosts_only {
        let host = host_of(parts).unwrap_or_default();
        let origin = parts.headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
        let page = origin.map(|origin| origin.split_once("://").map_or("", |(_, host)| host));
        let elsewhere = [Some(host), page].into_iter().flatten().find(|name| !is_loopback(name));
        if let Some(name) = elsewhere {
            let why = format!("host {name} is not allowed: it is no loopback name or address");
            return Err(Refusal::Forbidden(why));
        }
    }
    Ok(())
}

/// Whether a call shows a key that allows its method.
pub(crate) fn authenticate(admin: &Admin, parts: &Parts, address: &Address) -> Result<(), Refusal> {
    if !admin.key_required {
        return Ok(());
    }
    let header = parts.headers.get("x-api-key").map(http::HeaderValue::as_bytes);
    let shown = address.argument("api_key").map(str::as_bytes).or(header);
    let shown = shown.ok_or(Refusal::Token("missing apikey"))?;
    let key = find(&admin.keys, shown).ok_or(Refusal::Token("wrong apikey"))?;
    if key.role == Role::Viewer && parts.method != Method::GET {
        return Err(Refusal::Token("invalid method for role viewer"));
    }
    Ok(())
}

/// Looks at every key, so that the time taken says nothing of which one is near.
fn find<'a>(keys: &'a [AdminKey], shown: &[u8]) -> Option<&'a AdminKey> {
    let fits = |key: &&AdminKey| verify_slices_are_equal(key.key.as_bytes(), shown).is_ok();
    keys.iter().filter(fits).fold(None, |first, key| first.or(Some(key)))
}

fn host_of(parts: &Parts) -> Option<&str> {
    let header = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    header.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str))
}

/// Whether a Host, with or without a port, can only mean this machine.
pub fn is_loopback(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, "0"),
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let is_address = bare.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback());
    let is_name = bare.eq_ignore_ascii_case("localhost");
    port.parse::<u16>().is_ok() && (is_address || is_name)
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn loopback_names_and_addresses_pass_on_any_port() {
        for host in ["localhost", "LOCALHOST:9180", "127.0.0.1", "127.1.2.3:80", "[::1]", "[::1]:9180"] {
            assert!(is_loopback(host), "{host}");
        }
    }

    #[test]
    fn every_other_name_is_refused() {
        let others = [
            "",
            ":80",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "10.0.0.1",
            "localhost:x",
            "localhost:99999",
            "[::2]",
            "127.0.0.1@evil.example",
            "0.0.0.0",
            "::1:evil",
        ];
        for host in others {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
