//! A conversation that is cut behind each of its bytes, by either side, in order or by a reset.

use std::io::Write;
use std::sync::{Arc, Mutex};

use lockgate_tests::{FakeUpstream, Gateway, eventually};
use serde_json::json;

use crate::support::{End, Upstream, answer, connect, end, head, is_well, logged, rest, route};

const BODIES: [(&str, &str); 2] = [
    ("Content-Length: 9", "123456789"),
    ("Transfer-Encoding: chunked", "4\r\n1234\r\n5;x=y\r\n56789\r\n0\r\nX-Sum: 1\r\n\r\n"),
];

#[test]
fn a_client_that_is_cut_off_at_any_byte_leaves_no_whole_request_behind() {
    let upstream = FakeUpstream::fixed("ok");
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    let mut ended = Vec::new();
    for (how, name) in [(End::Close, "close"), (End::Reset, "reset")] {
        for (at, (framing, body)) in BODIES.into_iter().enumerate() {
            let len = whole("/x", framing, body).len();
            for cut in 1..len {
                let target = format!("/{name}-{at}-{cut}");
                let request = whole(&target, framing, body);
                // The targets differ in length: what is left out is counted from the end.
                let cut = request.len() - (len - cut);
                let mut client = connect(gateway.proxy);
                client.write_all(&request.as_bytes()[..cut]).expect("the gateway reads");
                end(client, how);
                if cut >= request.find("\r\n\r\n").expect("a head ends") + 4 {
                    ended.push(target);
                }
            }
        }
    }
    is_well_still(&gateway, &upstream);
    for target in ended {
        let statuses = eventually(&format!("{target} should be logged"), || {
            Some(logged(&gateway, &target)).filter(|statuses| !statuses.is_empty())
        });
        assert!(matches!(&statuses[..], [one] if one == "400" || one == "499"), "{target}: {statuses:?}");
    }
}

fn is_well_still(gateway: &Gateway, upstream: &FakeUpstream) {
    assert_eq!(gateway.get("/well").status, 200);
    let arrived = upstream.pending();
    let targets: Vec<_> = arrived.iter().map(|request| request.target().to_owned()).collect();
    assert_eq!(targets, ["/well"], "requests that were cut off");
}

fn whole(target: &str, framing: &str, body: &str) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n{body}")
}

const ANSWERS: [&str; 3] = [
    "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 9\r\n\r\n123456789",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n5;x=y\r\n56789\r\n0\r\nX-Sum: 1\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789",
];

#[test]
fn an_upstream_that_is_cut_off_at_any_byte_is_never_passed_on_as_whole() {
    let script = Arc::new(Mutex::new((Vec::new(), End::Close)));
    let said = script.clone();
    let upstream = Upstream::start(move |mut socket| {
        while let Some(head) = head(&mut socket) {
            if head.starts_with("GET /well ") {
                let _ = socket.write_all(crate::support::WELL.as_bytes());
                continue;
            }
            let (bytes, how) = said.lock().expect("no test has failed yet").clone();
            let _ = socket.write_all(&bytes);
            end(socket, how);
            return;
        }
    });
    let gateway = Gateway::start();
    route(&gateway, upstream.address, &json!({"connect": 5, "send": 5, "read": 5}));
    for how in [End::Close, End::Reset] {
        for answer in ANSWERS {
            for cut in 0..answer.len() {
                *script.lock().expect("no test has failed yet") = (answer.as_bytes()[..cut].to_vec(), how);
                let what = format!("{how:?} behind {:?}", &answer[..cut]);
                is_cut(&gateway, answer, cut, how, &what);
            }
        }
    }
}

fn is_cut(gateway: &Gateway, sent: &str, cut: usize, how: End, what: &str) {
    let mut client = connect(gateway.proxy);
    client.write_all(b"GET /cut HTTP/1.1\r\nHost: h\r\n\r\n").expect("the gateway reads");
    let body = sent.rfind("\r\n\r\n1").or_else(|| sent.find("\r\n\r\n4\r\n")).expect("a head ends") + 4;
    if cut < body {
        let (status, text) = answer(&mut client).unwrap_or_else(|| panic!("{what}: no answer"));
        assert!(status == 502 && text.contains("error_msg"), "{what}: {status} {text}");
        is_well(&mut client, what);
    } else {
        let seen = rest(&mut client);
        let seen = match seen.split_once("\r\n\r\n") {
            Some((interim, rest)) if interim.starts_with("HTTP/1.1 103 ") => rest,
            _ => &seen,
        };
        let is_refused = how == End::Reset && seen.starts_with("HTTP/1.1 502 ");
        let Some((head, body)) = seen.split_once("\r\n\r\n") else { panic!("{what}: {seen:?}") };
        let is_started = head.starts_with("HTTP/1.1 200 ");
        let data: String = body.split("\r\n").filter(|part| part.len() > 3).collect();
        let is_part = if head.contains("chunked") {
            "123456789".starts_with(&data) && !body.ends_with("0\r\n\r\n") && !body.contains("X-Sum")
        } else {
            body.len() < 9 && "123456789".starts_with(body)
        };
        assert!(is_refused || (is_started && is_part), "{what}: {seen:?}");
    }
    is_well(&mut connect(gateway.proxy), what);
}
