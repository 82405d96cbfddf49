//! Certificates, compiled: what a client that names a host is shown, and what it has to show itself.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use lockgate_http::tls::server::{Keys, ServerTls, Versions};
use lockgate_http::tls::{Terms, Verification, certificate};
use lockgate_plugin::Secrets;
use lockgate_resource::{
    Id, Kind, Record, RefusedResource, Resources, Revision, Ssl, SslClient, SslProtocol, SslUsage, Status,
};
use regex::RegexSet;
use rustls::ServerConfig;

use super::compile::refusal;

/// The certificates there are, by name.
#[derive(Clone, Default)]
pub(crate) struct Certificates(Arc<Index>);

#[derive(Default)]
struct Index {
    entries: BTreeMap<Id, Entry>,
    exact: HashMap<Box<str>, Arc<CompiledSsl>>,
    /// `example.com` stands for `*.example.com`.
    below: HashMap<Box<str>, Arc<CompiledSsl>>,
    any: Option<Arc<CompiledSsl>>,
    verifies_clients: bool,
    /// Whether one was refused in its newest form: it is tried again with each change.
    has_refused: bool,
}

/// A resource, and what became of it.
#[derive(Clone)]
struct Entry {
    source: Arc<Record>,
    /// `None` for one that is not for clients, or is switched off.
    compiled: Option<Arc<CompiledSsl>>,
}

/// Certificates for some names.
pub(crate) struct CompiledSsl {
    names: Vec<String>,
    modified: Revision,
    keys: Arc<Keys>,
    /// With HTTP/2 on offer, and without.
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) config_http1: Arc<ServerConfig>,
    /// Sessions are good for these alone.
    pub(crate) terms: Terms,
    pub(crate) client: Option<CompiledClient>,
}

/// What clients have to show.
pub(crate) struct CompiledClient {
    pub(crate) verification: Verification,
    /// Paths that need no certificate; `None` where every one does.
    skips: Option<RegexSet>,
    written: SslClient,
}

impl CompiledClient {
    /// Whether a path needs no certificate.
    pub(crate) fn skips(&self, path: &str) -> bool {
        self.skips.as_ref().is_some_and(|skips| skips.is_match(path))
    }
}

impl CompiledSsl {
    /// For HTTP/3, which does not ask clients for certificates: only where none is needed.
    pub(crate) fn keys(&self) -> Option<&Keys> {
        self.client.is_none().then_some(&*self.keys)
    }
}

impl Certificates {
    /// Those of `resources`. What is unchanged since `before` is kept, and so are its sessions; what cannot be
    /// compiled keeps its last good form, or is left out.
    pub(super) fn compile(
        resources: &Resources,
        (before, previous): (&Self, &Resources),
        tls: &ServerTls,
        secrets: &dyn Secrets,
        refused: &mut Vec<RefusedResource>,
    ) -> Self {
        if !before.0.has_refused && resources.shares(previous, Kind::Ssl) {
            return before.clone();
        }
        let mut index = Index::default();
        for (id, record) in resources.of(Kind::Ssl) {
            let old = before.0.entries.get(id);
            let entry = match old.filter(|old| Arc::ptr_eq(&old.source, record)) {
                Some(same) => same.clone(),
                None => match compile(record, old.and_then(|old| old.compiled.as_deref()), tls, secrets) {
                    Ok(compiled) => Entry { source: record.clone(), compiled: compiled.map(Arc::new) },
                    Err(reason) => {
                        index.has_refused = true;
                        refused.push(refusal(record, reason));
                        let Some(old) = old else { continue };
                        old.clone()
                    }
                },
            };
            index.entries.insert(id.clone(), entry);
        }
        index.name_all();
        Self(Arc::new(index))
    }

    /// What is shown to a client that asks for `name`: what has exactly this name, then what has all names next to
    /// it (`*.example.com`), then what has any.
    pub(crate) fn find(&self, name: &str) -> Option<&Arc<CompiledSsl>> {
        let name = normal(name);
        let index = &*self.0;
        let exact = index.exact.get(&*name);
        exact.or_else(|| index.below.get(name.split_once('.')?.1)).or(index.any.as_ref())
    }

    /// Whether a client has to show a certificate for any name.
    pub(crate) fn verify_clients(&self) -> bool {
        self.0.verifies_clients
    }
}

impl Index {
    fn name_all(&mut self) {
        let mut all: Vec<_> = self.entries.values().filter_map(|entry| entry.compiled.clone()).collect();
        // Where two have a name, the one that was changed last has it.
        all.sort_by_key(|ssl| ssl.modified);
        for ssl in all {
            self.verifies_clients |= ssl.client.is_some();
            for name in &ssl.names {
                match (name.as_str(), name.strip_prefix("*.")) {
                    ("*", _) => self.any = Some(ssl.clone()),
                    (_, Some(parent)) => drop(self.below.insert(parent.into(), ssl.clone())),
                    (name, None) => drop(self.exact.insert(name.into(), ssl.clone())),
                }
            }
        }
    }
}

/// A name in lower case, without the dot that may end it.
pub(crate) fn normal(name: &str) -> Cow<'_, str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

fn compile(
    record: &Record,
    before: Option<&CompiledSsl>,
    tls: &ServerTls,
    secrets: &dyn Secrets,
) -> Result<Option<CompiledSsl>, String> {
    let ssl = Ssl::from_value(&record.value)?;
    let keys = read_pairs(&ssl, secrets)?;
    if ssl.usage != SslUsage::Server || ssl.status != Status::Enabled {
        return Ok(None);
    }
    let client = ssl.client.as_ref().map(compile_client).transpose()?;
    // A session may be gone on with for as long as clients have to show the same.
    let same =
        before.filter(|before| before.client.as_ref().map(|client| &client.written) == ssl.client.as_ref());
    let terms = same.map_or_else(Terms::new, |same| same.terms);
    let verification = client.as_ref().map(|client| &client.verification);
    let config = tls.config(keys.clone(), versions(&ssl.ssl_protocols), verification, terms)?;
    let mut config_http1 = ServerConfig::clone(&config);
    config_http1.alpn_protocols.retain(|name| name != b"h2");
    Ok(Some(CompiledSsl {
        names: ssl.snis.iter().map(|name| normal(name).into_owned()).collect(),
        modified: record.modified,
        keys,
        config,
        config_http1: Arc::new(config_http1),
        terms,
        client,
    }))
}

/// Every certificate with its key.
fn read_pairs(ssl: &Ssl, secrets: &dyn Secrets) -> Result<Arc<Keys>, String> {
    let read = |(place, (cert, key)): (usize, (&str, &str))| {
        let read = opened(key, secrets).and_then(|key| certificate::read(cert, &key));
        read.map_err(|reason| match place {
            0 => reason,
            place => format!("certs[{0}] and keys[{0}]: {reason}", place - 1),
        })
    };
    let keys = ssl.pairs().enumerate().map(read).collect::<Result<Vec<_>, String>>()?;
    Ok(Arc::new(Keys::new(keys)))
}

/// A private key, opened where it is sealed.
pub(super) fn opened<'a>(key: &'a str, secrets: &dyn Secrets) -> Result<Cow<'a, str>, String> {
    match secrets.open(key) {
        Some(opened) => Ok(Cow::Owned(opened)),
        None if key.contains("-----BEGIN") => Ok(Cow::Borrowed(key)),
        None => {
            Err("the private key is no PEM, and no key of apisix.data_encryption.keyring opens it".to_owned())
        }
    }
}

fn compile_client(written: &SslClient) -> Result<CompiledClient, String> {
    let expressions = &written.skip_mtls_uri_regex;
    let skips = (!expressions.is_empty()).then(|| RegexSet::new(expressions)).transpose();
    let skips = skips.map_err(|error| format!("client.skip_mtls_uri_regex: {error}"))?;
    let depth = usize::try_from(written.depth).unwrap_or(usize::MAX);
    Ok(CompiledClient {
        verification: Verification::new(&written.ca, depth, skips.is_some())?,
        skips,
        written: written.clone(),
    })
}

fn versions(written: &[SslProtocol]) -> Option<Versions> {
    let has = |version| written.contains(&version);
    (!written.is_empty()).then(|| Versions { tls12: has(SslProtocol::Tls12), tls13: has(SslProtocol::Tls13) })
}
