//! Time, size and connections of calls to a function.

use std::sync::Arc;
use std::thread;

use lockgate_tests::{FakeUpstream, Gate, Gateway, Then, closed_port, eventually};
use serde_json::json;

use crate::at;

#[test]
fn a_function_that_does_not_answer_in_time_is_503() {
    let gate = Gate::new();
    let wait = gate.clone();
    let function = FakeUpstream::start(move |_, _| {
        wait.pass();
        Ok(Then::Close)
    });
    let gateway = Gateway::start();
    let mut config = at(&function, "/");
    config["timeout"] = json!(200);
    gateway.lambda("1", "/aws", config);
    let reply = gateway.get("/aws");
    assert_eq!(reply.status, 503);
    assert!(reply.json()["error_msg"].is_string(), "{}", reply.text());
    gate.open();
}

#[test]
fn a_function_that_cannot_be_reached_is_503() {
    let gateway = Gateway::start();
    for uri in [format!("http://127.0.0.1:{}/", closed_port()), "http://does-not-exist.invalid/".to_owned()] {
        gateway.lambda("1", "/aws", json!({"function_uri": uri}));
        let reply = gateway.get("/aws");
        assert_eq!(reply.status, 503, "{uri}");
        assert!(reply.json()["error_msg"].is_string(), "{}", reply.text());
    }
}

#[test]
fn a_timeout_does_not_bound_a_healthy_stream() {
    let gate = Gate::new();
    let wait = gate.clone();
    let function = FakeUpstream::start(move |_, connection| {
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        for _ in 0..8 {
            connection.send_chunk("beat")?;
            wait.pass();
        }
        connection.send("0\r\n\r\n").map(|()| Then::Keep)
    });
    let gateway = Gateway::start();
    let mut config = at(&function, "/");
    config["timeout"] = json!(2000);
    gateway.lambda("1", "/aws", config);
    let mut connection = gateway.connect();
    connection.send("GET /aws HTTP/1.1\r\nHost: h\r\n\r\n").expect("the gateway reads");
    connection.read_head().expect("an answer").expect("not closed");
    let start = std::time::Instant::now();
    for _ in 0..8 {
        connection.read_chunk().expect("a chunk");
        let chunk = std::time::Instant::now();
        // The silence between two chunks is what this test is about: shorter than the timeout, longer in sum.
        eventually("300 ms pass", || (chunk.elapsed().as_millis() >= 300).then_some(()));
        gate.open();
    }
    assert!(connection.read_chunk().expect("the last chunk").0.is_empty());
    assert!(start.elapsed().as_millis() > 2000);
}

#[test]
fn a_body_over_max_req_body_size_is_400_as_in_apisix() {
    let (gateway, function) = (Gateway::start(), FakeUpstream::fixed("ok"));
    let mut config = at(&function, "/");
    config["max_req_body_size"] = json!(4);
    gateway.lambda("1", "/aws", config);
    assert_eq!(gateway.request("POST", "/aws", &[], b"1234").status, 200);
    let reply = gateway.request("POST", "/aws", &[], b"12345");
    assert_eq!(reply.status, 400);
    assert!(reply.json()["error_msg"].is_string(), "{}", reply.text());
    let chunked =
        "POST /aws HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n";
    assert_eq!(gateway.connect().exchange(chunked).status, 400);
    assert_eq!(function.pending().len(), 1, "an oversized body never reaches the function whole");
}

#[test]
fn a_stale_pooled_connection_is_retried_unseen() {
    let (gateway, function) = (Gateway::start(), FakeUpstream::fixed("ok"));
    gateway.lambda("1", "/aws", at(&function, "/"));
    for round in 0..20 {
        assert_eq!(gateway.get("/aws").status, 200, "round {round}");
        function.close_connections();
        assert_eq!(gateway.request("POST", "/aws", &[], b"body").status, 200, "round {round}, with a body");
        function.close_connections();
    }
}

#[test]
fn a_function_that_closes_after_each_answer_is_served_all_the_same() {
    let function =
        FakeUpstream::start(|_, connection| connection.answer("200 OK", &[], "once").map(|()| Then::Close));
    let gateway = Gateway::start();
    gateway.lambda("1", "/aws", at(&function, "/"));
    for round in 0..50 {
        assert_eq!(gateway.get("/aws").status, 200, "round {round}");
    }
}

#[test]
fn fifty_clients_on_the_default_pool_do_not_open_a_connection_per_request() {
    let function = FakeUpstream::fixed("ok");
    let gateway = Arc::new(Gateway::start());
    gateway.lambda("1", "/aws", at(&function, "/"));
    let clients: Vec<_> = (0..50)
        .map(|_| {
            let gateway = Arc::clone(&gateway);
            thread::spawn(move || {
                let mut connection = gateway.connect();
                for _ in 0..40 {
                    assert_eq!(connection.exchange("GET /aws HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
                }
            })
        })
        .collect();
    for client in clients {
        client.join().expect("every request is answered with 200");
    }
    let opened = function.connections();
    assert!(opened <= 100, "{opened} connections for 2,000 requests of 50 clients");
}

#[test]
fn without_keepalive_every_call_has_its_own_connection() {
    let function = FakeUpstream::fixed("ok");
    let gateway = Gateway::start();
    let mut config = at(&function, "/");
    config["keepalive"] = json!(false);
    gateway.lambda("1", "/aws", config);
    for _ in 0..5 {
        assert_eq!(gateway.get("/aws").status, 200);
    }
    assert_eq!(function.connections(), 5);
}

#[test]
fn a_pool_keeps_no_more_idle_connections_than_it_may() {
    let gate = Gate::new();
    let wait = gate.clone();
    let function = FakeUpstream::start(move |_, connection| {
        wait.pass();
        connection.answer("200 OK", &[], "ok")?;
        Ok(Then::Keep)
    });
    let gateway = Gateway::start();
    let mut config = at(&function, "/");
    config["keepalive_pool"] = json!(2);
    gateway.lambda("1", "/aws", config);
    let mut clients: Vec<_> = (0..10)
        .map(|_| {
            let mut connection = gateway.connect();
            connection.send("GET /aws HTTP/1.1\r\nHost: h\r\n\r\n").expect("the gateway reads");
            connection
        })
        .collect();
    eventually("ten calls should be with the function", || (function.connections() == 10).then_some(()));
    (0..10).for_each(|_| gate.open());
    assert!(clients.iter_mut().all(|client| client.reply().status == 200));
    eventually("eight of ten idle connections should be closed", || (function.open() <= 2).then_some(()));
}
