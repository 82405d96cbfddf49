//! Balancers: by the hash of a key, by requests under way, by time.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use lockgate_tests::{FakeUpstream, Gate, Gateway, Then, closed_port, eventually};
use serde_json::{Value, json};

/// The target and the header of the request with a key of this number.
type Ask = fn(usize) -> (String, String);

/// Upstreams that answer with their own number.
fn numbered(count: usize) -> Vec<FakeUpstream> {
    let answer = |number: usize| {
        FakeUpstream::start(move |_, connection| {
            connection.answer("200 OK", &[], number.to_string()).map(|()| Then::Keep)
        })
    };
    (0..count).map(answer).collect()
}

fn nodes(upstreams: &[FakeUpstream]) -> Value {
    upstreams.iter().map(|upstream| (upstream.node(), json!(1))).collect::<serde_json::Map<_, _>>().into()
}

fn route(gateway: &Gateway, upstream: impl Into<Value>) {
    let upstream: Value = upstream.into();
    gateway.put("/routes/1", json!({"uri": "/*", "upstream": upstream}));
}

fn asked(gateway: &Gateway, target: &str, headers: &[&str]) -> String {
    let reply = gateway.request("GET", target, headers, b"");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.text()
}

#[test]
fn the_same_key_goes_to_the_same_node() {
    let upstreams = numbered(4);
    let gateway = Gateway::start();
    let cases: [(Value, Ask); 5] = [
        (json!({"key": "arg_user"}), |key| (format!("/?user={key}"), "A: b".to_owned())),
        (json!({"key": "uri"}), |key| (format!("/item/{key}"), "A: b".to_owned())),
        (json!({"hash_on": "header", "key": "X-Session"}), |key| ("/".into(), format!("x-session: {key}"))),
        (json!({"hash_on": "cookie", "key": "sid"}), |key| ("/".into(), format!("Cookie: a=1; sid={key}"))),
        (json!({"hash_on": "vars_combinations", "key": "$request_method-$arg_a"}), |key| {
            (format!("/?a={key}"), "A: b".to_owned())
        }),
    ];
    for (fields, request) in cases {
        let mut upstream = json!({"type": "chash", "nodes": nodes(&upstreams)});
        for (name, value) in fields.as_object().expect("fields") {
            upstream[name] = value.clone();
        }
        route(&gateway, upstream);
        let ask = |key| {
            let (target, header) = request(key);
            asked(&gateway, &target, &[&header])
        };
        let first: Vec<_> = (0..40).map(ask).collect();
        let again: Vec<_> = (0..40).map(ask).collect();
        assert_eq!(first, again, "{fields}");
        assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 4, "{fields}: all nodes have keys");
    }
}

#[test]
fn without_its_key_a_request_goes_by_the_address_of_its_client() {
    let upstreams = numbered(5);
    let gateway = Gateway::start();
    for (hash_on, key) in [("vars", "arg_none"), ("header", "x-none"), ("consumer", "any")] {
        route(&gateway, json!({"type": "chash", "hash_on": hash_on, "key": key, "nodes": nodes(&upstreams)}));
        let nodes: BTreeSet<_> = (0..20).map(|n| asked(&gateway, &format!("/{n}"), &[])).collect();
        assert_eq!(nodes.len(), 1, "{hash_on}");
    }
}

#[test]
fn a_key_that_cannot_be_read_is_refused_by_name() {
    let gateway = Gateway::start();
    let upstream = json!({"type": "chash", "key": "no_such_variable", "nodes": {"127.0.0.1:1": 1}});
    let (status, reply) = gateway.admin("PUT", "/routes/1", json!({"uri": "/", "upstream": upstream}));
    let said = reply["error_msg"].as_str().unwrap_or_default();
    assert!(status == 400 && said.ends_with("with \"no_such_variable\""), "{status} {reply}");
}

#[test]
fn a_node_that_is_added_takes_its_keys_from_all_and_moves_no_others() {
    let upstreams = numbered(5);
    let gateway = Gateway::start();
    let picks = |count: usize| -> Vec<String> {
        route(&gateway, json!({"type": "chash", "key": "arg_k", "nodes": nodes(&upstreams[..count])}));
        (0..200).map(|key| asked(&gateway, &format!("/?k={key}"), &[])).collect()
    };
    let (before, after) = (picks(4), picks(5));
    let moved: Vec<_> = before.iter().zip(&after).filter(|(was, is)| was != is).collect();
    assert!(moved.iter().all(|(_, is)| *is == "4") && (10..90).contains(&moved.len()), "{moved:?}");
    assert_eq!(picks(4), before);
}

#[test]
fn of_a_node_that_refuses_the_next_of_the_ring_gets_the_request() {
    let upstreams = numbered(2);
    let gateway = Gateway::start();
    let mut all = nodes(&upstreams);
    all[format!("127.0.0.1:{}", closed_port())] = json!(1);
    route(&gateway, json!({"type": "chash", "key": "arg_k", "nodes": all}));
    let nodes: BTreeSet<_> = (0..60).map(|key| asked(&gateway, &format!("/?k={key}"), &[])).collect();
    assert_eq!(nodes.len(), 2);
}

#[test]
fn least_conn_goes_around_nodes_that_are_busy_until_their_requests_end_in_any_way() {
    let gate = Gate::new();
    let opened = gate.clone();
    let busy = FakeUpstream::start(move |request, connection| {
        if request.target() == "/wait" {
            opened.pass();
        }
        connection.answer("200 OK", &[], "busy").map(|()| Then::Keep)
    });
    let free = FakeUpstream::fixed("free");
    let gateway = Gateway::start();
    let upstream = |free_weight: u32| {
        json!({"type": "least_conn", "nodes": [
            {"host": "127.0.0.1", "port": busy.port(), "weight": 1},
            {"host": "127.0.0.1", "port": free.port(), "weight": free_weight},
        ]})
    };
    route(&gateway, upstream(0));
    let mut waiting: Vec<_> = (0..3)
        .map(|_| {
            let mut connection = gateway.connect();
            connection.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").expect("the gateway listens");
            busy.next();
            connection
        })
        .collect();
    route(&gateway, upstream(1));
    assert!((0..10).all(|_| asked(&gateway, "/", &[]) == "free"), "counts outlive a change of weights");
    waiting.truncate(1);
    (0..3).for_each(|_| gate.open());
    drop(waiting);
    eventually("both nodes should be even again", || {
        let seen: Vec<_> = (0..10).map(|_| asked(&gateway, "/", &[])).collect();
        (seen.iter().filter(|node| *node == "busy").count() == 5).then_some(())
    });
}

#[test]
fn ewma_prefers_the_node_that_answers_sooner() {
    let gateway = Gateway::start();
    // Slow enough that no hitch of the machine makes the other one look slower.
    let slow = FakeUpstream::start(|_, connection| {
        thread::park_timeout(Duration::from_secs(1));
        connection.answer("200 OK", &[], "slow").map(|()| Then::Keep)
    });
    let quick = FakeUpstream::fixed("quick");
    route(&gateway, json!({"type": "ewma", "nodes": {slow.node(): 1, quick.node(): 1}}));
    let mut counts = BTreeMap::new();
    for _ in 0..60 {
        *counts.entry(asked(&gateway, "/", &[])).or_insert(0) += 1;
    }
    assert!(counts["quick"] > 50, "{counts:?}");
}

#[test]
fn every_balancer_falls_back_by_priority_and_never_asks_weight_0() {
    let spare = FakeUpstream::fixed("spare");
    let never = FakeUpstream::fixed("never");
    let gateway = Gateway::start();
    for balance in ["roundrobin", "chash", "ewma", "least_conn"] {
        let node = |port: u16, weight: u32, priority: i64| json!({"host": "127.0.0.1", "port": port, "weight": weight, "priority": priority});
        let nodes = [node(closed_port(), 1, 1), node(never.port(), 0, 1), node(spare.port(), 1, -1)];
        route(&gateway, json!({"type": balance, "key": "uri", "nodes": nodes}));
        assert!((0..8).all(|n| asked(&gateway, &format!("/{n}"), &[]) == "spare"), "{balance}");
    }
}

#[test]
fn retries_end_with_their_time() {
    let slow = FakeUpstream::start(|_, _| {
        thread::park_timeout(Duration::from_millis(300));
        Ok(Then::Close)
    });
    let spare = FakeUpstream::fixed("spare");
    let gateway = Gateway::start();
    let nodes = json!([
        {"host": "127.0.0.1", "port": slow.port(), "weight": 1, "priority": 1},
        {"host": "127.0.0.1", "port": spare.port(), "weight": 1},
    ]);
    for (limit, status) in [(0.0, 200), (20.0, 200), (0.1, 502)] {
        route(&gateway, json!({"type": "roundrobin", "retry_timeout": limit, "nodes": nodes}));
        assert_eq!(gateway.get("/").status, status, "retry_timeout {limit}");
    }
}
