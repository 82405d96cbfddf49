//! GET, PUT, POST, PATCH and DELETE, once for every kind.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::StatusCode;
use lockgate_resource::{Id, Kind, Record, Resources, check_unused};
use lockgate_store::{Change, Expect, StoreError};
use serde_json::{Value, json};

use crate::address::Address;
use crate::change::{self, How, Kept};
use crate::envelope::{Refusal, Reply, stored, written};
use crate::list::Query;
use crate::target::{Target, inner_id};
use crate::{Admin, ApiVersion, Calls, body, merge, precondition, secrets};

/// The longest time a resource that expires can live: etcd's.
const LONGEST: Duration = Duration::from_hours(2_500_000);

/// How many ids are tried for a resource that is posted.
const ATTEMPTS: u64 = 8;

impl Target<'_> {
    /// The answer to a change: what was kept, once it is live. `how` is the status, and what version 2 calls it.
    async fn answer(&self, calls: &Calls, how: (StatusCode, &str), id: &Id, mut kept: Kept) -> Reply {
        change::wait(&calls.admin, self.kind, id, &mut kept).await;
        let tag = precondition::tag(kept.revision);
        secrets::hide_keys(self.kind, &mut kept.value);
        let body = written(self.kind, id, kept.value, &kept.warnings);
        Reply::json(how.0, &calls.admin.version.one(how.1, body)).tagged(tag)
    }
}

/// Answers a call.
pub(crate) async fn call(
    calls: &Calls,
    method: &str,
    target: Target<'_>,
    body: Body,
) -> Result<Reply, Refusal> {
    target.allow(method)?;
    let reply = match method {
        "GET" => match target.id() {
            Some(id) => get(&calls.admin, target.kind, &id),
            None => list(&calls.admin, &target),
        },
        "PUT" => put(calls, &target, body).await,
        "POST" => post(calls, &target, body).await,
        "PATCH" => patch(calls, &target, body).await,
        "DELETE" => delete(calls, &target).await,
        _ => return Err(Refusal::NoSuchMethod),
    };
    reply.map(Reply::of_resource)
}

fn current(admin: &Admin) -> Resources {
    admin.store.watch().borrow().clone()
}

fn opened(admin: &Admin, record: &Record) -> Value {
    let mut value = record.value.clone();
    secrets::open(&admin.registry, admin.keyring.as_deref(), record.kind, &mut value);
    secrets::open_keys(admin.keyring.as_deref(), record.kind, &mut value);
    value
}

/// A resource as GET shows it: what plugins have of secrets is opened, private keys are not.
fn shown(admin: &Admin, record: &Record) -> Value {
    let mut value = record.value.clone();
    secrets::open(&admin.registry, admin.keyring.as_deref(), record.kind, &mut value);
    secrets::hide_keys(record.kind, &mut value);
    secrets::drop_keys(record.kind, &mut value);
    value
}

fn get(admin: &Admin, kind: Kind, id: &str) -> Result<Reply, Refusal> {
    let resources = current(admin);
    let record = resources.get(kind, id).ok_or(Refusal::KeyNotFound)?;
    let tag = precondition::tag(record.modified);
    let body = stored(record, shown(admin, record));
    Ok(Reply::json(StatusCode::OK, &admin.version.one("get", body)).tagged(tag))
}

fn list(admin: &Admin, target: &Target<'_>) -> Result<Reply, Refusal> {
    let query = match admin.version {
        ApiVersion::V2 => Query::ALL,
        ApiVersion::V3 => Query::of(target.kind, target.address)?,
    };
    let resources = current(admin);
    let consumer = target.parent.filter(|_| target.kind == Kind::Credential);
    if consumer.is_some_and(|name| resources.get(Kind::Consumer, name).is_none()) {
        return Err(Refusal::KeyNotFound);
    }
    let records = resources.of(target.kind).values();
    let belongs = |record: &&Arc<Record>| target.parent.is_none() || record.id.parent() == target.parent;
    let (records, total) = query.pick(records.filter(belongs).map(Arc::clone).collect());
    let list = records.iter().map(|record| stored(record, shown(admin, record))).collect();
    Ok(Reply::json(StatusCode::OK, &admin.version.many(&target.key(), list, total)))
}

async fn put(calls: &Calls, target: &Target<'_>, body: Body) -> Result<Reply, Refusal> {
    let kind = target.kind;
    let mut value = written_value(body).await?;
    let ttl = time_to_live(target.address)?;
    let own = target.own_id(&value)?;
    change::refuse_times(&value)?;
    let id = target.write_id(&mut value, &own)?;
    let changing = calls.changing.lock().await;
    let resources = current(&calls.admin);
    if kind == Kind::Credential && resources.get(Kind::Consumer, target.parent.unwrap_or_default()).is_none()
    {
        return Err(Refusal::ConsumerNotFound);
    }
    let before = resources.get(kind, id.as_str());
    let expect = precondition::expect(target.headers, before.map(AsRef::as_ref))?;
    let status = if before.is_none() { StatusCode::CREATED } else { StatusCode::OK };
    let kept = change::keep(&calls.admin, &resources, kind, &id, value, How { expect, ttl }).await?;
    drop(changing);
    Ok(target.answer(calls, (status, "set"), &id, kept).await)
}

async fn post(calls: &Calls, target: &Target<'_>, body: Body) -> Result<Reply, Refusal> {
    let kind = target.kind;
    let value = written_value(body).await?;
    let ttl = time_to_live(target.address)?;
    if target.id().is_some() || value.get("id").is_some() {
        return Err(Refusal::Invalid(format!("wrong {} id, do not need it", kind.words())));
    }
    change::refuse_times(&value)?;
    let changing = calls.changing.lock().await;
    let mut attempt = 1;
    let how = How { expect: Expect::Absent, ttl };
    let (id, kept) = loop {
        let resources = current(&calls.admin);
        let mut value = value.clone();
        let id = target.write_id(&mut value, &free_id(&resources, kind, attempt))?;
        match change::keep(&calls.admin, &resources, kind, &id, value, how).await {
            Err(Refusal::Store(StoreError::Conflict(_))) if attempt < ATTEMPTS => attempt += 1,
            kept => break (id, kept?),
        }
    };
    drop(changing);
    Ok(target.answer(calls, (StatusCode::CREATED, "create"), &id, kept).await)
}

/// An id that nobody has: the digits of a revision to come. The further attempts step over what somebody else
/// may have taken meanwhile.
fn free_id(resources: &Resources, kind: Kind, attempt: u64) -> String {
    let first = resources.revision.0.saturating_add(attempt);
    let mut ids = (first..).map(|number| format!("{number:020}"));
    ids.find(|id| resources.get(kind, id).is_none()).unwrap_or_default()
}

async fn patch(calls: &Calls, target: &Target<'_>, body: Body) -> Result<Reply, Refusal> {
    let kind = target.kind;
    let (own, path) = target.rest.split_first().ok_or_else(|| match (kind, target.parent) {
        (Kind::Secret, Some(_)) => Refusal::Invalid("no secret id".to_owned()),
        _ => target.missing_id(),
    })?;
    let id = target.id().unwrap_or_default();
    let ttl = time_to_live(target.address)?;
    let new = body::read(body).await?;
    let new = new.ok_or_else(|| Refusal::Invalid("missing new configuration".to_owned()))?;
    if path.is_empty() && !new.is_object() {
        return Err(Refusal::Invalid("invalid configuration".to_owned()));
    }
    let changing = calls.changing.lock().await;
    let resources = current(&calls.admin);
    let record = resources.get(kind, &id).ok_or(Refusal::KeyNotFound)?;
    precondition::expect(target.headers, Some(record))?;
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
    if inner_id(&value).is_some_and(|inside| inside != target.written(own)) {
        return Err(target.wrong_id());
    }
    let id = target.write_id(&mut value, own)?;
    let how = How { expect: Expect::Unchanged(record.modified), ttl };
    let kept = change::keep(&calls.admin, &resources, kind, &id, value, how).await?;
    drop(changing);
    Ok(target.answer(calls, (StatusCode::OK, "compareAndSwap"), &id, kept).await)
}

async fn delete(calls: &Calls, target: &Target<'_>) -> Result<Reply, Refusal> {
    let kind = target.kind;
    let id = target.id().ok_or_else(|| target.missing_id())?;
    let changing = calls.changing.lock().await;
    let resources = current(&calls.admin);
    if target.address.argument("force") != Some("true") {
        check_unused(&resources, kind, &id).map_err(Refusal::Invalid)?;
    }
    let record = resources.get(kind, &id).ok_or(Refusal::KeyNotFound)?;
    let expect = precondition::expect(target.headers, Some(record))?;
    let id = record.id.clone();
    if kind == Kind::Consumer {
        delete_credentials(&calls.admin, &resources, id.as_str()).await?;
    }
    let revision = calls.admin.store.commit(Change::Delete { kind, id: id.clone() }, expect).await?;
    drop(changing);
    tracing::info!(resource = %kind.key(&id), %revision, "resource deleted");
    change::wait_for(&calls.admin, revision).await;
    let body = json!({"key": kind.key(&id), "deleted": "1"});
    Ok(Reply::json(StatusCode::OK, &calls.admin.version.one("delete", body)))
}

/// Nothing stays of a consumer that is deleted.
async fn delete_credentials(admin: &Admin, resources: &Resources, consumer: &str) -> Result<(), Refusal> {
    let kind = Kind::Credential;
    for id in resources.of(kind).keys().filter(|id| id.parent() == Some(consumer)) {
        admin.store.commit(Change::Delete { kind, id: id.clone() }, Expect::Anything).await?;
        tracing::info!(resource = %kind.key(id), "resource deleted");
    }
    Ok(())
}

/// What PUT and POST need.
async fn written_value(body: Body) -> Result<Value, Refusal> {
    body::read(body).await?.ok_or_else(|| Refusal::Invalid("missing configurations".to_owned()))
}

/// `ttl`: how many seconds a resource is to live. 0 is for good, as APISIX's documentation writes it.
fn time_to_live(address: &Address) -> Result<Option<Duration>, Refusal> {
    let refused = |why: &str| Refusal::Invalid(format!("invalid argument ttl: {why}"));
    let Some(text) = address.argument("ttl") else { return Ok(None) };
    let seconds: f64 = text.parse().map_err(|_| refused("should be a number"))?;
    let ttl = Duration::try_from_secs_f64(seconds).ok().filter(|ttl| *ttl <= LONGEST);
    let ttl = ttl.ok_or_else(|| refused("should be from 0 to 9000000000 seconds"))?;
    Ok((seconds > 0.0).then_some(ttl))
}
