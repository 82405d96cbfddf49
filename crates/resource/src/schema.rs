//! JSON Schemas, and what does not fit one, said in APISIX's words.

use std::collections::HashMap;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::Value;

/// How many mistakes are looked at to find the one to name.
const MISTAKES: usize = 1000;

/// The keywords in the order in which APISIX looks at them: of several mistakes at one place, the first counts.
/// A missing property counts where it would have stood.
const ORDER: [&str; 30] = [
    "type",
    "properties",
    "required",
    "dependencies",
    "patternProperties",
    "additionalProperties",
    "minProperties",
    "maxProperties",
    "minItems",
    "maxItems",
    "items",
    "additionalItems",
    "uniqueItems",
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "exclusiveMinimum",
    "maximum",
    "exclusiveMaximum",
    "multipleOf",
    "enum",
    "allOf",
    "anyOf",
    "oneOf",
    "then",
    "else",
    "not",
    "propertyNames",
    "format",
];

/// A JSON Schema (draft 7), compiled once.
#[derive(Debug)]
pub struct Schema {
    source: Value,
    validator: Validator,
}

/// A JSON value that is no JSON Schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no valid schema")]
pub struct InvalidSchema(String);

impl Schema {
    /// Compiles a schema. Its patterns are matched in linear time: look-around and back-references are refused.
    pub fn compile(source: Value) -> Result<Self, InvalidSchema> {
        let validator = jsonschema::options()
            .with_draft(Draft::Draft7)
            .with_pattern_options(PatternOptions::regex())
            .should_validate_formats(true)
            .should_ignore_unknown_formats(true)
            .build(&source)
            .map_err(|error| InvalidSchema(error.to_string()))?;
        Ok(Self { source, validator })
    }

    /// The schema as it was written.
    pub fn as_value(&self) -> &Value {
        &self.source
    }

    /// Whether a value fits, and if not, what is wrong, in APISIX's words. Where several things are wrong, the
    /// one that APISIX would come to first is named, and properties come in the order of the schema. JSON types
    /// go by their JSON names (APISIX calls objects and arrays `table` and null `userdata`).
    pub fn check(&self, value: &Value) -> Result<(), String> {
        self.check_but(value, |_| false)
    }

    /// The same, but a reference to a secret fits wherever a text does: what it stands for is not known here.
    pub fn check_referring(&self, value: &Value) -> Result<(), String> {
        self.check_but(value, |error| {
            let is_text = !matches!(error.kind(), ValidationErrorKind::Type { .. });
            is_text && error.instance().as_str().is_some_and(crate::is_reference)
        })
    }

    fn check_but(
        &self,
        value: &Value,
        is_excused: impl Fn(&ValidationError<'_>) -> bool,
    ) -> Result<(), String> {
        if self.validator.is_valid(value) {
            return Ok(());
        }
        let mistakes = self.validator.iter_errors(value).filter(|error| !is_excused(error)).take(MISTAKES);
        match mistakes
            .map(|error| Mistake::of(&self.source, value, &error))
            .min_by(|a, b| a.rank.cmp(&b.rank))
        {
            Some(mistake) => Err(mistake.text),
            None => Ok(()),
        }
    }
}

struct Mistake {
    rank: Vec<usize>,
    text: String,
}

impl Mistake {
    /// Walks from the root of the schema to the keyword that was not met.
    fn of(root: &Value, value: &Value, error: &ValidationError<'_>) -> Self {
        let mut mistake = Self { rank: Vec::new(), text: String::new() };
        let mut schema = root;
        let mut places = error.instance_path().segments().map(|segment| segment.to_string());
        let mut path = error.evaluation_path().segments().map(|segment| segment.to_string()).peekable();
        while let Some(keyword) = path.next() {
            let part = &schema[&keyword];
            if keyword == "$ref" {
                schema =
                    part.as_str().and_then(|to| root.pointer(to.strip_prefix('#')?)).unwrap_or(&Value::Null);
                continue;
            }
            mistake.rank.push(ORDER.iter().position(|known| *known == keyword).unwrap_or(ORDER.len()));
            if path.peek().is_none() {
                break;
            }
            if keyword == "then" || keyword == "else" {
                mistake.text.push_str(&keyword);
                mistake.text.push_str(" clause did not match");
                return mistake;
            }
            schema = mistake.enter(&keyword, part, &mut path, &mut places);
        }
        let place = value.pointer(error.instance_path().as_str()).unwrap_or(value);
        mistake.finish(schema, place, error);
        mistake
    }

    /// Steps below a keyword that holds schemas.
    fn enter<'a>(
        &mut self,
        keyword: &str,
        part: &'a Value,
        path: &mut impl Iterator<Item = String>,
        places: &mut impl Iterator<Item = String>,
    ) -> &'a Value {
        let (prefix, index, below) = match keyword {
            "properties" | "patternProperties" | "dependencies" => {
                let name = path.next().unwrap_or_default();
                let prefix = match keyword {
                    "properties" => {
                        format!("property {} validation failed: ", quoted(&places.next().unwrap_or_default()))
                    }
                    "dependencies" => format!("failed to validate dependent schema for {}: ", quoted(&name)),
                    _ => format!(
                        "failed to validate {} (matching {}): ",
                        places.next().unwrap_or_default(),
                        quoted(&name)
                    ),
                };
                (prefix, position(part, &name), &part[&name])
            }
            "additionalProperties" => {
                let name = places.next().unwrap_or_default();
                (format!("failed to validate additional property {name}: "), 0, part)
            }
            "items" | "additionalItems" => {
                let index: usize = places.next().and_then(|index| index.parse().ok()).unwrap_or_default();
                let kind = if keyword == "items" { "item" } else { "additional item" };
                let below = if part.is_array() { path.next().map_or(part, |_| &part[index]) } else { part };
                (format!("failed to validate {kind} {}: ", index + 1), index, below)
            }
            _ => {
                let index: usize = path.next().and_then(|index| index.parse().ok()).unwrap_or_default();
                (format!("{keyword} {} failed: ", index + 1), index, &part[index])
            }
        };
        self.text.push_str(&prefix);
        self.rank.push(index);
        below
    }

    /// Says what is wrong with the value that was reached.
    fn finish(&mut self, schema: &Value, place: &Value, error: &ValidationError<'_>) {
        if let ValidationErrorKind::Required { property } = error.kind()
            && let Some(name) = property.as_str()
            && schema["properties"].get(name).is_some()
        {
            self.rank.pop();
            self.rank.extend([rank_of("properties"), position(&schema["properties"], name)]);
        }
        match error.kind() {
            // Of a schema that allows no property at all, the error names none.
            ValidationErrorKind::FalseSchema if schema["additionalProperties"] == Value::Bool(false) => {
                let found = place.as_object().and_then(|fields| fields.keys().next());
                self.text.push_str("additional properties forbidden, found ");
                self.text.push_str(found.map_or("", String::as_str));
            }
            _ => self.text.push_str(&words(schema, error)),
        }
    }
}

fn rank_of(keyword: &str) -> usize {
    ORDER.iter().position(|known| *known == keyword).unwrap_or(ORDER.len())
}

fn position(object: &Value, name: &str) -> usize {
    object.as_object().and_then(|fields| fields.keys().position(|field| field == name)).unwrap_or(usize::MAX)
}

fn words(schema: &Value, error: &ValidationError<'_>) -> String {
    use ValidationErrorKind as Wrong;
    let value = error.instance().as_ref();
    let range =
        |what: &str, limit: &Value| format!("expected {} to be {what} {}", number(value), number(limit));
    match error.kind() {
        Wrong::Type { kind: TypeKind::Single(expected) } => {
            format!("wrong type: expected {expected}, got {}", type_of(value))
        }
        Wrong::Type { kind: TypeKind::Multiple(expected) } => {
            let expected: Vec<_> = expected.iter().map(|kind| kind.to_string()).collect();
            format!("wrong type: expected one of {}, got {}", expected.join(", "), type_of(value))
        }
        Wrong::Required { property } => {
            format!("property {} is required", quoted(property.as_str().unwrap_or_default()))
        }
        Wrong::AdditionalProperties { unexpected } => {
            let first = unexpected.first().map_or("", String::as_str);
            format!("additional properties forbidden, found {first}")
        }
        Wrong::MinProperties { limit } => format!("expect object to have at least {limit} properties"),
        Wrong::MaxProperties { limit } => format!("expect object to have at most {limit} properties"),
        Wrong::MinItems { limit } => format!("expect array to have at least {limit} items"),
        Wrong::MaxItems { limit } => format!("expect array to have at most {limit} items"),
        Wrong::AdditionalItems { .. } => "found unexpected extra items in array".to_owned(),
        Wrong::UniqueItems => equal_items(value),
        Wrong::MinLength { limit } => {
            format!("string too short, expected at least {limit}, got {}", length(value))
        }
        Wrong::MaxLength { limit } => {
            format!("string too long, expected at most {limit}, got {}", length(value))
        }
        Wrong::Pattern { pattern } => {
            format!(
                "failed to match pattern {} with {}",
                quoted(pattern),
                quoted(value.as_str().unwrap_or_default())
            )
        }
        Wrong::Minimum { limit } => range("at least", limit),
        Wrong::ExclusiveMinimum { limit } => range("greater than", limit),
        Wrong::Maximum { limit } => range("at most", limit),
        Wrong::ExclusiveMaximum { limit } => range("smaller than", limit),
        Wrong::MultipleOf { multiple_of } => {
            format!("expected {} to be a multiple of {multiple_of}", number(value))
        }
        _ => words_of_choices(schema, error),
    }
}

fn words_of_choices(schema: &Value, error: &ValidationError<'_>) -> String {
    use ValidationErrorKind as Wrong;
    match error.kind() {
        Wrong::Enum { .. } => "matches none of the enum values".to_owned(),
        Wrong::AnyOf { .. } => {
            let choices = schema["anyOf"].as_array().into_iter().flatten();
            let required: Vec<_> =
                choices.filter_map(|choice| choice.get("required")).map(Value::to_string).collect();
            let colon = if required.is_empty() { "" } else { ": " };
            format!("object matches none of the required{colon}{}", required.join(" or "))
        }
        Wrong::OneOfNotValid { .. } => "value should match only one schema, but matches none".to_owned(),
        Wrong::OneOfMultipleValid { context } => {
            let mut fits = (1..).zip(context).filter(|(_, errors)| errors.is_empty()).map(|(index, _)| index);
            let (first, second) = (fits.next().unwrap_or(1), fits.next().unwrap_or(2));
            format!("value should match only one schema, but matches both schemas {first} and {second}")
        }
        Wrong::Not { .. } => "value wasn't supposed to match schema".to_owned(),
        Wrong::Constant { .. } => "failed to check const value".to_owned(),
        Wrong::Format { format } => {
            format!("expect valid {format} format but got: {}", error.instance().as_str().unwrap_or_default())
        }
        Wrong::FalseSchema => "expect false always".to_owned(),
        _ => format!("{} is not met", error.kind().keyword()),
    }
}

fn equal_items(value: &Value) -> String {
    let mut seen = HashMap::new();
    for (index, item) in (1..).zip(value.as_array().into_iter().flatten()) {
        if let Some(first) = seen.insert(item.to_string(), index) {
            return format!("expected unique items but items {first} and {index} are equal");
        }
    }
    "expected unique items".to_owned()
}

fn length(value: &Value) -> usize {
    value.as_str().map_or(0, |text| text.chars().count())
}

/// The name of a value's JSON type.
pub(crate) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A number without the `.0` that users did not mean.
fn number(value: &Value) -> String {
    let text = value.to_string();
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A text as Lua's `%q` writes it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\\n"))
}

#[cfg(test)]
mod tests;
