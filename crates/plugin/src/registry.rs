//! The plugins there are: by name, with the schema, the check and the builder of each.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockgate_resource::Schema;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::consumer::ConsumerType;
use crate::erased::Erased;
use crate::metadata::MetadataType;
use crate::{BuildContext, BuildError, Plugin, Secrets, meta, reference};

/// Builds a plugin from its configuration.
type Build = fn(Value, &BuildContext) -> Result<Arc<dyn Erased>, BuildError>;

/// A plugin of this program.
pub struct Registered {
    name: &'static str,
    priority: i32,
    schema: Value,
    validator: Schema,
    secret_fields: Vec<String>,
    build: Build,
    warnings: fn(Value) -> Vec<String>,
    metadata: RegisteredMetadata,
    consumer: Option<RegisteredConsumer>,
}

/// What consumers may write of a plugin of authentication.
struct RegisteredConsumer {
    schema: Value,
    validator: Schema,
    secret_fields: Vec<String>,
    read: fn(&Value) -> Result<(), String>,
    key: &'static str,
}

/// What may be written as the metadata of a plugin.
struct RegisteredMetadata {
    schema: Option<Value>,
    validator: Schema,
    secret_fields: Vec<String>,
    read: fn(&Value) -> Result<(), String>,
}

impl Registered {
    /// As users write it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Higher runs earlier.
    pub fn priority(&self) -> i32 {
        self.priority
    }

    /// The JSON Schema of its configuration, with `_meta` and `encrypt_fields`.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// The fields that are sealed at rest, as dotted paths: `authorization.iam.secretkey`.
    pub fn secret_fields(&self) -> &[String] {
        &self.secret_fields
    }

    /// Whether it finds out who calls.
    pub fn is_auth(&self) -> bool {
        self.consumer.is_some()
    }

    /// The JSON Schema of what consumers write for it, where it finds out who calls.
    pub fn consumer_schema(&self) -> Option<&Value> {
        self.consumer.as_ref().map(|consumer| &consumer.schema)
    }

    /// The field by which it tells consumers apart.
    pub fn consumer_key(&self) -> Option<&'static str> {
        self.consumer.as_ref().map(|consumer| consumer.key)
    }

    /// The JSON Schema of its metadata, where it has any.
    pub fn metadata_schema(&self) -> Option<&Value> {
        self.metadata.schema.as_ref()
    }

    /// The fields of its metadata that are sealed at rest, as dotted paths.
    pub fn metadata_secret_fields(&self) -> &[String] {
        &self.metadata.secret_fields
    }

    /// Builds it; `config` is without `_meta`.
    pub(crate) fn build(&self, config: &Value, cx: &BuildContext) -> Result<Arc<dyn Erased>, BuildError> {
        let mut config = self.aliased(config);
        open(&mut config, &self.secret_fields, &*cx.secrets);
        let followed = reference::follow(&mut config, &*cx.secrets)?;
        (self.build)(config, cx).map_err(|error| BuildError(followed.mask(error.0)))
    }
}

/// The plugins there are.
#[derive(Default)]
pub struct Registry {
    plugins: BTreeMap<&'static str, Registered>,
}

impl Registry {
    /// A registry with no plugin.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a plugin.
    ///
    /// # Panics
    /// When the schema of its configuration type is no valid JSON Schema, which its first test shows.
    #[must_use]
    pub fn with<P: Plugin>(mut self) -> Self {
        let registered = register::<P>();
        self.plugins.insert(P::NAME, registered);
        self
    }

    /// The names, highest priority first.
    pub fn names(&self) -> Vec<&'static str> {
        let mut all: Vec<_> = self.plugins.values().collect();
        all.sort_by_key(|plugin| (-i64::from(plugin.priority), plugin.name));
        all.into_iter().map(Registered::name).collect()
    }

    /// A plugin by name.
    pub fn get(&self, name: &str) -> Option<&Registered> {
        self.plugins.get(name)
    }

    /// Checks a configuration as users write it, and builds it once for trial: a bad regular expression or URI
    /// is refused now, not at the first request. It answers with what is accepted but probably not meant.
    pub fn check(&self, name: &str, config: &Value, cx: &BuildContext) -> Result<Vec<String>, String> {
        let plugin = self.get(name).ok_or_else(|| format!("unknown plugin [{name}]"))?;
        let mut shown = plugin.aliased(config);
        let meta = shown.as_object_mut().and_then(|fields| fields.shift_remove("_meta"));
        let followed = reference::follow(&mut shown, &*cx.secrets).map_err(|error| error.0)?;
        if let (Some(meta), Some(fields)) = (meta, shown.as_object_mut()) {
            fields.insert("_meta".to_owned(), meta);
        }
        if reference::has_remote(&shown) {
            // It is built when its secrets have been fetched.
            plugin.validator.check_referring(&shown).map_err(|why| followed.mask(why))?;
            meta::split(config.clone())?;
            let mut warnings = Vec::new();
            unknown_fields(&plugin.schema, &shown, name, &mut warnings);
            return Ok(warnings);
        }
        plugin.validator.check(&shown).map_err(|why| followed.mask(why))?;
        let (meta, bare) = meta::split(config.clone())?;
        drop(meta);
        plugin.build(&bare, cx).map_err(|error| error.0)?;
        let mut warnings = Vec::new();
        unknown_fields(&plugin.schema, &shown, name, &mut warnings);
        let (_, shown) = meta::split(shown)?;
        warnings.extend((plugin.warnings)(shown).into_iter().map(|warning| followed.mask(warning)));
        Ok(warnings)
    }
}

impl Registry {
    /// Checks the metadata of a plugin as users write it, and answers with what plugins get of it: secrets opened,
    /// references followed.
    pub fn metadata(&self, name: &str, written: &Value, secrets: &dyn Secrets) -> Result<Value, String> {
        let metadata = &self.get(name).ok_or_else(|| format!("unknown plugin [{name}]"))?.metadata;
        let mut value = written.clone();
        open(&mut value, &metadata.secret_fields, secrets);
        let followed = reference::follow(&mut value, secrets).map_err(|error| error.0)?;
        if reference::has_remote(&value) {
            metadata.validator.check_referring(&value).map_err(|why| followed.mask(why))?;
            return Ok(value);
        }
        let checked = metadata.validator.check(&value).and_then(|()| (metadata.read)(&value));
        checked.map_err(|why| followed.mask(why))?;
        Ok(value)
    }
}

impl Registry {
    /// Checks what a consumer wrote for a plugin of authentication, and answers with its key and with what the plugin
    /// gets of it: secrets opened, references followed. `None` where a secret of a manager is not at hand.
    pub fn credential(
        &self,
        name: &str,
        written: &Value,
        secrets: &dyn Secrets,
    ) -> Result<Option<(String, Value)>, String> {
        let plugin = self.get(name).ok_or_else(|| format!("unknown plugin [{name}]"))?;
        let consumer = plugin.consumer.as_ref().ok_or_else(|| format!("{name} does not authenticate"))?;
        let (_, mut value) = meta::split(written.clone())?;
        open(&mut value, &consumer.secret_fields, secrets);
        let followed = reference::follow(&mut value, secrets).map_err(|error| error.0)?;
        if reference::has_remote(&value) {
            consumer.validator.check_referring(&value).map_err(|why| followed.mask(why))?;
            return Ok(None);
        }
        let checked = consumer.validator.check(&value).and_then(|()| (consumer.read)(&value));
        checked.map_err(|why| followed.mask(why))?;
        let key = value[consumer.key].as_str().unwrap_or_default().to_owned();
        Ok(Some((key, value)))
    }
}

fn open(config: &mut Value, secret_fields: &[String], secrets: &dyn Secrets) {
    for field in secret_fields {
        if let Some(Value::String(text)) = at_path_mut(config, field)
            && let Some(opened) = secrets.open(text)
        {
            *text = opened;
        }
    }
}

impl Registered {
    /// The configuration with every alias replaced by the name it stands for, as the schema knows only names.
    fn aliased(&self, config: &Value) -> Value {
        let mut config = config.clone();
        rename(&self.schema, &mut config);
        config
    }
}

fn rename(schema: &Value, config: &mut Value) {
    let (Some(properties), Value::Object(fields)) = (schema["properties"].as_object(), config) else {
        return;
    };
    for (name, schema) in properties {
        let alias = schema["x-alias"].as_str();
        if let Some(value) =
            alias.filter(|_| !fields.contains_key(name)).and_then(|alias| fields.remove(alias))
        {
            fields.insert(name.clone(), value);
        }
        if let Some(value) = fields.get_mut(name) {
            rename(schema, value);
        }
    }
}

/// The JSON Schema of what users write in a type, and its fields that are sealed at rest.
pub(crate) fn derive<T: JsonSchema>() -> (Value, Vec<String>) {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    let mut secret_fields = Vec::new();
    tidy(&mut schema, "", &mut secret_fields);
    if let Some(root) = schema.as_object_mut() {
        root.remove("title");
        root.entry("properties").or_insert_with(|| json!({}));
        if !secret_fields.is_empty() {
            root.insert("encrypt_fields".into(), json!(secret_fields));
        }
    }
    (schema, secret_fields)
}

/// A field of metadata that nobody reads is refused: nothing else would show that it has no effect.
fn register_metadata(metadata: Option<MetadataType>) -> RegisteredMetadata {
    let Some(metadata) = metadata else {
        let validator = Schema::compile(json!({"type": "object", "additionalProperties": false}));
        let validator = validator.expect("this schema is valid");
        return RegisteredMetadata { schema: None, validator, secret_fields: Vec::new(), read: |_| Ok(()) };
    };
    let (mut schema, secret_fields) = (metadata.schema)();
    schema["additionalProperties"] = json!(false);
    let validator = Schema::compile(schema.clone()).expect("a derived schema is valid");
    RegisteredMetadata { schema: Some(schema), validator, secret_fields, read: metadata.read }
}

fn register_consumer(consumer: &ConsumerType) -> RegisteredConsumer {
    let (schema, secret_fields) = (consumer.schema)();
    let validator = Schema::compile(schema.clone()).expect("a derived schema is valid");
    RegisteredConsumer { schema, validator, secret_fields, read: consumer.read, key: consumer.key }
}

fn register<P: Plugin>() -> Registered {
    let (mut schema, mut secret_fields) = derive::<P::Config>();
    let consumer = P::consumer().as_ref().map(register_consumer);
    // Both are sealed by the name of the plugin alone, wherever it stands.
    secret_fields.extend(consumer.iter().flat_map(|consumer| consumer.secret_fields.iter().cloned()));
    schema["properties"]["_meta"] = meta::schema();
    let validator = Schema::compile(schema.clone()).expect("a derived schema is valid");
    Registered {
        name: P::NAME,
        priority: P::PRIORITY,
        schema,
        validator,
        secret_fields,
        build: |config, cx| {
            let config = serde_json::from_value(config).map_err(|error| BuildError(error.to_string()))?;
            Ok(Arc::new(P::build(config, cx)?))
        },
        warnings: |config| serde_json::from_value(config).map_or(Vec::new(), |config| P::warnings(&config)),
        metadata: register_metadata(P::metadata()),
        consumer,
    }
}

/// Collects the fields marked `x-encrypt`, and writes `Option<T>` as users know it: `T`, not `T or null`.
fn tidy(schema: &mut Value, path: &str, secret_fields: &mut Vec<String>) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if object.remove("x-encrypt").is_some() {
        secret_fields.push(path.to_owned());
    }
    object.remove("format");
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
        choices.retain(|choice| choice["type"] != "null");
        if let [only] = choices.as_slice() {
            let Value::Object(only) = only.clone() else { return };
            object.remove("anyOf");
            merge(object, only);
        }
    }
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        for (name, schema) in properties {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            tidy(schema, &path, secret_fields);
        }
    }
}

fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (name, value) in from {
        into.entry(name).or_insert(value);
    }
}

fn unknown_fields(schema: &Value, config: &Value, path: &str, warnings: &mut Vec<String>) {
    let (Some(properties), Some(fields)) = (schema["properties"].as_object(), config.as_object()) else {
        return;
    };
    if schema.get("additionalProperties").is_some_and(|more| more != &json!(false)) {
        return;
    }
    for (name, value) in fields {
        let path = format!("{path}.{name}");
        match properties.get(name) {
            Some(schema) => unknown_fields(schema, value, &path, warnings),
            None => warnings.push(format!("unknown field {path} has no effect")),
        }
    }
}

/// The value at a dotted path.
pub fn at_path_mut<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.').try_fold(value, |value, name| value.get_mut(name))
}
