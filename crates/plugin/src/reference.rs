//! `$env://NAME` in the texts of a plugin's configuration becomes what the environment says. Secrets that a manager
//! has (`$secret://…`) stand in its place before a configuration comes here to be built.

use lockgate_resource::is_reference;
use serde_json::Value;

use crate::{BuildError, Secrets};

/// As APISIX has it, in any case of letters.
const PREFIX: &str = "$env://";

/// What a text that is `$env://NAME` or `$env://NAME/key` stands for, or why it stands for nothing; `None` for any
/// other text.
pub fn variable(text: &str, secrets: &dyn Secrets) -> Option<Result<String, String>> {
    name_of(text).map(|reference| look_up(reference, secrets))
}

/// Whether a text below a value is a secret of a manager, which is not at hand here.
pub(crate) fn has_remote(value: &Value) -> bool {
    match value {
        Value::String(text) => is_reference(text) && name_of(text).is_none(),
        Value::Array(items) => items.iter().any(has_remote),
        Value::Object(fields) => fields.values().any(has_remote),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The references of a configuration that were followed. Texts made of what they gave are shown with the
/// references in its place.
#[derive(Default)]
pub(crate) struct Followed(Vec<(String, String)>);

impl Followed {
    /// The text without what the references gave.
    pub(crate) fn mask(&self, mut text: String) -> String {
        for (value, reference) in &self.0 {
            text = text.replace(value, reference);
        }
        text
    }
}

/// Follows every reference below a value. `$env://NAME/key` is the text under `key` in a variable that holds a
/// JSON object.
pub(crate) fn follow(config: &mut Value, secrets: &dyn Secrets) -> Result<Followed, BuildError> {
    let mut followed = Followed::default();
    walk("", config, secrets, &mut followed)?;
    // A value that is part of another one would leave the rest of it to be read.
    followed.0.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
    Ok(followed)
}

fn walk(
    path: &str,
    value: &mut Value,
    secrets: &dyn Secrets,
    followed: &mut Followed,
) -> Result<(), BuildError> {
    match value {
        Value::String(text) => {
            if let Some(reference) = name_of(text) {
                let found = look_up(reference, secrets)
                    .map_err(|why| BuildError(format!("{path} refers to {text}, but {why}")))?;
                let reference = std::mem::replace(text, found);
                if !text.is_empty() {
                    followed.0.push((text.clone(), reference));
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                walk(&format!("{path}[{index}]"), item, secrets, followed)?;
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(&below, field, secrets, followed)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

fn name_of(text: &str) -> Option<&str> {
    let (prefix, name) = text.split_at_checked(PREFIX.len())?;
    prefix.eq_ignore_ascii_case(PREFIX).then_some(name)
}

fn look_up(reference: &str, secrets: &dyn Secrets) -> Result<String, String> {
    let (name, key) = match reference.split_once('/') {
        Some((name, key)) => (name, Some(key)),
        None => (reference, None),
    };
    let value = secrets.variable(name).ok_or_else(|| "there is no such variable".to_owned())?;
    let Some(key) = key else { return Ok(value) };
    let object: Value =
        serde_json::from_str(&value).map_err(|_| "the variable is not a JSON object".to_owned())?;
    match &object[key] {
        Value::String(text) => Ok(text.clone()),
        _ => Err(format!("the variable has no text under {key}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::follow;
    use crate::Secrets;

    struct Environment;

    impl Secrets for Environment {
        fn open(&self, _: &str) -> Option<String> {
            None
        }

        fn variable(&self, name: &str) -> Option<String> {
            match name {
                "KEY" => Some("of-the-environment".to_owned()),
                "PAIR" => Some(r#"{"id": "AKID", "count": 1}"#.to_owned()),
                "EMPTY" => Some(String::new()),
                _ => None,
            }
        }
    }

    #[test]
    fn every_text_may_be_a_reference() {
        let mut config = json!({"a": "$env://KEY", "b": {"c": ["$ENV://PAIR/id", "x $env://KEY", 1, null]},
            "d": "$Env://EMPTY", "é$env://": "$env:/"});
        follow(&mut config, &Environment).unwrap();
        let expected = json!({"a": "of-the-environment", "b": {"c": ["AKID", "x $env://KEY", 1, null]}, "d": "",
            "é$env://": "$env:/"});
        assert_eq!(config, expected);
    }

    #[test]
    fn a_reference_that_leads_nowhere_is_named_with_its_place() {
        let wrong = |text: &str| follow(&mut json!({"a": {"b": text}}), &Environment).err().unwrap().0;
        assert_eq!(wrong("$env://NONE"), "a.b refers to $env://NONE, but there is no such variable");
        assert!(wrong("$env://").contains("no such variable"));
        assert!(wrong("$env://KEY/x").ends_with("the variable is not a JSON object"));
        assert!(wrong("$env://PAIR/count").ends_with("the variable has no text under count"));
    }

    #[test]
    fn what_a_reference_gave_is_not_shown() {
        let followed = follow(&mut json!(["$env://KEY", "$env://EMPTY"]), &Environment).unwrap();
        assert_eq!(followed.mask("no of-the-environment here".to_owned()), "no $env://KEY here");
    }
}
