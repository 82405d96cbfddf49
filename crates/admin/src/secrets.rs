//! Seals the secret fields of a resource before it rests, and opens them for those who may read it.

use lockgate_plugin::Registry;
use lockgate_resource::Kind;
use lockgate_store::Keyring;
use serde_json::Value;

/// Seals every secret field.
pub(crate) fn seal(registry: &Registry, keyring: Option<&Keyring>, kind: Kind, value: &mut Value) {
    if let Some(keyring) = keyring {
        for_each(registry, kind, value, &|text| *text = keyring.seal(text));
    }
}

/// Opens every secret field that is sealed with a key of ours.
pub(crate) fn open(registry: &Registry, keyring: Option<&Keyring>, kind: Kind, value: &mut Value) {
    if let Some(keyring) = keyring {
        for_each(registry, kind, value, &|text| {
            if let Some(opened) = keyring.open(text) {
                *text = opened;
            }
        });
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
    let key = |upstream: &mut Value| {
        if let Some(Value::String(key)) = upstream.pointer_mut("/tls/client_key") {
            change(key);
        }
    };
    key(value);
    value.get_mut("upstream").map(key);
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
