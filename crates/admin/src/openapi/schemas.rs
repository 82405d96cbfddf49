//! The schemas of the document: what is written of each kind, what is read of it, and what it may have of plugins.

use lockgate_plugin::Registry;
use lockgate_resource::{Kind, secret_schema};
use serde_json::{Map, Value, json};

use super::operation::reference;
use super::type_name;

/// The keywords that say what a value is. All others say how it must be, which only who writes has to know.
const SHAPE: [&str; 9] = [
    "type",
    "description",
    "default",
    "properties",
    "items",
    "additionalProperties",
    "patternProperties",
    "anyOf",
    "$ref",
];

/// The times that the gateway sets itself.
const TIMES: [&str; 2] = ["create_time", "update_time"];

/// Every schema, by name.
pub(super) fn all(registry: &Registry) -> Map<String, Value> {
    let mut schemas = Map::new();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::StreamRoute) {
        let name = type_name(kind);
        let mut written = request(kind, registry);
        let mut read = answer(kind, &written);
        for (schema, upstream) in [(&mut written, "Upstream"), (&mut read, "UpstreamRead")] {
            if let Some(field) = schema.pointer_mut("/properties/upstream") {
                let description = field["description"].take();
                *field = reference(upstream);
                field["description"] = description;
            }
        }
        schemas.insert(format!("{name}Read"), read);
        schemas.insert(name.clone(), written);
        let envelopes = envelopes(&name);
        schemas.extend(envelopes);
    }
    for plugin in registry.names().into_iter().filter_map(|name| registry.get(name)) {
        schemas.insert(format!("plugin.{}", plugin.name()), modern(plugin.schema()));
        if let Some(metadata) = plugin.metadata_schema() {
            schemas.insert(format!("metadata.{}", plugin.name()), modern(metadata));
        }
    }
    schemas.extend(common());
    schemas
}

/// What is written of a kind.
fn request(kind: Kind, registry: &Registry) -> Value {
    let mut schema = match kind {
        Kind::Secret => {
            let managers = ["vault", "aws", "gcp"].into_iter().filter_map(secret_schema);
            let each = managers.map(|schema| modern(schema.as_value()));
            return json!({"type": "object", "anyOf": each.collect::<Value>()});
        }
        Kind::PluginMetadata => return json!({"type": "object", "anyOf": metadata(registry)}),
        kind => modern(kind.schema().as_value()),
    };
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        // It may stand in the path alone.
        required.retain(|name| name != "id");
    }
    for place in ["/properties", "/properties/upstream/properties"] {
        if let Some(Value::Object(fields)) = schema.pointer_mut(place) {
            fields.retain(|name, _| !TIMES.contains(&name.as_str()));
        }
    }
    if let Some(plugins) = schema.pointer_mut("/properties/plugins") {
        let named = registry.names().into_iter();
        let named = named.map(|name| (name.to_owned(), reference(&format!("plugin.{name}"))));
        plugins["properties"] = named.collect();
    }
    schema
}

/// The metadata of each plugin that has some.
fn metadata(registry: &Registry) -> Value {
    let mut all: Vec<_> = registry.names().into_iter().filter_map(|name| registry.get(name)).collect();
    all.retain(|plugin| plugin.metadata_schema().is_some());
    all.into_iter().map(|plugin| reference(&format!("metadata.{}", plugin.name()))).collect()
}

/// What is read of a kind: its shape, as secrets are sealed and others may have written it.
fn answer(kind: Kind, written: &Value) -> Value {
    let mut schema = match kind {
        Kind::Secret | Kind::PluginMetadata => json!({"type": "object", "properties": {}}),
        _ => shape(written),
    };
    if let Some(plugins) = schema.pointer_mut("/properties/plugins") {
        *plugins = json!({"type": "object", "description": "Its plugins, by name."});
    }
    for name in ["id"].into_iter().chain(TIMES).rev() {
        let time = json!({"type": "integer", "description": "In seconds since 1970. Set by the gateway."});
        let id = json!({"type": ["string", "integer"], "description": "Its id."});
        schema["properties"][name] = if name == "id" { id } else { time };
    }
    if let Some(fields) = schema.as_object_mut() {
        fields.remove("additionalProperties");
    }
    schema
}

fn shape(schema: &Value) -> Value {
    let Value::Object(keywords) = schema else { return schema.clone() };
    let each = keywords.iter().filter(|(name, _)| SHAPE.contains(&name.as_str()));
    let kept = each.filter_map(|(name, below)| {
        let below = match (name.as_str(), below) {
            ("properties" | "patternProperties", Value::Object(named)) => {
                named.iter().map(|(name, schema)| (name.clone(), shape(schema))).collect()
            }
            // A choice between lists of required fields is none of shapes.
            ("anyOf", Value::Array(choices)) if choices.iter().all(|choice| choice.get("type").is_some()) => {
                choices.iter().map(shape).collect()
            }
            ("anyOf", _) => return None,
            ("items" | "additionalProperties", below) => shape(below),
            (_, below) => below.clone(),
        };
        Some((name.clone(), below))
    });
    Value::Object(kept.collect())
}

/// A schema of draft 7 as `OpenAPI` 3.1 has it (2020-12).
fn modern(schema: &Value) -> Value {
    match schema {
        Value::Object(keywords) => {
            let mut modern = Map::new();
            for (name, below) in keywords {
                match name.as_str() {
                    "$schema" | "encrypt_fields" | "x-encrypt" => {}
                    "dependencies" => {
                        modern.insert("dependentSchemas".to_owned(), dependent(below));
                    }
                    _ => drop(modern.insert(name.clone(), self::modern(below))),
                }
            }
            Value::Object(modern)
        }
        Value::Array(items) => items.iter().map(modern).collect(),
        other => other.clone(),
    }
}

/// `dependencies` were lists of names, or schemas.
fn dependent(dependencies: &Value) -> Value {
    let each = dependencies.as_object().into_iter().flatten();
    let each = each.map(|(name, needs)| match needs {
        Value::Array(_) => (name.clone(), json!({"required": needs})),
        schema => (name.clone(), modern(schema)),
    });
    each.collect()
}

/// How a kind stands in answers.
fn envelopes(name: &str) -> [(String, Value); 3] {
    let value = reference(&format!("{name}Read"));
    let key = json!({"type": "string", "description": "Its key, as etcd has it."});
    let revision =
        |what: &str| json!({"type": "integer", "description": format!("The revision that {what} it.")});
    let entry = json!({
        "type": "object",
        "properties": {
            "key": key,
            "value": value,
            "createdIndex": revision("made"),
            "modifiedIndex": revision("changed"),
        },
        "required": ["key", "value", "createdIndex", "modifiedIndex"],
    });
    let warnings = json!({
        "type": "array",
        "items": {"type": "string"},
        "description": "What was accepted but probably not meant.",
    });
    let written = json!({
        "type": "object",
        "properties": {"key": key, "value": value, "warnings": warnings},
        "required": ["key", "value"],
    });
    let list = json!({
        "type": "object",
        "properties": {
            "list": {"type": "array", "items": reference(&format!("{name}Entry"))},
            "total": {"type": "integer", "description": "How many there are on all pages."},
        },
        "required": ["list", "total"],
    });
    [(format!("{name}Entry"), entry), (format!("{name}Written"), written), (format!("{name}List"), list)]
}

/// What belongs to no kind.
fn common() -> Map<String, Value> {
    let text = |description: &str| json!({"type": "string", "description": description});
    let error = json!({
        "type": "object",
        "properties": {
            "error_msg": text("What is wrong."),
            "message": text("The same, where a resource is not there."),
            "description": text("Why a key is refused."),
            "req_body": text("The body that is no JSON."),
            "errors": {"type": "array", "items": {"type": "object"}, "description": "What is wrong with each."},
        },
        "anyOf": [{"required": ["error_msg"]}, {"required": ["message"]}],
    });
    let refused = json!({
        "type": "object",
        "properties": {
            "key": text("Its key."),
            "modifiedIndex": {"type": "integer", "description": "The revision of it that was refused."},
            "reason": text("Why."),
        },
        "required": ["key", "modifiedIndex", "reason"],
    });
    let status = json!({
        "type": "object",
        "properties": {
            "version": text("That of the program."),
            "revision": {"type": "integer", "description": "The newest in the store."},
            "live": {"type": "integer", "description": "The one that is served."},
            "refused": {"type": "array", "items": refused, "description": "What could not be made live."},
        },
        "required": ["version", "revision", "live", "refused"],
    });
    let lists = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Credential);
    let lists =
        lists.map(|kind| (kind.plural().to_owned(), json!({"type": "array", "items": {"type": "object"}})));
    let deleted = json!({
        "type": "object",
        "properties": {"key": text("Its key."), "deleted": text("How many were deleted: 1.")},
        "required": ["key", "deleted"],
    });
    let all = [
        ("Configuration", json!({"type": "object", "properties": lists.collect::<Value>()})),
        ("Deleted", deleted),
        ("Error", error),
        ("Status", status),
        (
            "Username",
            json!({"type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[a-zA-Z0-9_-]+$"}),
        ),
    ];
    all.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}
