//! Bodies flow while they are made: both ways, with back-pressure, and end when either side leaves.

use lockgate_tests::{Connection, FakeUpstream, Gate, Gateway, Then, eventually};
use serde_json::json;

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn gateway_for(upstream: &FakeUpstream) -> Gateway {
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    gateway
}

fn ask(gateway: &Gateway) -> Connection {
    let mut connection = gateway.connect();
    connection.send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").expect("the gateway reads");
    connection
}

#[test]
fn a_chunk_reaches_the_client_before_the_next_one_is_made() {
    let gate = Gate::new();
    let wait = gate.clone();
    let upstream = FakeUpstream::start(move |_, connection| {
        connection.send(CHUNKED)?;
        for number in 0..5 {
            connection.send_chunk(format!("chunk {number}"))?;
            wait.pass();
        }
        connection.send("0\r\n\r\n").map(|()| Then::Keep)
    });
    let gateway = gateway_for(&upstream);
    let mut connection = ask(&gateway);
    connection.read_head().expect("an answer").expect("not closed");
    for number in 0..5 {
        assert_eq!(connection.read_chunk().expect("a chunk").0, format!("chunk {number}").as_bytes());
        gate.open();
    }
    assert!(connection.read_chunk().expect("the last chunk").0.is_empty());
}

#[test]
fn an_upload_reaches_the_upstream_while_it_is_made() {
    let (arrived, gate) = (Gate::new(), Gate::new());
    let (tell, wait) = (arrived.clone(), gate.clone());
    let upstream = FakeUpstream::raw(move |_, mut connection| {
        let _ = connection.read_head();
        for _ in 0..3 {
            let (data, _) = connection.read_chunk().expect("a chunk");
            assert_eq!(data, b"part");
            tell.open();
        }
        wait.pass();
        let _ = connection.answer("200 OK", &["Connection: close"], "done");
    });
    let gateway = gateway_for(&upstream);
    let mut connection = gateway.connect();
    connection
        .send("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        .expect("the gateway reads");
    for _ in 0..3 {
        connection.send_chunk("part").expect("the gateway reads");
        arrived.pass();
    }
    connection.send("0\r\n\r\n").expect("the gateway reads");
    gate.open();
    assert_eq!(connection.reply().text(), "done");
}

#[test]
fn an_early_answer_reaches_a_client_that_is_still_uploading() {
    let upstream = FakeUpstream::raw(|_, mut connection| {
        let _ = connection.read_head();
        let _ = connection.answer("413 Content Too Large", &["Connection: close"], "too much");
        // Reads nothing of the body, as a server that has refused it.
        let _ = connection.read_to_close();
    });
    let gateway = gateway_for(&upstream);
    let mut connection = gateway.connect();
    connection
        .send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\nsome of it")
        .expect("the gateway reads");
    assert_eq!(connection.reply().status, 413);
}

#[test]
fn both_directions_flow_at_once() {
    let upstream = FakeUpstream::raw(|_, mut connection| {
        let _ = connection.read_head();
        let _ = connection.send(CHUNKED);
        while let Ok((data, _)) = connection.read_chunk() {
            if data.is_empty() {
                break;
            }
            let _ = connection.send_chunk(data);
        }
        let _ = connection.send("0\r\n\r\n");
    });
    let gateway = gateway_for(&upstream);
    let mut connection = gateway.connect();
    connection
        .send("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        .expect("the gateway reads");
    connection.send_chunk("ping 0").expect("the gateway reads");
    connection.read_head().expect("an answer").expect("not closed");
    for number in 1..10 {
        let (data, _) = connection.read_chunk().expect("the chunk comes back");
        assert_eq!(data, format!("ping {}", number - 1).as_bytes());
        connection.send_chunk(format!("ping {number}")).expect("the gateway reads");
    }
}

#[test]
fn a_slow_reader_does_not_make_the_gateway_buffer_the_answer() {
    const TOTAL: usize = 256 << 20;
    let upstream = FakeUpstream::raw(|_, mut connection| {
        let _ = connection.read_head();
        let _ = connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {TOTAL}\r\n\r\n"));
        let block = vec![b'x'; 1 << 20];
        for _ in 0..TOTAL >> 20 {
            if connection.send(&block).is_err() {
                return;
            }
        }
    });
    let gateway = gateway_for(&upstream);
    let before = gateway.process().resident();
    let mut connection = ask(&gateway);
    connection.read_head().expect("an answer").expect("not closed");
    let mut most = 0;
    for _ in 0..TOTAL >> 20 {
        connection.read_exact(1 << 20).expect("the body flows");
        most = most.max(gateway.process().resident());
    }
    assert!(most < before + 8 * 1024, "{most} KiB while streaming 256 MiB, {before} KiB before");
}

#[test]
fn a_client_that_leaves_ends_the_upstreams_work() {
    let ended = Gate::new();
    let tell = ended.clone();
    let upstream = FakeUpstream::raw(move |_, mut connection| {
        let _ = connection.read_head();
        let _ = connection.send(CHUNKED);
        let _ = connection.send_chunk("first");
        if connection.read_to_close().is_empty() {
            tell.open();
        }
    });
    let gateway = gateway_for(&upstream);
    let mut connection = ask(&gateway);
    connection.read_head().expect("an answer").expect("not closed");
    connection.close();
    ended.pass();
}

#[test]
fn a_client_that_leaves_before_the_answer_ends_the_upstreams_work() {
    let (arrived, ended) = (Gate::new(), Gate::new());
    let (tell_arrived, tell_ended) = (arrived.clone(), ended.clone());
    let upstream = FakeUpstream::raw(move |_, mut connection| {
        let _ = connection.read_head();
        tell_arrived.open();
        if connection.read_to_close().is_empty() {
            tell_ended.open();
        }
    });
    let gateway = gateway_for(&upstream);
    let connection = ask(&gateway);
    arrived.pass();
    connection.close();
    ended.pass();
}

#[test]
fn many_slow_clients_share_one_worker() {
    let gate = Gate::new();
    let wait = gate.clone();
    let upstream = FakeUpstream::start(move |_, connection| {
        wait.pass();
        connection.answer("200 OK", &[], "late").map(|()| Then::Keep)
    });
    let gateway = gateway_for(&upstream);
    let mut waiting: Vec<_> = (0..100).map(|_| ask(&gateway)).collect();
    eventually("all requests should be upstream", || (upstream.connections() == 100).then_some(()));
    (0..100).for_each(|_| gate.open());
    for connection in &mut waiting {
        assert_eq!(connection.reply().text(), "late");
    }
}
