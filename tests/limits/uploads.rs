//! Uploads that are answered before their end: the client is told when the connection ends with the answer.

use lockgate_tests::{Connection, FakeUpstream, Gateway, Reply};
use serde_json::json;

const CHUNKED: &str = "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Whether an answer tells the client that no other follows, and none does.
fn is_the_last(connection: &mut Connection, reply: &Reply) -> bool {
    let is_told = reply.get("connection") == Some("close");
    if is_told {
        assert!(connection.read_to_close().is_empty());
    }
    is_told
}

#[test]
fn a_refusal_before_the_end_of_chunks_is_the_last_answer_and_says_so() {
    let gateway = Gateway::start();
    for part in ["", "3\r\nabc\r\n", "ffffff\r\nabc", "0\r\nX: y\r\n"] {
        let mut connection = gateway.connect();
        connection.send(format!("{CHUNKED}{part}")).expect("the gateway reads");
        let reply = connection.reply();
        assert_eq!(reply.status, 404, "{part:?}");
        assert!(is_the_last(&mut connection, &reply), "{part:?}: {:?}", reply.head);
    }
}

#[test]
fn a_refusal_of_chunks_that_have_all_come_leaves_the_connection() {
    let gateway = Gateway::start();
    let mut connection = gateway.connect();
    for _ in 0..3 {
        let reply = connection.exchange(format!("{CHUNKED}3\r\nabc\r\n0\r\nX: y\r\n\r\n"));
        assert_eq!((reply.status, reply.get("connection")), (404, None));
    }
}

#[test]
fn an_upstreams_early_answer_is_the_last_where_much_of_the_upload_may_be_left() {
    let upstream = FakeUpstream::raw(|_, mut connection| {
        connection.read_head().expect("a head").expect("not closed");
        let _ = connection.answer("413 Content Too Large", &[], "big");
        // The gateway ends this connection, as half a request is on it.
        connection.read_to_close();
    });
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    let length = |length: usize| format!("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    for (start, ends) in [
        (format!("{CHUNKED}3\r\nabc\r\n"), true),
        (format!("{}abc", length(1 << 30)), true),
        (format!("{}abc", length(10)), false),
    ] {
        let mut connection = gateway.connect();
        connection.send(&start).expect("the gateway reads");
        let reply = connection.reply();
        assert_eq!(reply.status, 413, "{start}");
        assert_eq!(is_the_last(&mut connection, &reply), ends, "{start}: {:?}", reply.head);
        if !ends {
            connection.send("defghij").expect("the gateway reads");
            assert_eq!(connection.exchange(length(0)).status, 413, "the connection goes on");
        }
    }
}
