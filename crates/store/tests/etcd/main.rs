//! The store against a real etcd: what is written, who sees it, and what happens while etcd is away.

#[cfg(test)]
mod process;

use std::sync::Arc;
use std::time::Duration;

use lockgate_resource::{Id, Kind, Record, Resources, Revision};
use lockgate_store::{Change, EtcdSettings, EtcdStore, Expect, Store, StoreError};
use serde_json::{Value, json};

use process::{Etcd, Relay};

fn at(port: u16) -> EtcdSettings {
    EtcdSettings {
        hosts: vec![format!("http://127.0.0.1:{port}")],
        prefix: "/apisix".to_owned(),
        timeout: Duration::from_secs(5),
        watch_timeout: Duration::from_secs(50),
        user: None,
        tls: None,
        server_name: None,
    }
}

fn put(kind: Kind, id: &str, value: Value) -> Change {
    Change::Put { kind, id: Id::of(kind, id).expect("it is an id"), value, ttl: None }
}

fn route(id: &str) -> Change {
    put(Kind::Route, id, json!({"id": id, "uri": format!("/{id}")}))
}

fn delete(kind: Kind, id: &str) -> Change {
    Change::Delete { kind, id: Id::of(kind, id).expect("it is an id") }
}

fn record(store: &EtcdStore, kind: Kind, id: &str) -> Option<Arc<Record>> {
    store.watch().borrow().get(kind, id).cloned()
}

/// Waits until a store shows what is looked for.
async fn until(store: &EtcdStore, holds: impl FnMut(&Resources) -> bool) {
    let mut resources = store.watch();
    let seen = tokio::time::timeout(Duration::from_secs(20), resources.wait_for(holds)).await;
    assert!(seen.is_ok(), "it never came");
}

#[tokio::test]
async fn what_is_written_lies_under_the_keys_of_apisix_and_comes_back() {
    let etcd = Etcd::start();
    let store = EtcdStore::open(at(etcd.port)).await.unwrap();
    let revision = store.commit(route("1"), Expect::Absent).await.unwrap();
    let one = record(&store, Kind::Route, "1").expect("a write is seen by whoever made it");
    assert_eq!((one.created, one.modified), (revision, revision));
    assert_eq!(etcd.get("/apisix/routes/1"), r#"{"id":"1","uri":"/1"}"#);
    let credential = put(Kind::Credential, "joe/c1", json!({"id": "c1"}));
    let refused = store.commit(credential.clone(), Expect::Anything).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict(_)), "its consumer is not there: {refused}");
    store.commit(put(Kind::Consumer, "joe", json!({"username": "joe"})), Expect::Anything).await.unwrap();
    store.commit(credential, Expect::Anything).await.unwrap();
    assert_eq!(etcd.get("/apisix/consumers/joe/credentials/c1"), r#"{"id":"c1"}"#);
    let again = EtcdStore::open(at(etcd.port)).await.unwrap();
    assert_eq!(record(&again, Kind::Route, "1").as_deref(), Some(&*one));
}

#[tokio::test]
async fn what_others_write_is_seen_and_what_is_not_ours_is_passed_over() {
    let etcd = Etcd::start();
    etcd.put("/apisix/routes/", "init_dir");
    etcd.put("/apisix/data_plane/server_info/x", "{}");
    etcd.put("/apisix/routes/bad", "{");
    etcd.put("/apisix/routes/1", r#"{"uri":"/old"}"#);
    let store = EtcdStore::open(at(etcd.port)).await.unwrap();
    assert_eq!(store.watch().borrow().of(Kind::Route).len(), 1);
    etcd.put("/apisix/routes/1", r#"{"uri":"/new"}"#);
    until(&store, |all| all.get(Kind::Route, "1").is_some_and(|one| one.value["uri"] == "/new")).await;
    etcd.put("/apisix/routes/1", "not json");
    etcd.put("/apisix/routes/2", r#"{"uri":"/2"}"#);
    until(&store, |all| all.get(Kind::Route, "2").is_some()).await;
    assert_eq!(record(&store, Kind::Route, "1").unwrap().value["uri"], "/new", "the last good form stays");
    etcd.run(&["del", "/apisix/routes/2"]);
    until(&store, |all| all.get(Kind::Route, "2").is_none()).await;
}

#[tokio::test]
async fn a_resource_goes_when_its_time_is_up_unless_it_is_written_again() {
    let etcd = Etcd::start();
    let store = EtcdStore::open(at(etcd.port)).await.unwrap();
    let ttl = Some(Duration::from_millis(500));
    for id in ["1", "2"] {
        let value = json!({"uri": "/"});
        let change = Change::Put { kind: Kind::Route, id: Id::new(id).unwrap(), value, ttl };
        store.commit(change, Expect::Absent).await.unwrap();
    }
    store.commit(route("2"), Expect::Anything).await.unwrap();
    until(&store, |all| all.get(Kind::Route, "1").is_none()).await;
    assert!(record(&store, Kind::Route, "2").is_some());
}

#[tokio::test]
async fn a_write_holds_to_what_was_expected() {
    let etcd = Etcd::start();
    let store = EtcdStore::open(at(etcd.port)).await.unwrap();
    let refused = |change, expect| store.commit(change, expect);
    assert!(matches!(refused(delete(Kind::Route, "1"), Expect::Anything).await, Err(StoreError::Missing(_))));
    let first = store.commit(route("1"), Expect::Absent).await.unwrap();
    assert!(matches!(refused(route("1"), Expect::Absent).await, Err(StoreError::Conflict(_))));
    let second = store.commit(route("1"), Expect::Unchanged(first)).await.unwrap();
    assert!(matches!(refused(route("1"), Expect::Unchanged(first)).await, Err(StoreError::Conflict(_))));
    assert_eq!(record(&store, Kind::Route, "1").unwrap().created, first);
    store.commit(delete(Kind::Route, "1"), Expect::Unchanged(second)).await.unwrap();
    assert!(record(&store, Kind::Route, "1").is_none());
}

#[tokio::test]
async fn a_reference_that_was_just_removed_elsewhere_cannot_be_made() {
    let etcd = Etcd::start();
    let relay = Relay::start(etcd.port);
    let (near, far) =
        (EtcdStore::open(at(etcd.port)).await.unwrap(), EtcdStore::open(at(relay.port)).await.unwrap());
    near.commit(put(Kind::Upstream, "u", json!({"nodes": {}})), Expect::Anything).await.unwrap();
    until(&far, |all| all.get(Kind::Upstream, "u").is_some()).await;
    // The far one's watch hangs, its writes do not: it believes in what is gone.
    relay.hold();
    near.commit(delete(Kind::Upstream, "u"), Expect::Anything).await.unwrap();
    let made =
        far.commit(put(Kind::Route, "1", json!({"uri": "/", "upstream_id": "u"})), Expect::Anything).await;
    assert!(matches!(made, Err(StoreError::Conflict(_))), "{made:?}");
    assert!(record(&near, Kind::Route, "1").is_none());
}

#[tokio::test]
async fn two_gateways_on_one_prefix_agree() {
    let etcd = Etcd::start();
    let (a, b) =
        (EtcdStore::open(at(etcd.port)).await.unwrap(), EtcdStore::open(at(etcd.port)).await.unwrap());
    let write = |store: Arc<EtcdStore>, name: &'static str| async move {
        for number in 0..50 {
            store.commit(route(&format!("{name}{number}")), Expect::Anything).await.unwrap();
            store.commit(route("shared"), Expect::Anything).await.unwrap();
        }
    };
    tokio::join!(write(a.clone(), "a"), write(b.clone(), "b"));
    let revision = a.watch().borrow().revision.max(b.watch().borrow().revision);
    for store in [&a, &b] {
        until(store, |all| all.revision >= revision).await;
        assert_eq!(store.watch().borrow().of(Kind::Route).len(), 101);
    }
    assert_eq!(a.watch().borrow().of(Kind::Route), b.watch().borrow().of(Kind::Route));
}

#[tokio::test]
async fn while_etcd_is_away_what_was_read_stays_and_writes_say_so() {
    let mut etcd = Etcd::start();
    let store = EtcdStore::open(at(etcd.port)).await.unwrap();
    for number in 0..20 {
        store.commit(route(&number.to_string()), Expect::Anything).await.unwrap();
    }
    etcd.kill();
    let refused = store.commit(route("x"), Expect::Anything).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Unavailable(why) if why.contains("etcd does not answer")),
        "{refused}"
    );
    assert_eq!(store.watch().borrow().of(Kind::Route).len(), 20);
    etcd.restart();
    etcd.put("/apisix/routes/after", r#"{"uri":"/after"}"#);
    until(&store, |all| all.get(Kind::Route, "after").is_some()).await;
    assert_eq!(store.watch().borrow().of(Kind::Route).len(), 21, "nothing acknowledged is lost");
    store.commit(route("x"), Expect::Anything).await.unwrap();
}

#[tokio::test]
async fn a_history_that_was_compacted_meanwhile_leaves_no_gap() {
    let etcd = Etcd::start();
    let relay = Relay::start(etcd.port);
    let store = EtcdStore::open(at(relay.port)).await.unwrap();
    for number in 0..5 {
        store.commit(route(&number.to_string()), Expect::Anything).await.unwrap();
    }
    let kept = record(&store, Kind::Route, "1").unwrap();
    relay.cut();
    etcd.run(&["del", "/apisix/routes/0"]);
    etcd.put("/apisix/routes/new", r#"{"uri":"/new"}"#);
    etcd.compact();
    relay.mend();
    until(&store, |all| all.get(Kind::Route, "new").is_some() && all.get(Kind::Route, "0").is_none()).await;
    assert!(
        Arc::ptr_eq(&kept, &record(&store, Kind::Route, "1").unwrap()),
        "what is unchanged is not made anew"
    );
}

#[tokio::test]
async fn a_restored_etcd_is_read_again() {
    let mut etcd = Etcd::start();
    let store = EtcdStore::open(at(etcd.port)).await.unwrap();
    store.commit(route("1"), Expect::Anything).await.unwrap();
    let saved = etcd.save();
    store.commit(route("2"), Expect::Anything).await.unwrap();
    store.commit(route("3"), Expect::Anything).await.unwrap();
    etcd.kill();
    etcd.restore(&saved);
    until(&store, |all| all.get(Kind::Route, "1").is_some() && all.of(Kind::Route).len() == 1).await;
    store.commit(route("4"), Expect::Anything).await.unwrap();
    assert_eq!(store.watch().borrow().of(Kind::Route).len(), 2);
}

#[tokio::test]
async fn thousands_of_keys_are_read_page_by_page() {
    let etcd = Etcd::start();
    etcd.fill(2500);
    let store = EtcdStore::open(at(etcd.port)).await.unwrap();
    assert_eq!(store.watch().borrow().of(Kind::Route).len(), 2500);
    assert!(store.watch().borrow().revision > Revision(0));
}

#[tokio::test]
async fn a_user_and_a_password_are_asked_for() {
    let etcd = Etcd::start();
    etcd.protect("root", "hidden-password");
    let mut settings = at(etcd.port);
    settings.user = Some(("root".into(), "wrong".into()));
    let store = EtcdStore::open(settings.clone()).await.unwrap();
    let refused = store.commit(route("1"), Expect::Anything).await.unwrap_err().to_string();
    assert!(refused.contains("etcd refuses") && !refused.contains("wrong"), "{refused}");
    settings.user = Some(("root".into(), "hidden-password".into()));
    let store = EtcdStore::open(settings).await.unwrap();
    store.commit(route("1"), Expect::Anything).await.unwrap();
}
