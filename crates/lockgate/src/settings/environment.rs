//! `${{NAME}}` and `${{NAME:=default}}` in the values of the settings become what the environment says.

use lockgate_store::variable::replaced;
use serde_json::Value;

use super::read::Report;

/// Replaces the variables in every text below a value. Mistakes go to the report, and so do the paths of the
/// texts that were changed.
pub(super) fn substitute(
    path: &str,
    value: &mut Value,
    env: &dyn Fn(&str) -> Option<String>,
    report: &mut Report,
) {
    match value {
        Value::String(text) => match replaced(text, env) {
            Ok(None) => {}
            Ok(Some(new)) => {
                *text = new;
                report.substituted.insert(path.to_owned());
            }
            Err(name) => {
                report.problem(path, format!("the environment variable {name} is not set"));
                *value = Value::Null;
            }
        },
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                substitute(&format!("{path}[{index}]"), item, env, report);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                substitute(&below, field, env, report);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
