//! What one change among many routes touches.

use std::sync::Arc;

use lockgate_resource::{Id, Kind, Record, Revision};
use serde_json::{Value, json};

use super::bench::Bench;

const MANY: usize = 10_000;

fn route(number: usize, uri: &str) -> Record {
    let value: Value = json!({"uri": uri, "upstream": {"type": "roundrobin", "nodes": {"127.0.0.1:9": 1}}});
    let (created, modified) = (Revision(1), Revision(number as u64 + 1));
    Record { kind: Kind::Route, id: Id::new(&number.to_string()).unwrap(), value, created, modified }
}

#[test]
fn a_change_of_one_route_leaves_all_others_the_very_objects_they_were() {
    let mut bench = Bench::new();
    for number in 0..MANY {
        bench.resources.insert(route(number, &format!("/{number}/*")));
    }
    assert!(bench.compile().is_empty());
    let before = bench.snapshot.routes.clone();
    bench.resources.insert(Record { modified: Revision(MANY as u64 + 1), ..route(77, "/changed") });
    assert!(bench.compile().is_empty());
    let after = &bench.snapshot.routes;
    assert_eq!((before.len(), after.len()), (MANY, MANY));
    for (id, route) in &before {
        assert_eq!(Arc::ptr_eq(route, &after[id.as_str()]), id.as_str() != "77", "{id}");
    }
}
