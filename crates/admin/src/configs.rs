//! Checks many resources at once, each by itself, without keeping them.

use std::collections::HashSet;

use axum::body::Body;
use http::StatusCode;
use lockgate_resource::{Id, Kind};
use serde_json::{Map, Value, json};

use crate::envelope::{Refusal, Reply};
use crate::validate::examine;
use crate::{Admin, Calls, body};

/// `POST /configs/validate`: whether many resources are well formed, each by itself, and none is there twice.
pub(crate) async fn validate(calls: &Calls, body: Body) -> Result<Reply, Refusal> {
    let empty = || Refusal::Unfit("invalid request body: empty request body".to_owned());
    let configs = body::read(body).await?.ok_or_else(empty)?;
    let Value::Object(configs) = configs else {
        return Err(Refusal::Unfit("invalid request body: it has to be an object".to_owned()));
    };
    let errors = errors(&calls.admin, &configs);
    if errors.is_empty() {
        return Ok(Reply::json(StatusCode::OK, &json!({})));
    }
    Err(Refusal::Configs(errors))
}

/// What is wrong with many resources.
pub(crate) fn errors(admin: &Admin, configs: &Map<String, Value>) -> Vec<Value> {
    let mut errors = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Credential) {
        let mut seen = HashSet::new();
        let items = configs.get(kind.plural()).and_then(Value::as_array);
        for (index, item) in items.into_iter().flatten().enumerate() {
            let name = name(item);
            let twice = name.as_str().is_some_and(|name| !name.is_empty()) || name.is_number();
            let twice = (twice && !seen.insert(name.to_string())).then(|| duplicate(kind, item, &name));
            for error in check(admin, kind, item).err().into_iter().chain(twice) {
                errors.push(json!({
                    "error": error,
                    "index": index,
                    "resource_type": kind.plural(),
                    "resource_id": name,
                }));
            }
        }
    }
    errors
}

fn check(admin: &Admin, kind: Kind, item: &Value) -> Result<(), String> {
    let id = item.get("id").and_then(Value::as_str);
    let credential = id.filter(|_| kind == Kind::Consumer).and_then(|id| id.split_once("/credentials/"));
    let checked = match (credential, id) {
        (Some((consumer, own)), _) => {
            let whole = format!("{consumer}/{own}");
            Id::of(Kind::Credential, &whole).map_err(|_| format!("invalid credential id: {whole}"))?;
            let mut credential = item.clone();
            credential["id"] = Value::from(own);
            examine(admin, None, Kind::Credential, &credential)
        }
        (None, id) if kind == Kind::Secret && id.is_none_or(|id| Id::of(kind, id).is_err()) => {
            Err(format!("invalid secret id: {}", id.unwrap_or_default()))
        }
        _ => examine(admin, None, kind, item),
    };
    checked.map(drop)
}

fn duplicate(kind: Kind, item: &Value, name: &Value) -> String {
    let what = match (kind, item.get("id")) {
        (Kind::Consumer, Some(_)) => "credential id",
        (Kind::Consumer, None) => "username",
        _ => "id",
    };
    let name = name.as_str().map_or_else(|| name.to_string(), str::to_owned);
    format!("found duplicate {what} {name} in {}", kind.plural())
}

/// How a resource calls itself, as it was written; an empty text where it does not.
fn name(item: &Value) -> Value {
    let named = |field: &str| item.get(field).filter(|name| !name.is_null()).cloned();
    named("id").or_else(|| named("username")).unwrap_or_else(|| json!(""))
}
