//! Seals the secret fields of a resource before it rests, and opens them for those who may read it.

use lockgate_plugin::Registry;
use lockgate_resource::Kind;
use lockgate_store::Keyring;
use serde_json::Value;

/// How a private key in PEM begins; a sealed one does not.
const PEM: &str = "---";
/// What stands for a secret where nobody may read it.
const MASKED: &str = "******";

/// Seals every secret field. A private key that is sealed already stays as it is.
pub(crate) fn seal(registry: &Registry, keyring: Option<&Keyring>, kind: Kind, value: &mut Value) {
    if let Some(keyring) = keyring {
        for_each(registry, kind, value, &|text| *text = keyring.seal(text));
        for_each_key(kind, value, &|key| {
            if key.starts_with(PEM) {
                *key = keyring.seal(key);
            }
        });
    }
}

/// Opens every secret field of plugins that is sealed with a key of ours.
pub(crate) fn open(registry: &Registry, keyring: Option<&Keyring>, kind: Kind, value: &mut Value) {
    if let Some(keyring) = keyring {
        for_each(registry, kind, value, &|text| {
            if let Some(opened) = keyring.open(text) {
                *text = opened;
            }
        });
    }
}

/// Opens every private key that is sealed with a key of ours.
pub(crate) fn open_keys(keyring: Option<&Keyring>, kind: Kind, value: &mut Value) {
    for_each_key(kind, value, &|key| {
        let sealed = Some(&*key).filter(|key| !key.starts_with(PEM));
        if let Some(opened) = sealed.and_then(|sealed| keyring?.open(sealed)) {
            *key = opened;
        }
    });
}

/// Takes away the private keys of certificates, sealed or not.
pub(crate) fn drop_keys(kind: Kind, value: &mut Value) {
    if let Some(fields) = value.as_object_mut().filter(|_| kind == Kind::Ssl) {
        fields.retain(|name, _| name != "key" && name != "keys");
    }
}

/// Takes away the text of every private key that is not sealed, for answers.
pub(crate) fn hide_keys(kind: Kind, value: &mut Value) {
    for_each_key(kind, value, &|key| {
        if key.starts_with(PEM) {
            MASKED.clone_into(key);
        }
    });
}

/// Puts asterisks in the place of every secret of a resource, sealed or not.
pub fn mask(registry: &Registry, kind: Kind, value: &mut Value) {
    let cover = |text: &mut String| MASKED.clone_into(text);
    for_each(registry, kind, value, &cover);
    for_each_key(kind, value, &cover);
}

fn for_each_key(kind: Kind, value: &mut Value, change: &dyn Fn(&mut String)) {
    let mut at = |place: &str| match value.pointer_mut(place) {
        Some(Value::String(key)) => change(key),
        Some(Value::Array(keys)) => keys.iter_mut().for_each(|key| {
            if let Value::String(key) = key {
                change(key);
            }
        }),
        _ => {}
    };
    match kind {
        Kind::Ssl => ["/key", "/keys"].into_iter().for_each(&mut at),
        Kind::Upstream => at("/tls/client_key"),
        Kind::Route | Kind::Service => at("/upstream/tls/client_key"),
        _ => {}
    }
}

fn for_each(registry: &Registry, kind: Kind, value: &mut Value, change: &dyn Fn(&mut String)) {
    if kind == Kind::PluginMetadata {
        let plugin = value.get("id").and_then(Value::as_str).and_then(|name| registry.get(name));
        if let Some((plugin, schema)) = plugin.and_then(|plugin| Some((plugin, plugin.metadata_schema()?))) {
            for field in plugin.metadata_secret_fields() {
                at(schema, value, &field.split('.').collect::<Vec<_>>(), change);
            }
        }
        return;
    }
    for (name, config) in value.get_mut("plugins").and_then(Value::as_object_mut).into_iter().flatten() {
        let Some(plugin) = registry.get(name) else {
            continue;
        };
        for field in plugin.secret_fields() {
            at(plugin.schema(), config, &field.split('.').collect::<Vec<_>>(), change);
        }
    }
}

/// Changes what is at a path, under the name of each field and under its alias.
fn at(schema: &Value, value: &mut Value, path: &[&str], change: &dyn Fn(&mut String)) {
    let Some((name, rest)) = path.split_first() else {
        if let Value::String(text) = value {
            change(text);
        }
        return;
    };
    let below = &schema["properties"][name];
    for name in [Some(*name), below["x-alias"].as_str()].into_iter().flatten() {
        if let Some(value) = value.get_mut(name) {
            at(below, value, rest, change);
        }
    }
}
