//! The JSON Schema of each kind, derived from its type and built once.

use std::sync::LazyLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::{
    AwsSecrets, Consumer, ConsumerGroup, Credential, GcpSecrets, GlobalRule, Kind, PluginConfig, Proto,
    Route, Schema, Service, Ssl, StreamRoute, Upstream, VaultSecrets,
};

static SCHEMAS: LazyLock<[Schema; Kind::ALL.len()]> = LazyLock::new(|| Kind::ALL.map(source).map(compiled));
static SECRETS: LazyLock<[(&str, Schema); 3]> = LazyLock::new(|| {
    let gcp = with(derived::<GcpSecrets>(), "oneOf", json!([needs(&["auth_config"]), needs(&["auth_file"])]));
    [("vault", derived::<VaultSecrets>()), ("aws", derived::<AwsSecrets>()), ("gcp", gcp)]
        .map(|(manager, schema)| (manager, compiled(schema)))
});

impl Kind {
    /// The JSON Schema of a kind, as `GET /apisix/admin/schema/routes` shows it.
    pub fn schema(self) -> &'static Schema {
        &SCHEMAS[self as usize]
    }
}

/// The JSON Schema of the secrets of a manager: `vault`, `aws` or `gcp`.
pub fn secret_schema(manager: &str) -> Option<&'static Schema> {
    SECRETS.iter().find(|(name, _)| *name == manager).map(|(_, schema)| schema)
}

fn source(kind: Kind) -> Value {
    let named = |schema| with(schema, "required", json!(["id", "plugins"]));
    match kind {
        Kind::Route => route(),
        Kind::Service => service(),
        Kind::Upstream => upstream(),
        Kind::PluginMetadata | Kind::Secret => open(),
        Kind::Ssl => ssl(),
        Kind::GlobalRule => named(derived::<GlobalRule>()),
        Kind::PluginConfig => named(derived::<PluginConfig>()),
        Kind::Consumer => derived::<Consumer>(),
        Kind::Credential => derived::<Credential>(),
        Kind::ConsumerGroup => named(derived::<ConsumerGroup>()),
        Kind::Proto => derived::<Proto>(),
        Kind::StreamRoute => stream_route(),
    }
}

fn with(mut schema: Value, keyword: &str, value: Value) -> Value {
    schema[keyword] = value;
    schema
}

fn needs(names: &[&str]) -> Value {
    json!({"required": names})
}

fn compiled(schema: Value) -> Schema {
    Schema::compile(schema).expect("tests compile the schema of each kind")
}

fn derived<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    tidy(&mut schema);
    if let Some(object) = schema.as_object_mut() {
        object.remove("title");
    }
    schema
}

fn route() -> Value {
    let mut schema = derived::<Route>();
    close_upstream(&mut schema["properties"]["upstream"]);
    let either = |one: &str, many: &str| {
        let neither = json!({"not": {"anyOf": [{"required": [one]}, {"required": [many]}]}});
        json!({"oneOf": [neither, {"required": [one]}, {"required": [many]}]})
    };
    let path = json!({"oneOf": [{"required": ["uri"]}, {"required": ["uris"]}]});
    schema["allOf"] = json!([path, either("host", "hosts"), either("remote_addr", "remote_addrs")]);
    let what = ["plugins", "upstream", "upstream_id", "service_id"];
    let with = |path: &'static str| what.map(|what| json!({"required": [what, path]}));
    let lua = ["uri", "uris"].map(|path| json!({"required": ["script", path]}));
    schema["anyOf"] = with("uri").into_iter().chain(with("uris")).chain(lua).collect();
    schema
}

fn upstream() -> Value {
    let mut schema = derived::<Upstream>();
    close_upstream(&mut schema);
    schema
}

fn service() -> Value {
    let mut schema = derived::<Service>();
    close_upstream(&mut schema["properties"]["upstream"]);
    schema
}

fn stream_route() -> Value {
    let mut schema = derived::<StreamRoute>();
    close_upstream(&mut schema["properties"]["upstream"]);
    schema
}

/// What has to be there depends on what the certificate is for.
fn ssl() -> Value {
    let mut schema = derived::<Ssl>();
    if let Some(fields) = schema.as_object_mut() {
        fields.remove("required");
    }
    schema["if"] = json!({"properties": {"type": {"enum": ["server"]}}});
    schema["then"] = json!({"oneOf": [needs(&["sni", "key", "cert"]), needs(&["snis", "key", "cert"])]});
    schema["else"] = needs(&["key", "cert"]);
    schema
}

/// What may be written is said elsewhere: by the schema of a plugin, or of a secret manager.
fn open() -> Value {
    json!({"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]})
}

fn close_upstream(schema: &mut Value) {
    schema["oneOf"] = json!([{"required": ["nodes"]}, {"required": ["service_name", "discovery_type"]}]);
}

/// Writes what Rust made of a field as users know it: `Option<T>` is `T`, and no sizes of integers.
fn tidy(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    let nothing = [json!({}), json!([]), Value::Null];
    if object.get("default").is_some_and(|default| nothing.contains(default)) {
        object.remove("default");
    }
    if let Some(Value::String(words)) = object.get_mut("description") {
        *words = words.replace('\n', " ");
    }
    let is_integer = object.get("format").is_some_and(|format| format != "ipv4" && format != "ipv6");
    if is_integer {
        object.remove("format");
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if object.get("anyOf").and_then(Value::as_array).is_some_and(|choices| choices.iter().any(is_null)) {
        lift_only_choice(object);
    }
    for (keyword, below) in object {
        match below {
            Value::Object(named) if keyword == "properties" || keyword == "patternProperties" => {
                named.values_mut().for_each(tidy);
            }
            Value::Object(_) => tidy(below),
            Value::Array(items) => items.iter_mut().for_each(tidy),
            _ => {}
        }
    }
}

fn is_null(schema: &Value) -> bool {
    schema == &json!({"type": "null"})
}

fn lift_only_choice(object: &mut Map<String, Value>) {
    let Some(Value::Array(mut choices)) = object.remove("anyOf") else {
        return;
    };
    choices.retain(|choice| !is_null(choice));
    match choices.as_mut_slice() {
        [Value::Object(only)] => {
            for (name, value) in std::mem::take(only) {
                object.entry(name).or_insert(value);
            }
        }
        _ => drop(object.insert("anyOf".to_owned(), Value::Array(choices))),
    }
}

/// Turns `oneOf` constants, each with a description, into one `enum`.
pub(crate) fn plain_choices(schema: &mut schemars::Schema) {
    let Some(Value::Array(choices)) = schema.remove("oneOf") else {
        return;
    };
    let names: Vec<Value> =
        choices.into_iter().filter_map(|mut choice| choice.get_mut("const").map(Value::take)).collect();
    schema.insert("type".to_owned(), json!("string"));
    schema.insert("enum".to_owned(), Value::Array(names));
}
