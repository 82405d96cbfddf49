//! Changes while requests flow: none is lost, none sees half of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use lockgate_tests::{FakeUpstream, Gate, Gateway, Settings, Then};
use serde_json::json;

/// An upstream that answers with the host and path it was called by.
fn telling() -> FakeUpstream {
    FakeUpstream::start(|request, connection| {
        let host = request.head.get("host").unwrap_or_default();
        connection.answer("200 OK", &[], format!("{host} {}", request.target())).map(|()| Then::Keep)
    })
}

#[test]
fn a_thousand_changes_under_load_lose_no_request_and_show_none_half_done() {
    const CHANGES: usize = 1_000;
    let upstream = telling();
    let gateway = Arc::new(Gateway::with(Settings::new().set("nginx_config.worker_processes", json!(2))));
    let change = |number: usize| {
        // Two fields that must agree: the host the upstream is called by, and the path of the function.
        let node = json!({"type": "roundrobin", "nodes": {upstream.node(): 1}, "pass_host": "rewrite",
            "upstream_host": format!("host-{number}")});
        gateway.put("/routes/1", json!({"uri": "/x", "name": format!("name-{number}"), "upstream": node}));
    };
    change(0);
    let (stop, floor, served) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (gateway, stop) = (Arc::clone(&gateway), Arc::clone(&stop));
            let (floor, served) = (Arc::clone(&floor), Arc::clone(&served));
            thread::spawn(move || {
                let mut connection = gateway.connect();
                while !stop.load(Ordering::SeqCst) {
                    let before = floor.load(Ordering::SeqCst);
                    let reply = connection.exchange("GET /x HTTP/1.1\r\nHost: client\r\n\r\n");
                    assert_eq!(reply.status, 200, "{}", reply.text());
                    let text = reply.text();
                    let number =
                        text.strip_prefix("host-").and_then(|rest| rest.split(' ').next()?.parse().ok());
                    let number: usize = number.unwrap_or_else(|| panic!("an answer of no revision: {text}"));
                    assert!(number >= before, "PUT {before} was answered, then {number} served");
                    served.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for number in 1..=CHANGES {
        change(number);
        floor.store(number, Ordering::SeqCst);
    }
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().expect("no request fails");
    }
    assert!(served.load(Ordering::SeqCst) > 100, "the clients were busy meanwhile");
}

#[test]
fn a_request_sees_one_configuration_from_start_to_end() {
    let (arrived, gate) = (Gate::new(), Gate::new());
    let (tell, wait) = (arrived.clone(), gate.clone());
    let slow = FakeUpstream::start(move |_, connection| {
        tell.open();
        wait.pass();
        connection.answer("200 OK", &[], "old").map(|()| Then::Keep)
    });
    let new = FakeUpstream::fixed("new");
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/x"}), &slow.node());
    let mut connection = gateway.connect();
    connection.send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").expect("the gateway reads");
    arrived.pass();
    gateway.route("1", json!({"uri": "/x"}), &new.node());
    assert_eq!(gateway.get("/x").text(), "new");
    gate.open();
    assert_eq!(connection.reply().text(), "old");
    assert_eq!(
        connection.exchange("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").text(),
        "new",
        "on the same connection"
    );
}

#[test]
fn a_put_is_live_when_it_answers() {
    let upstreams = [FakeUpstream::fixed("a"), FakeUpstream::fixed("b")];
    let gateway = Gateway::with(Settings::new().set("nginx_config.worker_processes", json!(2)));
    for round in 0..100 {
        gateway.route("1", json!({"uri": "/x"}), &upstreams[round % 2].node());
        assert_eq!(gateway.get("/x").text(), ["a", "b"][round % 2], "round {round}");
    }
}

#[test]
fn unrelated_connections_to_upstreams_survive_a_change() {
    let upstream = telling();
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/x"}), &upstream.node());
    let mut connection = gateway.connect();
    for round in 0..20 {
        gateway
            .put(&format!("/routes/other-{round}"), json!({"uri": format!("/other-{round}"), "plugins": {}}));
        assert_eq!(connection.exchange("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
    }
    assert_eq!(upstream.connections(), 1);
}
