//! Documents as text: YAML that ends with `#END`, or JSON.

use serde_json::{Map, Value};

use crate::variable::replaced;

/// What the last line of a YAML document has to be, so that half a file is not taken for a whole one.
const END: &str = "#END";
/// Values of a YAML document at most, and the events they are made of: 100,000 routes have about two million.
const MOST_NODES: usize = 20_000_000;
const MOST_EVENTS: usize = 60_000_000;

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `apisix.yaml`, with `#END` at its end.
    Yaml,
    /// `apisix.json`.
    Json,
}

impl Format {
    /// The name of the file beside `config.yaml`.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Yaml => "apisix.yaml",
            Self::Json => "apisix.json",
        }
    }

    /// Reads a file's text, with what the environment says in place of `${{NAME}}`. In YAML quotes decide whether that
    /// is a text; in JSON a number or a truth value becomes one.
    pub fn read(self, text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Value, String> {
        match self {
            Self::Yaml => {
                if !text.trim_end().ends_with(END) {
                    return Err("its last line is not #END, so it may not be whole".to_owned());
                }
                match with_environment(text, env)? {
                    Some(text) => from_yaml(&text),
                    None => from_yaml(text),
                }
            }
            Self::Json => {
                let mut value = from_json(text.as_bytes())?;
                substitute("", &mut value, env)?;
                Ok(value)
            }
        }
    }
}

/// Reads YAML; `#END` is a comment. The error names the line.
pub fn from_yaml(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: MOST_NODES,
            max_events: MOST_EVENTS,
            max_total_scalar_bytes: usize::MAX,
        },
    };
    serde_saphyr::from_str_with_options::<Option<Value>>(text, options)
        .map(Option::unwrap_or_default)
        .map_err(|error| format!("it is not YAML: {}", error.without_snippet()))
}

/// Reads JSON. The error names the line.
pub fn from_json(text: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(text).map_err(|error| format!("it is not JSON: {error}"))
}

/// Writes YAML that reads back as it was.
pub fn to_yaml(document: &Value) -> Result<String, String> {
    let plain = serde_saphyr::to_string(document).map_err(|error| error.to_string())?;
    if from_yaml(&plain).as_ref() == Ok(document) {
        return Ok(plain);
    }
    let options = serde_saphyr::ser_options! { quote_all: true };
    let quoted =
        serde_saphyr::to_string_with_options(document, options).map_err(|error| error.to_string())?;
    match from_yaml(&quoted) {
        Ok(read) if read == *document => Ok(quoted),
        // JSON is YAML.
        _ => Ok(format!("{document:#}\n")),
    }
}

fn with_environment(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<String>, String> {
    replaced(text, env).map_err(|name| {
        let mut lines = text.lines().enumerate();
        let line = lines.find(|(_, line)| replaced(line, env).is_err()).map_or(1, |(number, _)| number + 1);
        format!("line {line}: the environment variable {name} is not set")
    })
}

fn substitute(path: &str, value: &mut Value, env: &dyn Fn(&str) -> Option<String>) -> Result<(), String> {
    let unset = |path: &str, name: String| format!("{path}: the environment variable {name} is not set");
    match value {
        Value::String(text) => {
            if let Some(new) = replaced(text, env).map_err(|name| unset(path, name))? {
                let plain = serde_json::from_str(&new).ok();
                let plain = plain.filter(|value: &Value| value.is_number() || value.is_boolean());
                *value = plain.unwrap_or(Value::String(new));
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                substitute(&format!("{path}[{at}]"), item, env)?;
            }
        }
        Value::Object(fields) => {
            let mut new = Map::new();
            for (key, mut field) in std::mem::take(fields) {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                substitute(&below, &mut field, env)?;
                let renamed = replaced(&key, env).map_err(|name| unset(&below, name))?;
                new.insert(renamed.unwrap_or(key), field);
            }
            *fields = new;
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}
