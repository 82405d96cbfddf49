//! HTTP/2 that is cut behind each of its bytes: a client's conversation, and a node's answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use lockgate_tests::wire::*;
use lockgate_tests::{Connection, FakeUpstream, Gateway, Then};
use serde_json::json;

use crate::support::{End, Upstream, are_logged, connect, end, is_well, rest};

/// A request with a body in two frames; where its head ends.
fn conversation(target: &str) -> (Vec<u8>, usize) {
    let mut fields = POST;
    fields[2] = (":path", target);
    let head = [PREFACE, &settings([]), &headers(1, END_HEADERS, block(&fields))].concat();
    let len = head.len();
    (([head, data(1, 0, "1234"), data(1, END_STREAM, "56789")].concat()), len)
}

#[test]
fn a_client_of_http2_that_is_cut_off_at_any_byte_leaves_no_whole_request_behind() {
    let upstream = FakeUpstream::fixed("well");
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    let mut taken = Vec::new();
    for (how, name) in [(End::Close, "close"), (End::Reset, "reset")] {
        let (whole, head) = conversation(&format!("/{name}-0000"));
        for cut in 1..whole.len() {
            let target = format!("/{name}-{cut:04}");
            let (bytes, _) = conversation(&target);
            let mut client = connect(gateway.proxy);
            client.write_all(&bytes[..cut]).expect("the gateway reads");
            end(client, how);
            if cut >= head {
                let target = format!("/{name}/{cut:04}");
                cut_behind_the_head(&gateway, &target, cut, how);
                taken.push(target);
            }
        }
    }
    is_well(&mut connect(gateway.proxy), "behind all of them");
    let arrived = upstream.pending();
    let targets: Vec<_> = arrived.iter().map(|request| request.target().to_owned()).collect();
    assert_eq!(targets, ["/well"], "requests that were cut off");
    assert!(taken.len() > 40, "{}", taken.len());
    are_logged(&gateway, &taken, &["499", "400"]);
}

/// The same, but the rest comes when the gateway has taken the head: a request that it never took has no line.
fn cut_behind_the_head(gateway: &Gateway, target: &str, cut: usize, how: End) {
    let (bytes, head) = conversation(target);
    let mut client = connect(gateway.proxy);
    let mut frames = Frames::over(Connection::plain(client.try_clone().expect("a socket can be cloned")));
    frames.send([&bytes[..head], &ping(0)].concat());
    frames.until("the answer to a ping", |frame| frame.kind == PING && frame.flags == ACK);
    drop(frames);
    client.write_all(&bytes[head..cut]).expect("the gateway reads");
    end(client, how);
}

#[test]
fn a_request_whose_client_closes_right_behind_it_is_taken_and_logged() {
    let upstream = FakeUpstream::fixed("well");
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    let mut asked = Vec::new();
    for number in 0..50 {
        let target = format!("/gone/{number:04}");
        let client = connect(gateway.proxy);
        let mut frames = Frames::over(Connection::plain(client.try_clone().expect("a socket can be cloned")));
        frames.send([PREFACE, &settings([]), &ping(0)].concat());
        frames.until("the answer to a ping", |frame| frame.kind == PING && frame.flags == ACK);
        let mut fields = GET;
        fields[2] = (":path", &target);
        frames.send(headers(1, WHOLE, block(&fields)));
        drop(frames);
        end(client, End::Close);
        asked.push(target);
    }
    are_logged(&gateway, &asked, &["200", "499"]);
}

/// How many bytes the gateway says to a request, and behind how many the head of its answer begins.
fn answered(gateway: &Gateway) -> (usize, usize) {
    let mut client = Frames::over(Connection::plain(connect(gateway.proxy)));
    client.send(conversation("/close-0000").0);
    let (mut len, mut head) = (0, 0);
    loop {
        let frame = client.next_frame().expect("the answer comes whole");
        if frame.kind == HEADERS {
            head = len;
        }
        len += 9 + frame.payload.len();
        if frame.stream == 1 && frame.flags & END_STREAM != 0 {
            return (len, head);
        }
    }
}

#[test]
fn a_client_of_http2_that_takes_some_bytes_of_its_answer_and_leaves_is_let_go() {
    // With a date of its own: the gateway's would be packed into fewer bytes in some seconds than in others.
    let upstream = FakeUpstream::start(|_, connection| {
        let date = ["Date: Sun, 22 Nov 2026 14:44:23 GMT"];
        connection.answer("200 OK", &date, "well").map(|()| Then::Keep)
    });
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    let (len, head) = answered(&gateway);
    let mut asked = Vec::new();
    for (how, name) in [(End::Close, "close"), (End::Reset, "reset")] {
        for count in 0..=len {
            let target = format!("/{name}-{count:04}");
            let mut client = connect(gateway.proxy);
            client.write_all(&conversation(&target).0).expect("the gateway reads");
            client.read_exact(&mut vec![0; count]).expect("the gateway answers");
            end(client, how);
            if count > head {
                asked.push(target);
            }
            is_well(&mut connect(gateway.proxy), "another client");
        }
    }
    assert!(asked.len() > 20, "{}", asked.len());
    are_logged(&gateway, &asked, &["200", "499"]);
}

/// What a node sends behind the head of a request, and how it ends then.
type Script = Arc<Mutex<(Vec<u8>, End)>>;

fn node(socket: TcpStream, script: &Script) {
    let mut connection = Connection::plain(socket.try_clone().expect("a socket can be cloned"));
    if connection.read_exact(PREFACE.len()).is_err() {
        return;
    }
    let mut frames = Frames::over(connection);
    frames.send(settings([]));
    while let Ok(frame) = frames.try_next() {
        if frame.kind == SETTINGS && frame.flags == 0 {
            frames.send(self::frame(SETTINGS, ACK, 0, []));
        }
        if frame.kind == HEADERS {
            let (bytes, how) = script.lock().expect("no test has failed yet").clone();
            frames.send(bytes);
            drop(frames);
            return end(socket, how);
        }
    }
}

#[test]
fn a_node_of_http2_that_is_cut_off_at_any_byte_is_never_passed_on_as_whole() {
    let script = Arc::new(Mutex::new((Vec::new(), End::Close)));
    let said = script.clone();
    let upstream = Upstream::start(move |socket| node(socket, &said));
    let well = FakeUpstream::fixed("well");
    let gateway = Gateway::start();
    gateway.route("well", json!({"uri": "/well"}), &well.node());
    let to = json!({"type": "roundrobin", "scheme": "grpc", "nodes": {upstream.address.to_string(): 1},
        "timeout": {"connect": 5, "send": 5, "read": 5}});
    gateway.put("/routes/1", json!({"uri": "/*", "upstream": to}));
    let mut asked = Vec::new();
    for (how, name) in [(End::Close, "close"), (End::Reset, "reset")] {
        for (number, fields) in [&[(":status", "200")][..], &[(":status", "200"), ("content-length", "9")]]
            .into_iter()
            .enumerate()
        {
            let head = headers(1, END_HEADERS, block(fields));
            let whole = [head.clone(), data(1, 0, "1234"), data(1, END_STREAM, "56789")].concat();
            for cut in 0..whole.len() {
                *script.lock().expect("no test has failed yet") = (whole[..cut].to_vec(), how);
                let target = format!("/{name}-{number}-{cut}");
                is_cut(&gateway, &target, cut < head.len());
                asked.push(target);
            }
        }
    }
    are_logged(&gateway, &asked, &["200", "502"]);
}

/// The client sees 502, or an answer that breaks off where its head may have arrived.
fn is_cut(gateway: &Gateway, target: &str, is_before: bool) {
    let mut client = connect(gateway.proxy);
    let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).expect("the gateway reads");
    let seen = rest(&mut client);
    let is_refused = seen.starts_with("HTTP/1.1 502 ") && seen.contains("error_msg");
    let body = seen.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    let is_part = if seen.contains("Transfer-Encoding: chunked") {
        !body.ends_with("0\r\n\r\n")
    } else {
        body.len() < 9
    };
    let is_begun = !is_before && seen.starts_with("HTTP/1.1 200 ") && is_part;
    assert!(is_refused || is_begun, "{target}: {seen:?}");
    is_well(&mut connect(gateway.proxy), target);
}
