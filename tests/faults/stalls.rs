//! Silence at every phase: each wait has an end, and the end has one status.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use lockgate_tests::{DEADLINE, eventually};
use serde_json::json;
use socket2::{Domain, Socket, Type};

use crate::support::{Upstream, WELL, answer, connect, head, impatient, is_well, logged, rest, route};

fn well() -> Upstream {
    Upstream::start(|mut socket| {
        while let Some(head) = head(&mut socket) {
            if let Some(length) = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")) {
                let mut body = vec![0; length.parse().expect("a number")];
                if socket.read_exact(&mut body).is_err() {
                    return;
                }
            }
            let _ = socket.write_all(WELL.as_bytes());
        }
    })
}

/// Waits for the end of a connection, which comes by a time-out of the gateway's.
fn ends(socket: &mut TcpStream, what: &str) -> String {
    let begun = Instant::now();
    let said = rest(socket);
    assert!(begun.elapsed() < DEADLINE / 2, "{what}: it ends late");
    said
}

#[test]
fn a_client_that_stalls_in_its_head_is_let_go() {
    let upstream = well();
    let gateway = impatient(upstream.address);
    for start in ["G", "GET / HTTP/1.1\r", "GET / HTTP/1.1\r\nHost: h\r\n", "GET / HTTP/1.1\r\nHost: h\r\n\r"]
    {
        let mut client = connect(gateway.proxy);
        client.write_all(start.as_bytes()).expect("the gateway reads");
        let said = ends(&mut client, start);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408 "), "{start:?}: {said:?}");
    }
    is_well(&mut connect(gateway.proxy), "another client");
}

#[test]
fn a_client_that_feeds_its_head_byte_by_byte_is_let_go_all_the_same() {
    let upstream = well();
    let gateway = impatient(upstream.address);
    let mut client = connect(gateway.proxy);
    let mut slow = client.try_clone().expect("a socket can be cloned");
    std::thread::spawn(move || {
        let long = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}", "a".repeat(1000));
        for byte in long.bytes() {
            if slow.write_all(&[byte]).is_err() {
                return;
            }
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
    });
    let begun = Instant::now();
    rest(&mut client);
    assert!(begun.elapsed() < DEADLINE / 2, "a byte now and then is no head");
}

#[test]
fn a_client_that_stalls_in_its_body_gets_408() {
    let upstream = Upstream::start(|mut socket| {
        while head(&mut socket).is_some_and(|head| head.starts_with("GET ")) {
            let _ = socket.write_all(WELL.as_bytes());
        }
        rest(&mut socket);
    });
    let gateway = impatient(upstream.address);
    let bodies = [
        ("Content-Length: 9", ""),
        ("Content-Length: 9", "half"),
        ("Transfer-Encoding: chunked", ""),
        ("Transfer-Encoding: chunked", "4"),
        ("Transfer-Encoding: chunked", "4\r\nab"),
        ("Transfer-Encoding: chunked", "4\r\nabcd"),
        ("Transfer-Encoding: chunked", "4\r\nabcd\r\n0\r\n"),
        ("Transfer-Encoding: chunked", "4\r\nabcd\r\n0\r\nX: "),
    ];
    for (at, (framing, body)) in bodies.into_iter().enumerate() {
        let mut client = connect(gateway.proxy);
        let request = format!("POST /stall-{at} HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n{body}");
        client.write_all(request.as_bytes()).expect("the gateway reads");
        let (status, _) = answer(&mut client).unwrap_or_else(|| panic!("{body:?}: no answer"));
        assert_eq!(status, 408, "{body:?}");
        assert_eq!(ends(&mut client, body), "", "{body:?}");
        let statuses = eventually("it should be logged", || {
            Some(logged(&gateway, &format!("/stall-{at}"))).filter(|statuses| !statuses.is_empty())
        });
        assert_eq!(statuses, ["408"], "{body:?}");
    }
    is_well(&mut connect(gateway.proxy), "another client");
}

#[test]
fn a_client_that_takes_nothing_of_its_answer_is_let_go_and_the_upstream_too() {
    let (sender, gone) = std::sync::mpsc::channel();
    let upstream = Upstream::start(move |mut socket| {
        head(&mut socket);
        let start = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 1_u64 << 30);
        let _ = socket.write_all(start.as_bytes());
        let piece = vec![0; 1 << 20];
        while socket.write_all(&piece).is_ok() {}
        let _ = sender.send(());
    });
    let gateway = impatient(upstream.address);
    let mut client = connect(gateway.proxy);
    client.write_all(b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n").expect("the gateway reads");
    gone.recv_timeout(DEADLINE).expect("the upstream should be let go");
}

#[test]
fn an_upstream_that_stalls_before_or_in_its_head_is_504() {
    let starts = ["", "HTTP", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r"];
    for start in starts {
        let upstream = Upstream::start(move |mut socket| {
            head(&mut socket);
            let _ = socket.write_all(start.as_bytes());
            // Until the gateway lets go.
            head(&mut socket);
        });
        let gateway = impatient(upstream.address);
        let mut client = connect(gateway.proxy);
        client.write_all(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n").expect("the gateway reads");
        let (status, _) = answer(&mut client).unwrap_or_else(|| panic!("{start:?}: no answer"));
        assert_eq!(status, 504, "{start:?}");
        let upstream = well();
        route(&gateway, upstream.address, &json!({"connect": 5, "send": 5, "read": 5}));
        is_well(&mut client, start);
    }
}

#[test]
fn an_upstream_that_stalls_in_its_body_breaks_off() {
    for start in ["Content-Length: 9\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"] {
        let upstream = Upstream::start(move |mut socket| {
            head(&mut socket);
            let _ = socket.write_all(format!("HTTP/1.1 200 OK\r\n{start}").as_bytes());
            head(&mut socket);
        });
        let gateway = impatient(upstream.address);
        let mut client = connect(gateway.proxy);
        client.write_all(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n").expect("the gateway reads");
        let said = ends(&mut client, start);
        assert!(said.starts_with("HTTP/1.1 200 ") && said.contains("half"), "{said:?}");
        assert!(!said.contains("0\r\n\r\n") || !said.contains("chunked"), "{said:?}");
    }
}

#[test]
fn an_upstream_that_takes_nothing_of_an_upload_is_given_up() {
    let upstream = Upstream::start(|mut socket| {
        head(&mut socket);
        std::thread::park_timeout(DEADLINE);
    });
    let gateway = impatient(upstream.address);
    let mut client = connect(gateway.proxy);
    let start = format!("POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", 1_u64 << 30);
    client.write_all(start.as_bytes()).expect("the gateway reads");
    let mut upload = client.try_clone().expect("a socket can be cloned");
    std::thread::spawn(move || {
        let piece = vec![0; 1 << 20];
        while upload.write_all(&piece).is_ok() {}
    });
    let (status, _) = answer(&mut client).expect("an answer");
    assert!(status == 504 || status == 502, "{status}");
}

#[test]
fn an_upstream_that_takes_no_connection_is_504() {
    let (_full, address, _fillers) = full_listener();
    let gateway = impatient(address);
    let mut client = connect(gateway.proxy);
    client.write_all(b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n").expect("the gateway reads");
    assert_eq!(answer(&mut client).expect("an answer").0, 504);
    let upstream = well();
    route(&gateway, upstream.address, &json!({"connect": 5, "send": 5, "read": 5}));
    is_well(&mut client, "the same connection");
}

/// A socket whose queue of connections is full: nobody accepts from it.
fn full_listener() -> (Socket, SocketAddr, Vec<Socket>) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
    listener.listen(0).expect("a bound socket listens");
    let address = listener.local_addr().expect("a bound socket has an address");
    let address = address.as_socket().expect("an internet address");
    let fillers = (0..4).map(|_| {
        let filler = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        filler.set_nonblocking(true).expect("a socket");
        let _ = filler.connect(&address.into());
        filler
    });
    let fillers = fillers.collect();
    (listener, address, fillers)
}
