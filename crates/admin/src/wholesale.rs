//! Many resources at once, outside of any call: checked together, sealed and opened.

use lockgate_resource::{Id, Kind, Record, Resources, Revision, check_among};
use lockgate_store::document::Item;
use serde_json::Value;

use crate::validate::examine;
use crate::{Admin, secrets};

/// What is wrong with the resources of a document, each mistake with its place. They are looked at beside each other
/// and beside `others`, so what they refer to has to be among them. What `held` has just so is known to be sound by
/// itself.
pub fn examine_all(admin: &Admin, items: &[Item], mut others: Resources, held: &Resources) -> Vec<String> {
    for Item { kind, id, value, .. } in items {
        let (created, modified) = (Revision::default(), others.revision);
        others.insert(Record { kind: *kind, id: id.clone(), value: value.clone(), created, modified });
    }
    let wrong = |item: &Item| {
        let why = examine_item(admin, item, &others, held).err()?;
        Some(format!("{}: {why}", item.place))
    };
    items.iter().filter_map(wrong).collect()
}

fn examine_item(admin: &Admin, item: &Item, all: &Resources, held: &Resources) -> Result<(), String> {
    let Item { kind, id, value, .. } = item;
    let consumer = id.parent().filter(|_| *kind == Kind::Credential);
    if let Some(consumer) = consumer.filter(|name| all.get(Kind::Consumer, name).is_none()) {
        return Err(format!("there is no consumer {consumer}"));
    }
    if held.get(*kind, id.as_str()).is_some_and(|known| known.value == *value) {
        return check_among(all, *kind, id.as_str(), value);
    }
    let mut opened = value.clone();
    open_secrets(admin, *kind, &mut opened);
    examine(admin, Some((all, id.as_str())), *kind, &opened).map(drop)
}

/// Opens every secret of a resource, private keys too.
pub fn open_secrets(admin: &Admin, kind: Kind, value: &mut Value) {
    secrets::open(&admin.registry, admin.keyring.as_deref(), kind, value);
    secrets::open_keys(admin.keyring.as_deref(), kind, value);
}

/// Seals every secret of a resource. What is sealed with a key of ours already is the same afterwards.
pub fn seal_secrets(admin: &Admin, kind: Kind, value: &mut Value) {
    open_secrets(admin, kind, value);
    secrets::seal(&admin.registry, admin.keyring.as_deref(), kind, value);
}

/// The order in which resources can be made: what others refer to comes first.
pub fn order(kind: Kind, id: &Id) -> (usize, Id) {
    const FIRST: [Kind; 8] = [
        Kind::Ssl,
        Kind::Proto,
        Kind::Secret,
        Kind::Upstream,
        Kind::Service,
        Kind::PluginConfig,
        Kind::ConsumerGroup,
        Kind::Consumer,
    ];
    (FIRST.iter().position(|first| *first == kind).unwrap_or(FIRST.len()), id.clone())
}
