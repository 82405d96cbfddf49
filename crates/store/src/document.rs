//! All resources as one document, in the form of APISIX's `apisix.yaml`: lists by kind, credentials among consumers.

mod text;

use std::collections::HashSet;

use lockgate_resource::{Id, Kind, Resources};
use serde_json::{Map, Value};

pub use text::{Format, from_json, from_yaml, to_yaml};

/// What a list of the document may be called beside the kinds: the names of plugins to load.
const PLUGINS: &str = "plugins";
/// What follows the name of a list where its version stands.
const VERSION: &str = "_conf_version";

/// One resource of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: Id,
    /// What it is, with its id as a store keeps it.
    pub value: Value,
    /// Where it stands: `routes[3]`.
    pub place: String,
    /// `modifiedIndex`: while it is the same, so is the resource, whatever it says.
    pub index: Option<u64>,
}

/// What a document says.
#[derive(Debug, Default)]
pub struct Items {
    /// Its resources, in the order of kinds.
    pub items: Vec<Item>,
    /// What has no effect.
    pub warnings: Vec<String>,
}

/// The lists that a document may have: each kind with a list of its own, and plugins.
pub fn lists() -> impl Iterator<Item = &'static str> {
    let own = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Credential);
    own.map(Kind::plural).chain([PLUGINS])
}

/// Reads the resources of a document. The error is every mistake of its form, each with its place; whether the
/// resources are sound is not looked at.
pub fn items(document: &Value) -> Result<Items, Vec<String>> {
    let fields = match document {
        Value::Null => return Ok(Items::default()),
        Value::Object(fields) => fields,
        _ => return Err(vec!["expected a mapping such as routes: []".to_owned()]),
    };
    let (mut read, mut mistakes) = (Items::default(), Vec::new());
    let mut seen = HashSet::new();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Credential) {
        let list = match fields.get(kind.plural()) {
            None | Some(Value::Null) => continue,
            Some(Value::Array(list)) => list.as_slice(),
            // An empty table of Lua is `{}`, whatever it was.
            Some(Value::Object(fields)) if fields.is_empty() => continue,
            Some(_) => {
                mistakes.push(format!("{}: expected a list", kind.plural()));
                continue;
            }
        };
        if kind == Kind::StreamRoute && !list.is_empty() {
            read.warnings.push("stream_routes: TCP and UDP are not proxied; they have no effect".to_owned());
            continue;
        }
        for (at, value) in list.iter().enumerate() {
            match item(kind, at, value) {
                Ok(item) if !seen.insert((item.kind, item.id.clone())) => {
                    mistakes.push(format!(
                        "{}: {} {} is there twice",
                        item.place,
                        item.kind.words(),
                        item.id
                    ));
                }
                Ok(item) => read.items.push(item),
                Err(mistake) => mistakes.push(mistake),
            }
        }
    }
    read.warnings.extend(unknown(fields));
    if mistakes.is_empty() { Ok(read) } else { Err(mistakes) }
}

/// What is said of keys that mean nothing here.
fn unknown(fields: &Map<String, Value>) -> impl Iterator<Item = String> {
    let is_known = |key: &str| lists().any(|list| list == key.strip_suffix(VERSION).unwrap_or(key));
    let odd = fields.keys().filter(move |key| !is_known(key));
    let odd = odd.map(|key| format!("{key}: is not known here and has no effect"));
    let plugins = fields.get(PLUGINS).filter(|list| list.as_array().is_some_and(|list| !list.is_empty()));
    odd.chain(
        plugins.map(|_| "plugins: every plugin there is can be used, so the list has no effect".to_owned()),
    )
}

fn item(kind: Kind, at: usize, value: &Value) -> Result<Item, String> {
    let place = format!("{}[{at}]", kind.plural());
    let Value::Object(fields) = value else {
        return Err(format!("{place}: expected a mapping"));
    };
    let named = |field: &str| match fields.get(field) {
        Some(Value::String(name)) => Some(name.clone()),
        Some(Value::Number(name)) => Some(name.to_string()),
        _ => None,
    };
    let name = named("id");
    let credential = name.as_deref().filter(|_| kind == Kind::Consumer);
    let credential = credential.and_then(|name| name.split_once("/credentials/"));
    let (kind, name) = match (kind, credential) {
        (_, Some((consumer, own))) => (Kind::Credential, format!("{consumer}/{own}")),
        (Kind::Consumer, None) => {
            (kind, named("username").ok_or_else(|| format!("{place}.username: has to be given"))?)
        }
        (Kind::PluginMetadata | Kind::Secret, None) => {
            (kind, name.ok_or_else(|| format!("{place}.id: has to be given"))?)
        }
        // As APISIX calls what has no name.
        (kind, None) => (kind, name.unwrap_or_else(|| format!("arr_{}", at + 1))),
    };
    let id = Id::of(kind, &name).map_err(|error| format!("{place}.id: {name:?}: {error}"))?;
    let mut value = value.clone();
    let index = value.get("modifiedIndex").and_then(Value::as_u64);
    if let Some(fields) = value.as_object_mut() {
        fields.shift_remove("modifiedIndex");
        fields.shift_remove("createdIndex");
        write_id(fields, kind, &id);
    }
    Ok(Item { kind, id, value, place, index })
}

/// Writes the id into a resource, as the Admin API keeps it.
fn write_id(fields: &mut Map<String, Value>, kind: Kind, id: &Id) {
    match kind {
        Kind::Consumer => drop(fields.shift_remove("id")),
        Kind::Secret => drop(fields.insert("id".to_owned(), Value::from(id.as_str()))),
        _ => drop(fields.insert("id".to_owned(), Value::from(id.own()))),
    }
}

/// All resources as a document. Kinds and ids have one order, so that two documents can be compared. `open` may
/// change what is shown of a resource.
pub fn document(resources: &Resources, open: &dyn Fn(Kind, &mut Value)) -> Value {
    let mut document = Map::new();
    for kind in Kind::ALL {
        for record in resources.of(kind).values() {
            let mut value = record.value.clone();
            open(kind, &mut value);
            let (list, id) = match (kind, record.id.parent()) {
                (Kind::Credential, Some(consumer)) => {
                    (Kind::Consumer, format!("{consumer}/credentials/{}", record.id.own()))
                }
                _ => (kind, record.id.to_string()),
            };
            if let Some(fields) = value.as_object_mut() {
                if kind == Kind::Consumer {
                    fields.shift_remove("id");
                } else {
                    fields.insert("id".to_owned(), Value::from(id));
                }
            }
            let list = document.entry(list.plural()).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                list.push(value);
            }
        }
    }
    Value::Object(document)
}

#[cfg(test)]
mod tests;
