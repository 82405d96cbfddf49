//! Upstreams that are cut off while they are being sent a body: at any byte of what they are sent.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use lockgate_tests::wire::{ACK, PREFACE, SETTINGS, frame, settings};
use lockgate_tests::{Gate, Gateway};
use serde_json::{Value, json};

use crate::support::{End, Upstream, answer, are_logged, connect, cuts, end, is_well, rest};

/// The body: its first half comes before the cut, its second behind it.
const HALF: usize = 3000;

/// Takes so many bytes of what it is sent, and ends; says when it has.
type Script = Arc<Mutex<(usize, End)>>;

fn node(mut socket: TcpStream, script: &Script, is_http2: bool, is_cut: &Gate) {
    if is_http2 {
        let hello = [settings([]), frame(SETTINGS, ACK, 0, [])].concat();
        let _ = socket.write_all(&hello);
    }
    let (count, how) = *script.lock().expect("no test has failed yet");
    let mut taken = vec![0; count];
    let is_all = socket.read_exact(&mut taken).is_ok();
    end(socket, how);
    if is_all {
        is_cut.open();
    }
}

/// What the gateway sends to a node for the first half, and where each of its frames ends.
fn sent(upstream: &Value, gateway: &Gateway, is_http2: bool) -> (usize, Vec<usize>) {
    let (sender, bytes) = std::sync::mpsc::channel();
    let upstream_socket = Upstream::start(move |mut socket| {
        if is_http2 {
            let _ = socket.write_all(&[settings([]), frame(SETTINGS, ACK, 0, [])].concat());
        }
        let (mut all, mut piece) = (Vec::new(), [0; 16 * 1024]);
        let mut body = 0;
        while body < HALF {
            let Ok(count @ 1..) = socket.read(&mut piece) else { return };
            all.extend_from_slice(&piece[..count]);
            body = all.split(|byte| *byte == b'~').count() - 1;
        }
        let _ = sender.send(all);
    });
    route(gateway, upstream, &upstream_socket);
    let mut client = connect(gateway.proxy);
    client.write_all(&first("/measure-00")).expect("the gateway reads");
    let all = bytes.recv_timeout(lockgate_tests::DEADLINE).expect("the upstream is sent the first half");
    let mut bounds = Vec::new();
    if is_http2 {
        let mut at = PREFACE.len();
        while at + 9 <= all.len() {
            bounds.push(at);
            at += 9 + u32::from_be_bytes([0, all[at], all[at + 1], all[at + 2]]) as usize;
        }
    } else {
        bounds.extend(all.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4));
    }
    (all.len(), bounds)
}

fn route(gateway: &Gateway, fields: &Value, upstream: &Upstream) {
    let mut to = fields.clone();
    to["nodes"] = json!({upstream.address.to_string(): 1});
    to["timeout"] = json!({"connect": 5, "send": 5, "read": 5});
    gateway.put("/routes/1", json!({"uri": "/up/*", "upstream": to}));
}

/// A request up to half of its body.
fn first(target: &str) -> Vec<u8> {
    let head = format!("POST /up{target} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", 2 * HALF);
    [head.into_bytes(), vec![b'~'; HALF]].concat()
}

fn hold(scheme: &str, stride: usize) {
    let is_http2 = scheme == "grpc";
    let well = Upstream::start(|mut socket| {
        while crate::support::head(&mut socket).is_some() {
            let _ = socket.write_all(crate::support::WELL.as_bytes());
        }
    });
    let gateway = Gateway::start();
    let fields = json!({"type": "roundrobin", "scheme": scheme});
    gateway.route("well", json!({"uri": "/well"}), &well.address.to_string());
    let (len, bounds) = sent(&fields, &gateway, is_http2);
    let script = Arc::new(Mutex::new((0, End::Close)));
    let (said, gate) = (script.clone(), Gate::new());
    let is_cut = gate.clone();
    let upstream = Upstream::start(move |socket| node(socket, &said, is_http2, &is_cut));
    route(&gateway, &fields, &upstream);
    let mut asked = Vec::new();
    for (how, name) in [(End::Close, "close"), (End::Reset, "reset")] {
        for cut in cuts(len - 2, stride, &bounds) {
            *script.lock().expect("no test has failed yet") = (cut, how);
            // Of one length, as what is cut is counted from the start.
            let target = format!("/{name}-{cut:04}");
            is_one_502(&gateway, &target, &gate);
            asked.push(format!("/up{target}"));
        }
    }
    are_logged(&gateway, &asked, &["502"]);
}

fn is_one_502(gateway: &Gateway, target: &str, is_cut: &Gate) {
    let mut client = connect(gateway.proxy);
    client.write_all(&first(target)).expect("the gateway reads");
    is_cut.pass();
    let _ = client.write_all(&vec![b'~'; HALF]);
    let (status, _) = answer(&mut client).unwrap_or_else(|| panic!("{target}: no answer"));
    assert_eq!(status, 502, "{target}");
    let _ = client.shutdown(std::net::Shutdown::Write);
    assert_eq!(rest(&mut client), "", "{target}");
    is_well(&mut connect(gateway.proxy), target);
}

#[test]
fn an_upstream_that_is_cut_off_at_any_byte_of_an_upload_is_one_502() {
    hold("http", 17);
}

#[test]
fn a_node_of_http2_that_is_cut_off_at_any_byte_of_an_upload_is_one_502() {
    hold("grpc", 17);
}
