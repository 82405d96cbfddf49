//! `/configs`: the whole configuration in one call, where it is held in memory alone (API-driven stand-alone mode).

use axum::body::Body;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};
use lockgate_store::document::{Item, from_yaml, items, lists, to_yaml};
use lockgate_store::{Configuration, StandaloneStore, StoreError};
use serde_json::{Map, Value, json};

use crate::envelope::{Refusal, Reply};
use crate::{Admin, Calls, body, change, configs, json as lenient};

/// The largest configuration, in bytes.
const MOST: usize = 256 * 1024 * 1024;
/// What a configuration is called by whoever sends it.
const DIGEST: HeaderName = HeaderName::from_static("x-digest");
/// When it came.
const LAST_MODIFIED: HeaderName = HeaderName::from_static("x-last-modified");
/// The same two, as they stand in the configuration.
const INSIDE: [&str; 2] = ["X-Digest", "X-Last-Modified"];
const YAML: &str = "application/yaml";

/// Whether one resource may be asked for, or changed by itself.
pub(crate) fn admit(admin: &Admin, method: &str) -> Result<(), Refusal> {
    match admin.store.standalone() {
        Some(store) if method != "GET" => Err(store.read_only().into()),
        Some(_) => Ok(()),
        None => match admin.store.condition().borrow().obstacle() {
            Some(obstacle) => Err(StoreError::Unavailable(obstacle).into()),
            None => Ok(()),
        },
    }
}

/// Answers a call to `/configs`.
pub(crate) async fn call(
    calls: &Calls,
    store: &StandaloneStore,
    parts: &Parts,
    body: Body,
) -> Result<Reply, Refusal> {
    match parts.method {
        Method::GET => show(store, &parts.headers),
        Method::HEAD => Ok(describe(Reply::empty(), store)),
        Method::PUT => put(calls, store, &parts.headers, body).await,
        _ => Err(Refusal::NoSuchMethod),
    }
}

fn says(headers: &HeaderMap, name: &HeaderName, kind: &str) -> bool {
    headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.starts_with(kind))
}

/// Says which configuration this is.
fn describe(reply: Reply, store: &StandaloneStore) -> Reply {
    let Some(configuration) = store.configuration() else {
        return reply;
    };
    let reply = reply.with(LAST_MODIFIED, configuration.modified.into());
    match HeaderValue::from_str(&configuration.digest) {
        Ok(digest) => reply.with(DIGEST, digest),
        Err(_) => reply,
    }
}

fn show(store: &StandaloneStore, headers: &HeaderMap) -> Result<Reply, Refusal> {
    let document = match store.configuration() {
        Some(configuration) => {
            let mut document = configuration.document.clone();
            let about = [json!(configuration.digest), json!(configuration.modified)];
            document.extend(INSIDE.into_iter().map(str::to_owned).zip(about));
            document
        }
        None => lists().map(|list| (version_key(list), json!(0))).collect(),
    };
    let document = Value::Object(document);
    let reply = if says(headers, &header::ACCEPT, YAML) {
        let yaml =
            to_yaml(&document).map_err(|why| Refusal::Unfit(format!("failed to encode yaml: {why}")))?;
        Reply::words(&yaml).with(header::CONTENT_TYPE, HeaderValue::from_static(YAML))
    } else {
        Reply::json(StatusCode::OK, &document)
    };
    Ok(describe(reply, store))
}

fn version_key(list: &str) -> String {
    format!("{list}_conf_version")
}

async fn put(
    calls: &Calls,
    store: &StandaloneStore,
    headers: &HeaderMap,
    body: Body,
) -> Result<Reply, Refusal> {
    let unfit = |why: &str| Refusal::Unfit(why.to_owned());
    let digest = headers.get(DIGEST).and_then(|digest| digest.to_str().ok());
    let digest = digest.ok_or_else(|| unfit("missing digest header"))?.to_owned();
    let bytes = body::bytes(body, MOST).await?;
    if bytes.is_empty() {
        return Err(unfit("invalid request body: empty request body"));
    }
    let sent = if says(headers, &header::CONTENT_TYPE, YAML) {
        let text = str::from_utf8(&bytes).ok();
        text.and_then(|text| from_yaml(text).ok())
            .filter(Value::is_object)
            .ok_or_else(|| unfit("invalid request body: invalid yaml request body"))?
    } else {
        lenient::parse(&bytes).map_err(|why| Refusal::Unfit(format!("invalid request body: {why}")))?
    };
    let Value::Object(sent) = sent else {
        return Err(unfit("invalid request body: it has to be an object"));
    };
    let changing = calls.changing.lock().await;
    let before = store.configuration();
    if before.as_ref().is_some_and(|before| before.digest == digest) {
        return Ok(Reply::json(StatusCode::NO_CONTENT, &Value::Null).without_body());
    }
    let none = Map::new();
    let document = next(&calls.admin, before.as_ref().map_or(&none, |before| &before.document), sent)?;
    let items = read(&document)?;
    let modified = change::now().as_u64().unwrap_or_default();
    let revision = store.configure(Configuration { document, digest, modified }, items);
    drop(changing);
    tracing::info!(%revision, "configuration taken in");
    change::wait_for(&calls.admin, revision).await;
    let reply = Reply::json(StatusCode::ACCEPTED, &Value::Null).without_body();
    Ok(describe(reply, store))
}

/// The configuration that follows: of each list what was sent, unless its version says that it is as before.
fn next(
    admin: &Admin,
    before: &Map<String, Value>,
    mut sent: Map<String, Value>,
) -> Result<Map<String, Value>, Refusal> {
    for list in lists() {
        let key = version_key(list);
        if sent.get(&key).is_some_and(|version| !version.is_number()) {
            return Err(Refusal::Unfit(format!("{key} must be a number")));
        }
    }
    if let Some(error) = configs::errors(admin, &without_indices(&sent)).first() {
        return Err(Refusal::Unfit(error["error"].as_str().unwrap_or_default().to_owned()));
    }
    let mut document = Map::new();
    for list in lists() {
        let key = version_key(list);
        let known = before.get(&key).and_then(Value::as_f64).unwrap_or_default();
        let new = sent.get(&key).and_then(Value::as_f64);
        if new.is_some_and(|new| new < known) {
            let shown = before.get(&key).cloned().unwrap_or_else(|| json!(0));
            return Err(Refusal::Unfit(format!("{key} must be greater than or equal to ({shown})")));
        }
        let is_as_before = new == Some(known);
        let version = sent.get(&key).filter(|_| new.is_some()).cloned();
        let counted = before.get(&key).and_then(Value::as_u64).unwrap_or_default() + 1;
        document.insert(key, version.unwrap_or_else(|| json!(counted)));
        let items = if is_as_before { before.get(list).cloned() } else { sent.shift_remove(list) };
        if let Some(items) = items.filter(|items| items.as_array().is_some_and(|items| !items.is_empty())) {
            document.insert(list.to_owned(), items);
        }
    }
    Ok(document)
}

/// `modifiedIndex` is not a resource's own.
fn without_indices(sent: &Map<String, Value>) -> Map<String, Value> {
    let mut bare = sent.clone();
    for item in bare.values_mut().filter_map(Value::as_array_mut).flatten() {
        if let Some(fields) = item.as_object_mut() {
            fields.shift_remove("modifiedIndex");
        }
    }
    bare
}

fn read(document: &Map<String, Value>) -> Result<Vec<Item>, Refusal> {
    let read = items(&Value::Object(document.clone()));
    let read = read.map_err(|mistakes| Refusal::Unfit(mistakes.join("; ")))?;
    for warning in read.warnings {
        tracing::warn!("configuration: {warning}");
    }
    Ok(read.items)
}
