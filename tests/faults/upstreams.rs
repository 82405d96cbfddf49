//! Upstreams that repeat themselves, speak out of turn, send garbage or hang up.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::channel;

use lockgate_tests::{DEADLINE, Gate, Gateway, Settings, closed_port};
use serde_json::json;

use crate::support::{End, Upstream, WELL, answer, connect, end, head, impatient, is_well, rest, route};

fn gateway(upstream: &Upstream) -> Gateway {
    let gateway = Gateway::start();
    route(&gateway, upstream.address, &json!({"connect": 5, "send": 5, "read": 5}));
    gateway
}

fn ask(client: &mut TcpStream, target: &str) -> Option<(u16, String)> {
    client.write_all(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).ok()?;
    answer(client)
}

#[test]
fn an_upstream_that_answers_twice_is_heard_once() {
    let upstream = Upstream::start(|mut socket| {
        while let Some(head) = head(&mut socket) {
            let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}", target.len());
            let again = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain";
            if socket.write_all(format!("{answer}{again}").as_bytes()).is_err() {
                return;
            }
        }
    });
    let gateway = gateway(&upstream);
    let mut client = connect(gateway.proxy);
    for number in 0..20 {
        let target = format!("/number-{number}");
        assert_eq!(ask(&mut client, &target), Some((200, target)));
    }
}

#[test]
fn what_an_upstream_says_between_two_requests_is_nobodys_answer() {
    let (gate, said) = (Gate::new(), Gate::new());
    let (opened, spoken) = (gate.clone(), said.clone());
    let upstream = Upstream::start(move |mut socket| {
        while head(&mut socket).is_some() {
            let _ = socket.write_all(WELL.as_bytes());
            if opened.try_pass() {
                let _ = socket.write_all(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\n\r\nlate");
                spoken.open();
            }
        }
    });
    let gateway = gateway(&upstream);
    let mut client = connect(gateway.proxy);
    for number in 0..10 {
        assert_eq!(ask(&mut client, "/x"), Some((200, "well".to_owned())), "request {number}");
        gate.open();
        said.pass();
    }
    drop(client);
    // Those of its connections that still wait go on.
    (0..20).for_each(|_| gate.open());
}

#[test]
fn an_upstream_that_sends_garbage_is_502_each_time() {
    let garbage: Vec<u8> =
        (0..200_000_u32).map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let upstream = Upstream::start(move |mut socket| {
        head(&mut socket);
        let _ = socket.write_all(&garbage);
        end(socket, End::Reset);
    });
    let gateway = gateway(&upstream);
    let mut client = connect(gateway.proxy);
    for number in 0..10 {
        let (status, body) = ask(&mut client, "/x").unwrap_or_else(|| panic!("request {number}: no answer"));
        assert!(status == 502 && body.contains("error_msg"), "{status} {body}");
    }
}

#[test]
fn an_upstream_that_hangs_up_at_once_is_502() {
    for how in [End::Close, End::Reset] {
        let upstream = Upstream::start(move |socket| end(socket, how));
        let gateway = gateway(&upstream);
        let mut client = connect(gateway.proxy);
        for request in [
            "GET /x HTTP/1.1\r\nHost: h\r\n\r\n",
            "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody",
        ] {
            client.write_all(request.as_bytes()).expect("the gateway reads");
            assert_eq!(answer(&mut client).map(|(status, _)| status), Some(502), "{how:?} {request:?}");
        }
    }
}

#[test]
fn an_upstream_that_nobody_hears_is_502_and_one_that_comes_back_is_asked() {
    let gateway = Gateway::start();
    let nobody = ([127, 0, 0, 1], closed_port()).into();
    route(&gateway, nobody, &json!({"connect": 5, "send": 5, "read": 5}));
    let mut client = connect(gateway.proxy);
    assert_eq!(ask(&mut client, "/x").map(|(status, _)| status), Some(502));
    let upstream = Upstream::start(|mut socket| {
        while head(&mut socket).is_some() {
            let _ = socket.write_all(WELL.as_bytes());
        }
    });
    route(&gateway, upstream.address, &json!({"connect": 5, "send": 5, "read": 5}));
    is_well(&mut client, "the same connection");
}

#[test]
fn an_upstream_that_never_answers_is_504_and_let_go() {
    let (sender, gone) = channel();
    let upstream = Upstream::start(move |mut socket| {
        head(&mut socket);
        // The end comes from the other side.
        let read = socket.read(&mut [0]);
        let _ = sender.send(read.is_ok_and(|count| count == 0));
    });
    let gateway = impatient(upstream.address);
    let mut client = connect(gateway.proxy);
    for _ in 0..3 {
        assert_eq!(ask(&mut client, "/x").map(|(status, _)| status), Some(504));
        assert!(gone.recv_timeout(DEADLINE).expect("the upstream is let go"));
    }
}

#[test]
fn a_client_that_leaves_lets_the_upstream_go() {
    for how in [End::Close, End::Reset] {
        let (sender, gone) = channel();
        let upstream = Upstream::start(move |mut socket| {
            head(&mut socket);
            let _ = sender.send(false);
            let read = socket.read(&mut [0]);
            let _ = sender.send(read.is_ok_and(|count| count == 0));
        });
        let gateway = gateway(&upstream);
        let mut client = connect(gateway.proxy);
        client.write_all(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n").expect("the gateway reads");
        assert_eq!(gone.recv_timeout(DEADLINE), Ok(false), "the upstream is asked");
        end(client, how);
        assert_eq!(gone.recv_timeout(DEADLINE), Ok(true), "{how:?}: the upstream is let go");
    }
}

#[test]
fn an_upstream_that_resets_in_the_middle_of_an_upload_is_one_502() {
    let upstream = Upstream::start(|mut socket| {
        head(&mut socket);
        let mut some = vec![0; 100_000];
        let _ = socket.read_exact(&mut some);
        end(socket, End::Reset);
    });
    let gateway = gateway(&upstream);
    let mut client = connect(gateway.proxy);
    let start = format!("POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", 64 << 20);
    client.write_all(start.as_bytes()).expect("the gateway reads");
    let mut upload = client.try_clone().expect("a socket can be cloned");
    std::thread::spawn(move || {
        let piece = vec![0; 1 << 20];
        for _ in 0..64 {
            if upload.write_all(&piece).is_err() {
                return;
            }
        }
    });
    assert_eq!(answer(&mut client).map(|(status, _)| status), Some(502));
    let more = rest(&mut client);
    assert!(!more.contains("HTTP/1.1"), "{more}");
}

#[test]
fn a_request_behind_an_expectation_that_was_refused_is_neither_body_nor_request() {
    let inner = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
    let (sender, seen) = channel();
    let upstream = Upstream::start(move |mut socket| {
        if head(&mut socket).is_some_and(|head| head.contains("\r\nExpect: 100-continue\r\n")) {
            let _ = socket.write_all(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno");
            let _ = sender.send(rest(&mut socket));
        }
    });
    let gateway = Gateway::with(Settings::new().set("lockgate.pass_expect", json!(true)));
    route(&gateway, upstream.address, &json!({"connect": 5, "send": 5, "read": 5}));
    let mut client = connect(gateway.proxy);
    let length = inner.len();
    let start =
        format!("POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n");
    client.write_all(start.as_bytes()).expect("the gateway reads");
    assert_eq!(answer(&mut client).map(|(status, _)| status), Some(417));
    // It may come as a body that the client sends all the same, or as the next request: nobody can tell.
    let _ = client.write_all(inner.as_bytes());
    let more = rest(&mut client);
    assert!(!more.contains("HTTP/1.1"), "{more}");
    let seen = seen.recv_timeout(DEADLINE).expect("the upstream is let go");
    assert!(seen.is_empty(), "{seen}");
}
