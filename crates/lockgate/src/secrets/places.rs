//! Where a resource refers to secrets.

use lockgate_plugin::{Secrets, variable};
use lockgate_resource::{Kind, Record, is_reference};
use lockgate_secret::Reference;
use serde_json::Value;

/// The kinds that may refer to secrets.
pub(super) const KINDS: [Kind; 9] = [
    Kind::Route,
    Kind::Service,
    Kind::Consumer,
    Kind::Credential,
    Kind::ConsumerGroup,
    Kind::PluginConfig,
    Kind::GlobalRule,
    Kind::PluginMetadata,
    Kind::Ssl,
];

/// What may be kept elsewhere of a certificate.
const OF_SSL: [&str; 5] = ["/cert", "/key", "/certs", "/keys", "/client/ca"];

/// One place.
pub(super) struct Place {
    /// Where it is, as a JSON pointer.
    pub(super) pointer: String,
    /// What stands there.
    pub(super) written: String,
    pub(super) source: Source,
}

/// Where the text is to come from.
pub(super) enum Source {
    Manager(Reference),
    /// It is known for good: what the environment has, or why there is nothing.
    Here(Result<String, String>),
}

impl Place {
    /// As users name it: `plugins.key-auth.key`.
    pub(super) fn name(&self) -> String {
        let name = self.pointer.trim_start_matches('/').replace('/', ".");
        name.replace("~1", "/").replace("~0", "~")
    }

    pub(super) fn reference(&self) -> Option<&Reference> {
        match &self.source {
            Source::Manager(reference) => Some(reference),
            Source::Here(_) => None,
        }
    }
}

/// The places of a resource, in order.
pub(super) fn of(record: &Record, opener: &dyn Secrets) -> Vec<Place> {
    let mut walk = Walk { opener, places: Vec::new(), with_variables: with_variables(record.kind) };
    match record.kind {
        Kind::Ssl => {
            for pointer in OF_SSL {
                if let Some(value) = record.value.pointer(pointer) {
                    walk.visit(pointer, value);
                }
            }
        }
        Kind::PluginMetadata => walk.visit("", &record.value),
        _ => {
            for (name, config) in record.value["plugins"].as_object().into_iter().flatten() {
                walk.visit(&format!("/plugins/{}", escaped(name)), config);
            }
        }
    }
    walk.places
}

/// Plugins follow references to the environment themselves, when they are built.
fn with_variables(kind: Kind) -> bool {
    matches!(kind, Kind::Ssl | Kind::Consumer | Kind::Credential)
}

struct Walk<'a> {
    opener: &'a dyn Secrets,
    places: Vec<Place>,
    with_variables: bool,
}

impl Walk<'_> {
    fn visit(&mut self, pointer: &str, value: &Value) {
        match value {
            Value::String(text) => self.look(pointer, text),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.visit(&format!("{pointer}/{index}"), item);
                }
            }
            Value::Object(fields) => {
                for (name, field) in fields.iter().filter(|(name, _)| *name != "_meta") {
                    self.visit(&format!("{pointer}/{}", escaped(name)), field);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn look(&mut self, pointer: &str, text: &str) {
        // A field that is secret is sealed whatever stands in it, as APISIX does.
        let opened = may_be_sealed(text).then(|| self.opener.open(text)).flatten();
        let written = opened.as_deref().unwrap_or(text);
        if !is_reference(written) {
            return;
        }
        let source = match (Reference::parse(written), variable(written, self.opener)) {
            (Some(Ok(reference)), _) => Source::Manager(reference),
            (Some(Err(why)), _) => Source::Here(Err(why)),
            (None, Some(found)) if self.with_variables => Source::Here(found),
            (None, _) => return,
        };
        self.places.push(Place { pointer: pointer.to_owned(), written: written.to_owned(), source });
    }
}

/// Whether a text has the form of a sealed one: base64 of whole blocks of 16 bytes.
fn may_be_sealed(text: &str) -> bool {
    let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    text.len() >= 24
        && text.len().is_multiple_of(4)
        && (text.len() / 4 * 3).saturating_sub(padding).is_multiple_of(16)
        && text.bytes().all(is_base64)
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
