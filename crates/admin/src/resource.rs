//! GET, PUT, POST, PATCH and DELETE, once for every kind.

use std::sync::Arc;

use axum::body::Body;
use http::StatusCode;
use lockgate_resource::{Id, Kind, Record, Resources, check_unused};
use lockgate_store::{Change, Expect, StoreError};
use serde_json::{Value, json};

use crate::address::Address;
use crate::envelope::{Refusal, Reply, stored, written};
use crate::list::Query;
use crate::{Admin, Calls, body, change, merge, secrets};

/// How many ids are tried for a resource that is posted.
const ATTEMPTS: u64 = 8;

/// Answers a call of a kind; `rest` is what follows its name in the path.
pub(crate) async fn call(
    calls: &Calls,
    kind: Kind,
    method: &str,
    rest: &[&str],
    address: &Address,
    body: Body,
) -> Result<Reply, Refusal> {
    let id = rest.first().copied();
    let reply = match method {
        "GET" => match id {
            Some(id) => get(&calls.admin, kind, id),
            None => list(&calls.admin, kind, address),
        },
        "PUT" => put(calls, kind, id, address, body).await,
        "POST" => post(calls, kind, id, address, body).await,
        "PATCH" => patch(calls, kind, rest, body).await,
        "DELETE" => delete(calls, kind, id, address).await,
        _ => return Err(Refusal::NoSuchMethod),
    };
    reply.map(Reply::of_resource)
}

fn current(admin: &Admin) -> Resources {
    admin.store.watch().borrow().clone()
}

fn opened(admin: &Admin, record: &Record) -> Value {
    let mut value = record.value.clone();
    secrets::open(&admin.registry, admin.keyring.as_deref(), &mut value);
    value
}

fn get(admin: &Admin, kind: Kind, id: &str) -> Result<Reply, Refusal> {
    let resources = current(admin);
    let record = resources.get(kind, id).ok_or(Refusal::KeyNotFound)?;
    Ok(Reply::json(
        StatusCode::OK,
        &stored(record, opened(admin, record)),
    ))
}

fn list(admin: &Admin, kind: Kind, address: &Address) -> Result<Reply, Refusal> {
    let query = Query::of(kind, address)?;
    let records = current(admin).of(kind).values().map(Arc::clone).collect();
    let (records, total) = query.pick(records);
    let list: Vec<Value> = records
        .iter()
        .map(|record| stored(record, opened(admin, record)))
        .collect();
    Ok(Reply::json(
        StatusCode::OK,
        &json!({"list": list, "total": total}),
    ))
}

async fn put(
    calls: &Calls,
    kind: Kind,
    id: Option<&str>,
    address: &Address,
    body: Body,
) -> Result<Reply, Refusal> {
    let mut value = written_object(address, body).await?;
    let inside = inner_id(&value);
    let id = id.map(str::to_owned).or_else(|| inside.clone());
    let id = id.ok_or_else(|| Refusal::Invalid(format!("missing {} id", kind.name())))?;
    if inside.is_some_and(|inside| inside != id) {
        return Err(Refusal::Invalid(format!("wrong {} id", kind.name())));
    }
    change::refuse_times(&value)?;
    let id = write_id(kind, &mut value, &id)?;
    let changing = calls.changing.lock().await;
    let resources = current(&calls.admin);
    let is_new = resources.get(kind, id.as_str()).is_none();
    let mut kept = change::keep(&calls.admin, &resources, kind, &id, value, Expect::Anything).await?;
    drop(changing);
    change::wait(&calls.admin, kind, &id, &mut kept).await;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(Reply::json(
        status,
        &written(kind, &id, kept.value, &kept.warnings),
    ))
}

async fn post(
    calls: &Calls,
    kind: Kind,
    id: Option<&str>,
    address: &Address,
    body: Body,
) -> Result<Reply, Refusal> {
    let value = written_object(address, body).await?;
    if id.is_some() || value.get("id").is_some() {
        return Err(Refusal::Invalid(format!(
            "wrong {} id, do not need it",
            kind.name()
        )));
    }
    change::refuse_times(&value)?;
    let changing = calls.changing.lock().await;
    let mut attempt = 1;
    let (id, mut kept) = loop {
        let resources = current(&calls.admin);
        let mut value = value.clone();
        let id = write_id(kind, &mut value, &free_id(&resources, kind, attempt))?;
        match change::keep(&calls.admin, &resources, kind, &id, value, Expect::Absent).await {
            Err(Refusal::Store(StoreError::Conflict(_))) if attempt < ATTEMPTS => attempt += 1,
            kept => break (id, kept?),
        }
    };
    drop(changing);
    change::wait(&calls.admin, kind, &id, &mut kept).await;
    Ok(Reply::json(
        StatusCode::CREATED,
        &written(kind, &id, kept.value, &kept.warnings),
    ))
}

/// An id that nobody has: the digits of a revision to come. The further attempts step over what somebody else
/// may have taken meanwhile.
fn free_id(resources: &Resources, kind: Kind, attempt: u64) -> String {
    let first = resources.revision.0.saturating_add(attempt);
    let mut ids = (first..).map(|number| format!("{number:020}"));
    ids.find(|id| resources.get(kind, id).is_none())
        .unwrap_or_default()
}

async fn patch(calls: &Calls, kind: Kind, rest: &[&str], body: Body) -> Result<Reply, Refusal> {
    let Some((id, path)) = rest.split_first() else {
        return Err(Refusal::Invalid(format!("missing {} id", kind.name())));
    };
    let new = body::read(body).await?;
    let new = new.ok_or_else(|| Refusal::Invalid("missing new configuration".to_owned()))?;
    if path.is_empty() && !new.is_object() {
        return Err(Refusal::Invalid("invalid configuration".to_owned()));
    }
    let changing = calls.changing.lock().await;
    let resources = current(&calls.admin);
    let record = resources.get(kind, id).ok_or(Refusal::KeyNotFound)?;
    let mut value = opened(&calls.admin, record);
    let sets_time = path.is_empty() && new.get("update_time").is_some();
    if path.is_empty() {
        merge::merge(&mut value, new);
    } else {
        merge::set(&mut value, path, new).map_err(Refusal::Invalid)?;
    }
    if !sets_time && let Some(fields) = value.as_object_mut() {
        fields.insert("update_time".to_owned(), change::now());
    }
    if inner_id(&value).is_some_and(|inside| inside != *id) {
        return Err(Refusal::Invalid(format!("wrong {} id", kind.name())));
    }
    let id = write_id(kind, &mut value, id)?;
    let expect = Expect::Unchanged(record.modified);
    let mut kept = change::keep(&calls.admin, &resources, kind, &id, value, expect).await?;
    drop(changing);
    change::wait(&calls.admin, kind, &id, &mut kept).await;
    Ok(Reply::json(
        StatusCode::OK,
        &written(kind, &id, kept.value, &kept.warnings),
    ))
}

async fn delete(calls: &Calls, kind: Kind, id: Option<&str>, address: &Address) -> Result<Reply, Refusal> {
    let id = id.ok_or_else(|| Refusal::Invalid(format!("missing {} id", kind.name())))?;
    let changing = calls.changing.lock().await;
    let resources = current(&calls.admin);
    if address.argument("force") != Some("true") {
        check_unused(&resources, kind, id).map_err(Refusal::Invalid)?;
    }
    let id = resources.get(kind, id).ok_or(Refusal::KeyNotFound)?.id.clone();
    let revision = calls
        .admin
        .store
        .commit(Change::Delete { kind, id: id.clone() }, Expect::Anything)
        .await?;
    drop(changing);
    tracing::info!(resource = %kind.key(&id), %revision, "resource deleted");
    change::wait_for(&calls.admin, revision).await;
    Ok(Reply::json(
        StatusCode::OK,
        &json!({"key": kind.key(&id), "deleted": "1"}),
    ))
}

/// The object that PUT and POST need.
async fn written_object(address: &Address, body: Body) -> Result<Value, Refusal> {
    let value = body::read(body).await?;
    if address
        .argument("ttl")
        .is_some_and(|ttl| ttl.parse::<f64>().is_err())
    {
        return Err(Refusal::Invalid(
            "invalid argument ttl: should be a number".to_owned(),
        ));
    }
    value.ok_or_else(|| Refusal::Invalid("missing configurations".to_owned()))
}

/// The id that stands in a resource, as text.
fn inner_id(value: &Value) -> Option<String> {
    value
        .get("id")
        .map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned))
}

/// Writes the id into a resource; one that cannot be an id is refused as its schema says.
fn write_id(kind: Kind, value: &mut Value, id: &str) -> Result<Id, Refusal> {
    if let Some(fields) = value.as_object_mut() {
        change::set_id(fields, id);
    }
    Id::new(id).map_err(|_| {
        let schema = kind.schema().check(value).err();
        let why = schema.unwrap_or_else(|| format!("id {id} is no id"));
        Refusal::Invalid(format!("invalid configuration: {why}"))
    })
}
