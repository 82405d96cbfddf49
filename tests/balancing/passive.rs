//! Passive checks: what the answers to clients' requests say about a node.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lockgate_tests::{FakeUpstream, Gateway, Then, eventually};
use serde_json::json;

#[test]
fn a_node_that_answers_badly_is_passed_over_until_a_check_finds_it_well() {
    let is_well = Arc::new(AtomicBool::new(false));
    let (well, checked) = (is_well.clone(), is_well.clone());
    let ill = FakeUpstream::start(move |_, connection| {
        let status = if well.load(Ordering::SeqCst) { "200 OK" } else { "500 Internal Server Error" };
        connection.answer(status, &[], "ill").map(|()| Then::Keep)
    });
    let check = FakeUpstream::start(move |_, connection| {
        // No status that speaks for it, or against it, as long as it is ill.
        let status = if checked.load(Ordering::SeqCst) { "200 OK" } else { "418 Teapot" };
        connection.answer(status, &[], "").map(|()| Then::Close)
    });
    let good = FakeUpstream::fixed("good");
    let gateway = Gateway::start();
    let checks = json!({
        "active": {"port": check.port(), "healthy": {"successes": 1}},
        "passive": {"unhealthy": {"http_failures": 3}},
    });
    let nodes = json!({ill.node(): 1, good.node(): 1});
    gateway.put("/routes/1", json!({"uri": "/*", "upstream": {"nodes": nodes, "checks": checks}}));
    let statuses: Vec<_> = (0..40).map(|_| gateway.get("/").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 500).count(), 3, "{statuses:?}");
    assert!(statuses[6..].iter().all(|status| *status == 200), "{statuses:?}");
    is_well.store(true, Ordering::SeqCst);
    eventually("the node should answer again", || (gateway.get("/").text() == "ill").then_some(()));
}

#[test]
fn without_passive_checks_answers_say_nothing() {
    let ill = FakeUpstream::start(|request, connection| {
        let status = if request.target() == "/ok" { "200 OK" } else { "500 Internal Server Error" };
        connection.answer(status, &[], "ill").map(|()| Then::Keep)
    });
    let good = FakeUpstream::fixed("good");
    let gateway = Gateway::start();
    let checks = json!({"active": {"http_path": "/ok"}});
    let nodes = json!({ill.node(): 1, good.node(): 1});
    gateway.put("/routes/1", json!({"uri": "/*", "upstream": {"nodes": nodes, "checks": checks}}));
    let failed = (0..40).filter(|_| gateway.get("/").status == 500).count();
    assert_eq!(failed, 20);
}
