//! Configurations replaced as a whole, and the file they may come from.

use std::path::Path;
use std::sync::Arc;

use lockgate_resource::{Kind, Revision};
use serde_json::{Value, json};

use super::{StandaloneFile, StandaloneStore};
use crate::document::{Format, Item, items};
use crate::{Change, Condition, Expect, Store, StoreError};

fn read(document: &Value) -> Vec<Item> {
    items(document).unwrap().items
}

#[test]
fn what_is_unchanged_keeps_its_record() {
    let store = StandaloneStore::of_api();
    assert!(!store.condition().borrow().is_read);
    let first = store.replace(read(&json!({"routes": [{"id": "a", "uri": "/a"}, {"id": "b", "uri": "/b"}]})));
    let before = store.watch().borrow().clone();
    let second =
        store.replace(read(&json!({"routes": [{"id": "a", "uri": "/a"}, {"id": "c", "uri": "/c"}]})));
    let after = store.watch().borrow().clone();
    assert_eq!((first, second), (Revision(1), Revision(2)));
    let of = |resources: &lockgate_resource::Resources, id| resources.get(Kind::Route, id).cloned();
    assert!(Arc::ptr_eq(&of(&before, "a").unwrap(), &of(&after, "a").unwrap()));
    assert!(of(&after, "b").is_none() && of(&after, "c").is_some());
    let third = store.replace(read(&json!({"routes": [{"id": "a", "uri": "/a"}, {"id": "c", "uri": "/c"}]})));
    assert_eq!(third, Revision(2), "nothing is new");
    assert_eq!(*store.condition().borrow(), Condition::SOUND);
}

#[test]
fn a_resource_is_the_same_while_its_index_is() {
    let store = StandaloneStore::of_api();
    let route = |index: u64, uri: &str| {
        store.replace(read(&json!({"routes": [{"id": "a", "uri": uri, "modifiedIndex": index}]})));
        store.watch().borrow().get(Kind::Route, "a").unwrap().value["uri"].clone()
    };
    assert_eq!([route(1, "/1"), route(1, "/2"), route(2, "/2")], ["/1", "/1", "/2"]);
}

#[tokio::test]
async fn one_resource_cannot_be_changed_by_itself() {
    let store = StandaloneStore::of_file(Path::new("conf/apisix.yaml"));
    let id = lockgate_resource::Id::new("1").unwrap();
    let refused = store.commit(Change::Delete { kind: Kind::Route, id }, Expect::Anything).await.unwrap_err();
    assert!(matches!(&refused, StoreError::ReadOnly(why) if why.contains("conf/apisix.yaml")), "{refused}");
}

#[test]
fn a_file_is_taken_in_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("apisix.yaml");
    let store = StandaloneStore::of_file(&path);
    let check = |items: &[Item], _: &lockgate_resource::Resources| {
        let wrong = items.iter().filter(|item| item.value.get("uri").is_none());
        wrong.map(|item| format!("{}: no uri", item.place)).collect()
    };
    let mut file = StandaloneFile::new(path.clone(), Format::Yaml, store.clone(), Box::new(check), |_| None);
    let mut look = |text: Option<&str>| {
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        file.look();
        let condition = store.condition().borrow().clone();
        (
            store.watch().borrow().of(Kind::Route).len(),
            condition.is_read,
            condition.trouble.unwrap_or_default(),
        )
    };
    let (count, is_read, trouble) = look(None);
    assert!(count == 0 && !is_read && trouble.contains("cannot be read"), "{trouble}");
    assert_eq!(look(Some("routes:\n  - uri: /a\n#END")), (1, true, String::new()));
    let (count, is_read, trouble) = look(Some("routes:\n  - uri: /a\n  - uri: /b\n"));
    assert!(count == 1 && is_read && trouble.contains("#END"), "{trouble}");
    let (count, _, trouble) = look(Some("routes:\n  - uri: /a\n  - id: b\n#END"));
    assert!(count == 1 && trouble.contains("routes[1]: no uri"), "{trouble}");
    assert_eq!(look(Some("routes:\n  - uri: /a\n  - uri: /b\n#END")), (2, true, String::new()));
    std::fs::remove_file(&path).unwrap();
    let (count, _, trouble) = look(None);
    assert!(count == 2 && trouble.contains("cannot be read"), "{trouble}");
}
