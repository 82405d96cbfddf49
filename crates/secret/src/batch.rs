//! What is asked for by one call: the secrets of one manager that lie in one place, so that they are of one time.

use std::sync::Arc;

use lockgate_resource::Secret;
use serde_json::Value;

use crate::call::Caller;
use crate::{Reference, aws, vault};

/// What came of each secret that was asked for.
pub(crate) type Outcomes = Vec<(Reference, Result<String, String>)>;

/// References that one call answers.
pub(crate) struct Batch {
    pub(crate) manager: Arc<Secret>,
    pub(crate) references: Vec<Reference>,
}

/// Where a secret lies at its manager: those of one place are asked for together.
pub(crate) fn place<'a>(manager: &Secret, reference: &'a Reference) -> &'a str {
    match manager {
        Secret::Vault(_) => vault::split(reference.key()).map_or(reference.key(), |(path, _)| path),
        Secret::Aws(_) | Secret::Gcp(_) => reference.key(),
    }
}

/// Asks.
pub(crate) async fn fetch(caller: &Caller, batch: Batch) -> Outcomes {
    match &*batch.manager {
        Secret::Vault(vault) => {
            let mut read = None;
            let mut outcomes = Vec::with_capacity(batch.references.len());
            for reference in batch.references {
                let outcome = match vault::split(reference.key()) {
                    None => Err(format!("{} is not PATH/KEY", reference.key())),
                    Some((path, name)) => {
                        if read.is_none() {
                            read = Some(vault::read(caller, vault, path).await);
                        }
                        let data = read.clone().unwrap_or_else(|| Ok(Value::Null));
                        data.and_then(|data| vault::pick(&data, name))
                    }
                };
                outcomes.push((reference, outcome));
            }
            outcomes
        }
        Secret::Aws(aws) => {
            let mut outcomes = Vec::with_capacity(batch.references.len());
            for reference in batch.references {
                let outcome = aws::read(caller, aws, reference.key()).await;
                outcomes.push((reference, outcome));
            }
            outcomes
        }
        Secret::Gcp(_) => {
            let refuse = |reference| (reference, Err("secrets of gcp are not fetched yet".to_owned()));
            batch.references.into_iter().map(refuse).collect()
        }
    }
}

/// A value of a JSON object as a text, where it is one or stands for one.
pub(crate) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is) => Some(is.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
