//! The JSON that etcd's gateway speaks: bytes in base64, 64-bit numbers as texts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lockgate_resource::{Id, Kind, Record, Revision};
use serde_json::Value;

/// Bytes as they stand in a request.
pub(super) fn encoded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn decoded(value: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(value.as_str().unwrap_or_default()).ok()
}

/// A number, which stands as a text; 0 where there is none, as etcd leaves zeros out.
pub(super) fn number(value: &Value) -> u64 {
    value.as_str().and_then(|text| text.parse().ok()).or(value.as_u64()).unwrap_or(0)
}

/// The revision of an answer's header.
pub(super) fn revision_of(header: &Value) -> Revision {
    Revision(number(&header["revision"]))
}

/// Keys below a prefix.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

/// What one key in etcd turns out to be.
pub(super) enum Entry {
    /// A resource.
    Resource(Record),
    /// Something that is not ours: another program's, or a place holder for a directory.
    Other,
    /// A resource that cannot be read, and why.
    Unreadable(String, String),
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.trim_end_matches('/').to_owned() }
    }

    /// The key of a resource, encoded.
    pub(super) fn of(&self, kind: Kind, id: &Id) -> String {
        let key = kind.key(id);
        encoded(format!("{}{}", self.prefix, key.strip_prefix("/apisix").unwrap_or(&key)).as_bytes())
    }

    /// The first of all keys and the end of them, encoded.
    pub(super) fn all(&self) -> (String, String) {
        // `0` is what comes after `/`.
        (encoded(format!("{}/", self.prefix).as_bytes()), encoded(format!("{}0", self.prefix).as_bytes()))
    }

    /// The kind and id that an encoded key names; `None` for one that is not ours.
    pub(super) fn resource(&self, key: &Value) -> Option<(Kind, Id)> {
        let key = String::from_utf8(decoded(key)?).ok()?;
        Kind::of_key(&format!("/apisix{}", key.strip_prefix(&self.prefix)?)).ok()
    }

    /// Reads a key and its value.
    pub(super) fn entry(&self, kv: &Value) -> Entry {
        let Some((kind, id)) = self.resource(&kv["key"]) else {
            return Entry::Other;
        };
        let unreadable = |reason: String| Entry::Unreadable(kind.key(&id), reason);
        let Some(bytes) = decoded(&kv["value"]) else {
            return unreadable("its value is not base64".to_owned());
        };
        match serde_json::from_slice(&bytes) {
            Ok(value @ Value::Object(_)) => Entry::Resource(Record {
                kind,
                id,
                value,
                created: Revision(number(&kv["create_revision"])),
                modified: Revision(number(&kv["mod_revision"])),
            }),
            Ok(_) => unreadable("it is no JSON object".to_owned()),
            Err(error) => unreadable(format!("it is no JSON: {error}")),
        }
    }
}
