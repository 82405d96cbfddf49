//! What a change of one consumer does to the others, and what becomes of keys that two have.

use std::sync::Arc;

use lockgate_plugin::Directory;
use lockgate_resource::{Id, Kind, Record, Revision};
use serde_json::json;

use crate::snapshot::bench::Bench;

const NONE: [&str; 0] = [];

fn record(name: &str, key: &str, revision: u64) -> Record {
    let value = json!({"username": name, "plugins": {"keeper": {"key": key}, "greeter": {}}});
    let modified = Revision(revision);
    Record { kind: Kind::Consumer, id: Id::new(name).unwrap(), value, created: modified, modified }
}

fn owner(bench: &Bench, key: &str) -> Option<String> {
    bench.snapshot.credential("keeper", key.as_bytes()).map(|credential| credential.consumer.clone())
}

#[test]
fn a_change_of_one_among_ten_thousand_leaves_the_others_as_they_are() {
    let mut bench = Bench::new();
    for number in 0..10_000 {
        bench.resources.insert(record(&format!("c{number}"), &format!("k{number}"), number + 1));
    }
    assert_eq!(bench.compile(), NONE);
    assert_eq!(bench.seen().len(), 10_000);
    let before = bench.snapshot.consumers.clone();
    bench.resources.insert(record("c7", "other", 20_000));
    assert_eq!(bench.compile(), NONE);
    assert_eq!(bench.seen().len(), 0, "its plugin says the same and is kept");
    assert_eq!((owner(&bench, "k7"), owner(&bench, "other")), (None, Some("c7".into())));
    let after = &bench.snapshot.consumers;
    for (id, consumer) in &before.by_name {
        assert_eq!(Arc::ptr_eq(consumer, &after.by_name[id]), id.as_str() != "c7");
    }
    for (key, credential) in before.keys["keeper"].iter().filter(|(key, _)| ***key != *b"k7") {
        assert!(Arc::ptr_eq(credential, &after.keys["keeper"][key]));
    }
}

#[test]
fn of_two_with_one_key_the_first_has_it_and_the_other_is_told_of_until_it_is_free() {
    let mut bench = Bench::new();
    bench.resources.insert(record("a", "k", 1));
    bench.resources.insert(record("b", "k", 2));
    let told = ["b: duplicate key of plugin keeper found with consumer: a"];
    assert_eq!(bench.compile(), told);
    assert_eq!(bench.put(Kind::Route, "1", json!({"uri": "/1", "plugins": {}})), told);
    assert_eq!(owner(&bench, "k").as_deref(), Some("a"));
    bench.resources.remove(Kind::Consumer, &Id::new("a").unwrap(), Revision(9));
    assert_eq!(bench.compile(), NONE);
    assert_eq!(owner(&bench, "k").as_deref(), Some("b"));
}

#[test]
fn keys_may_change_hands_in_one_change() {
    let mut bench = Bench::new();
    bench.resources.insert(record("a", "1", 1));
    bench.resources.insert(record("b", "2", 2));
    assert_eq!(bench.compile(), NONE);
    bench.resources.insert(record("a", "2", 3));
    bench.resources.insert(record("b", "1", 4));
    assert_eq!(bench.compile(), NONE);
    assert_eq!((owner(&bench, "1"), owner(&bench, "2")), (Some("b".into()), Some("a".into())));
}

#[test]
fn who_cannot_be_taken_may_not_call_and_leaves_the_others_alone() {
    let mut bench = Bench::new();
    bench.resources.insert(record("a", "1", 1));
    let spoilt = json!({"username": "b", "group_id": "g", "plugins": {"keeper": {"key": "2"}}});
    assert_eq!(bench.put(Kind::Consumer, "b", spoilt), ["b: consumer group [g] does not exist"]);
    assert_eq!((owner(&bench, "1").as_deref(), owner(&bench, "2")), (Some("a"), None));
    assert_eq!(bench.put(Kind::ConsumerGroup, "g", json!({"plugins": {}})), NONE);
    assert_eq!(owner(&bench, "2").as_deref(), Some("b"));
}
