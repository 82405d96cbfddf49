//! Secrets of `HashiCorp` Vault, in version 1 or 2 of its key-value engine.

use std::fmt::Write;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use lockgate_resource::VaultSecrets;
use serde_json::Value;

use crate::batch::as_text;
use crate::call::{Answer, Caller};

/// The most of Vault's own words that is repeated, in characters.
const QUOTED: usize = 200;

/// The path of a secret, and the name in it, of the key of a reference.
pub(crate) fn split(key: &str) -> Option<(&str, &str)> {
    key.rsplit_once('/').filter(|(path, name)| !path.is_empty() && !name.is_empty())
}

/// What is at a path.
pub(crate) async fn read(caller: &Caller, vault: &VaultSecrets, path: &str) -> Result<Value, String> {
    let place = encoded(&format!("{}/{path}", vault.prefix.trim_matches('/')));
    let uri = format!("{}/v1/{place}", vault.uri.trim_end_matches('/'));
    let mut request =
        Request::get(uri).header("x-vault-token", &vault.token).header("x-vault-request", "true");
    if let Some(namespace) = &vault.namespace {
        request = request.header("x-vault-namespace", namespace);
    }
    let request = request.body(Full::new(Bytes::new())).map_err(|error| error.to_string())?;
    let answer = caller.call(request).await?;
    let found: Option<Value> = serde_json::from_slice(&answer.body).ok();
    if answer.status != StatusCode::OK {
        return Err(refusal(&answer, found.as_ref()));
    }
    let data = found.map(|mut found| found["data"].take()).filter(Value::is_object);
    data.map(latest).ok_or_else(|| "the answer of Vault has no data".to_owned())
}

/// The text under a name.
pub(crate) fn pick(data: &Value, name: &str) -> Result<String, String> {
    data.get(name).and_then(as_text).ok_or_else(|| format!("the secret has no text under {name}"))
}

/// Version 2 has what was written beside what is known of it.
fn latest(mut data: Value) -> Value {
    let is_second = data.as_object().is_some_and(|fields| fields.len() == 2)
        && data["data"].is_object()
        && data["metadata"].is_object();
    if is_second { data["data"].take() } else { data }
}

fn refusal(answer: &Answer, body: Option<&Value>) -> String {
    if answer.status == StatusCode::NOT_FOUND {
        return "Vault has no such secret".to_owned();
    }
    let words =
        body.and_then(|body| body["errors"].as_array()).into_iter().flatten().filter_map(Value::as_str);
    let words: Vec<&str> = words.collect();
    let words: String = words.join(", ").chars().take(QUOTED).collect();
    format!("Vault answers {} {words}", answer.status.as_u16()).trim_end().to_owned()
}

/// A path with everything in percent-encoding that has a meaning elsewhere.
fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // A text takes whatever is written into it.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{encoded, latest, pick, split};

    #[test]
    fn the_last_part_of_a_key_is_the_name() {
        assert_eq!(split("a/b/c"), Some(("a/b", "c")));
        assert!(["a", "/a", "a/"].into_iter().all(|key| split(key).is_none()));
    }

    #[test]
    fn both_versions_of_the_engine_are_read() {
        assert_eq!(latest(json!({"key": "v"})), json!({"key": "v"}));
        assert_eq!(latest(json!({"data": {"key": "v"}, "metadata": {}})), json!({"key": "v"}));
        assert_eq!(latest(json!({"data": {"key": "v"}})), json!({"data": {"key": "v"}}));
    }

    #[test]
    fn what_is_no_text_is_not_there() {
        let data = json!({"text": "v", "number": 5, "list": []});
        assert_eq!(pick(&data, "text"), Ok("v".to_owned()));
        assert_eq!(pick(&data, "number"), Ok("5".to_owned()));
        assert_eq!(pick(&data, "list"), Err("the secret has no text under list".to_owned()));
    }

    #[test]
    fn a_path_cannot_become_a_query() {
        assert_eq!(encoded("kv/a b?x#y"), "kv/a%20b%3Fx%23y");
    }
}
