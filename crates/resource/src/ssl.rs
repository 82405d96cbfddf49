//! Certificates: for which names they are shown, and which clients they let in.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::field::{self, Labels};
use crate::{Id, Status};

/// Certificates with their private keys. `Ssl::from_value` reads one: what was written as `sni` is then among
/// `snis`, all of them in lower case.
#[derive(Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ssl {
    /// Its id.
    pub id: Option<Id>,
    /// What it is for.
    #[schemars(length(max = 256))]
    pub desc: Option<String>,
    /// Words to find it by.
    #[serde(default)]
    #[schemars(schema_with = "field::labels")]
    pub labels: Labels,
    /// When it was made, in seconds since 1970. Set by the gateway.
    #[serde(default)]
    #[schemars(schema_with = "field::timestamp")]
    pub create_time: Option<i64>,
    /// When it was changed last, in seconds since 1970. Set by the gateway.
    #[serde(default)]
    #[schemars(schema_with = "field::timestamp")]
    pub update_time: Option<i64>,
    /// Whether it is shown to clients or, by upstreams that name it, to nodes.
    #[serde(default, rename = "type")]
    pub usage: SslUsage,
    /// The certificate and those above it, in PEM.
    #[schemars(length(min = 128, max = 65_536), extend("type" = "string"))]
    pub cert: String,
    /// Its private key, in PEM. Sealed at rest, never shown.
    #[schemars(length(min = 64, max = 65_536))]
    pub key: String,
    /// The name that clients ask for: exact (`api.example.com`) or every name below one (`*.example.com`).
    #[serde(default)]
    #[schemars(schema_with = "field::host")]
    sni: Option<String>,
    /// The names that clients ask for, each as in `sni`.
    #[serde(default)]
    #[schemars(schema_with = "snis")]
    pub snis: Vec<String>,
    /// Further certificates for the same names, such as one of another type of key, each in PEM.
    #[serde(default)]
    #[schemars(schema_with = "certificates")]
    pub certs: Vec<String>,
    /// The private keys of `certs`, in the same order, each in PEM. Sealed at rest, never shown.
    #[serde(default)]
    #[schemars(schema_with = "private_keys")]
    pub keys: Vec<String>,
    /// Which certificates clients have to show. By default none.
    pub client: Option<SslClient>,
    /// Whether it is in use: 1 for yes, 0 for no.
    #[serde(default)]
    #[schemars(schema_with = "field::status")]
    pub status: Status,
    /// The versions of TLS that clients may speak. None are those of the settings. `TLSv1.1` can be written
    /// but is not spoken.
    #[serde(default)]
    #[schemars(schema_with = "protocols")]
    pub ssl_protocols: Vec<SslProtocol>,
}

/// To whom a certificate is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline, transform = crate::schemas::plain_choices)]
pub enum SslUsage {
    /// To clients, by us as a server.
    #[default]
    Server,
    /// To nodes, by us as a client.
    Client,
}

/// Which certificates clients have to show.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct SslClient {
    /// The certificates of those who may have signed them, in PEM.
    #[schemars(length(min = 128, max = 65_536))]
    pub ca: String,
    /// How many certificates may stand between those of `ca` and a client's.
    #[serde(default = "SslClient::default_depth")]
    #[schemars(extend("type" = "integer", "minimum" = 0))]
    pub depth: u32,
    /// Requests whose path one of these regular expressions matches need no certificate.
    #[serde(default)]
    #[schemars(schema_with = "expressions")]
    pub skip_mtls_uri_regex: Vec<String>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum SslProtocol {
    /// Written as `TLSv1.1`. `Ssl::from_value` leaves it out: nobody should speak it any more.
    #[serde(rename = "TLSv1.1")]
    Tls11,
    /// Written as `TLSv1.2`.
    #[serde(rename = "TLSv1.2")]
    Tls12,
    /// Written as `TLSv1.3`.
    #[serde(rename = "TLSv1.3")]
    Tls13,
}

impl SslClient {
    const fn default_depth() -> u32 {
        1
    }
}

impl Ssl {
    /// Reads what was written. The text of an error names the field; it never shows a key. Whether certificates
    /// and keys can be read and belong together is looked at elsewhere.
    pub fn from_value(value: &Value) -> Result<Self, String> {
        let mut ssl = Self::deserialize(value).map_err(|error| error.to_string())?;
        ssl.snis.extend(ssl.sni.take());
        for sni in &mut ssl.snis {
            sni.make_ascii_lowercase();
        }
        if ssl.usage == SslUsage::Server && ssl.certs.len() != ssl.keys.len() {
            return Err("mismatched number of certs and keys".to_owned());
        }
        let names_versions = !ssl.ssl_protocols.is_empty();
        ssl.ssl_protocols.retain(|version| *version != SslProtocol::Tls11);
        if names_versions && ssl.ssl_protocols.is_empty() {
            return Err("ssl_protocols names TLSv1.1 alone, which is not supported".to_owned());
        }
        Ok(ssl)
    }

    /// Each certificate with its private key: `cert` and `key` first.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let more = self.certs.iter().zip(&self.keys).map(|(cert, key)| (cert.as_str(), key.as_str()));
        std::iter::once((self.cert.as_str(), self.key.as_str())).chain(more)
    }
}

impl fmt::Debug for Ssl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Ssl");
        fields.field("id", &self.id).field("usage", &self.usage).field("snis", &self.snis);
        fields.field("status", &self.status).finish_non_exhaustive()
    }
}

mod schemas {
    use schemars::{Schema, SchemaGenerator, json_schema};

    use crate::field;

    pub(super) fn snis(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "minItems": 1, "items": field::host(generator)})
    }

    pub(super) fn certificates(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "items": {"type": "string", "minLength": 128, "maxLength": 65_536}})
    }

    pub(super) fn private_keys(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "items": {"type": "string", "minLength": 64, "maxLength": 65_536}})
    }

    pub(super) fn expressions(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "minItems": 1, "uniqueItems": true, "items": {"type": "string"}})
    }

    pub(super) fn protocols(_: &mut SchemaGenerator) -> Schema {
        let version = json_schema!({"enum": ["TLSv1.1", "TLSv1.2", "TLSv1.3"]});
        json_schema!({"type": "array", "maxItems": 3, "uniqueItems": true, "items": version})
    }
}

use schemas::{certificates, expressions, private_keys, protocols, snis};
