//! Hosts, back to front and in lower case, so that a wildcard is a prefix.

use lockgate_plugin::without_port;

/// The longest name DNS has, without its last dot.
const LONGEST: usize = 253;

/// The name a client gave, made ready to look up; on the stack.
pub(super) struct Reversed {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Reversed {
    /// Without port and last dot; `None` for one that no route can have.
    pub(super) fn of(host: &str) -> Option<Self> {
        let name = without_port(host);
        let name = name.strip_suffix('.').unwrap_or(name).as_bytes();
        let mut bytes = [0; LONGEST];
        let target = bytes.get_mut(..name.len()).filter(|target| !target.is_empty())?;
        for (to, from) in target.iter_mut().zip(name.iter().rev()) {
            *to = from.to_ascii_lowercase();
        }
        Some(Self { bytes, len: name.len() })
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// A host as routes name it.
pub(super) struct HostPattern {
    /// Back to front, in lower case, without the `*`.
    pub(super) key: Vec<u8>,
    pub(super) is_wildcard: bool,
}

impl HostPattern {
    /// `None` for one that cannot match: empty, or with a `*` that is not its first character.
    pub(super) fn parse(host: &str) -> Option<Self> {
        let (is_wildcard, name) = host.strip_prefix('*').map_or((false, host), |rest| (true, rest));
        if name.contains('*') || (name.is_empty() && !is_wildcard) {
            return None;
        }
        let key = name.bytes().rev().map(|byte| byte.to_ascii_lowercase()).collect();
        Some(Self { key, is_wildcard })
    }
}

/// Whether a name a client gave is one of the hosts that a rule is for.
pub(super) fn is_among(hosts: &[String], given: &str) -> bool {
    let name = without_port(given);
    let name = name.strip_suffix('.').unwrap_or(name).as_bytes();
    hosts.iter().any(|host| match host.strip_prefix('*') {
        Some(end) => {
            let behind = name.len().checked_sub(end.len()).filter(|len| *len > 0);
            behind.is_some_and(|len| name[len..].eq_ignore_ascii_case(end.as_bytes()))
        }
        None => name.eq_ignore_ascii_case(host.as_bytes()),
    })
}
