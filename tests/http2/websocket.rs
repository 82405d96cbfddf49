//! RFC 8441: WebSocket on a stream, bridged to an upstream that speaks HTTP/1.1.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use lockgate_tests::wire::*;
use lockgate_tests::{Connection, FakeUpstream, Gateway, Head};
use serde_json::json;

/// An extended CONNECT.
const CONNECT: [(&str, &str); 7] = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "http"),
    (":path", "/chat"),
    (":authority", "h"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-protocol", "news"),
];

/// `SETTINGS_ENABLE_CONNECT_PROTOCOL`.
const ENABLE_CONNECT: [u8; 6] = [0, 8, 0, 0, 0, 1];

/// The answer to a key (RFC 6455 §4.2.2), reckoned by another program than the gateway.
fn accept(key: &str) -> String {
    let script = "import base64,hashlib,sys\n\
                  key=sys.argv[1]+'258EAFA5-E914-47DA-95CA-C5AB0DC85B11'\n\
                  print(base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())";
    let output = std::process::Command::new("python3").args(["-c", script, key]).output();
    let output = output.expect("python3 is installed (package python3)");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// An upstream that goes over and then does as `script` says.
fn upstream(script: impl Fn(Connection) + Send + Sync + 'static) -> (FakeUpstream, Receiver<Head>) {
    let (sender, heads) = channel();
    let upstream = FakeUpstream::raw(move |_, mut connection| {
        let Ok(Some(head)) = connection.read_head() else { return };
        let accept = accept(head.get("Sec-WebSocket-Key").unwrap_or_default());
        let _ = sender.send(head);
        let _ = connection.send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Protocol: news\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        ));
        script(connection);
    });
    (upstream, heads)
}

fn echo(mut connection: Connection) {
    while let Ok(byte) = connection.read_exact(1) {
        let _ = connection.send(byte);
    }
    let _ = connection.send("bye");
    connection.close();
}

/// A client that has asked a route to such an upstream.
fn ask(upstream: &FakeUpstream) -> (Gateway, Frames) {
    let gateway = Gateway::start();
    gateway.route(
        "1",
        json!({"uri": "/chat", "methods": ["GET"], "enable_websocket": true}),
        &upstream.node(),
    );
    let mut client = Frames::open(&gateway);
    client.send(headers(1, END_HEADERS, block(&CONNECT)));
    (gateway, client)
}

/// The next data of a stream, `count` bytes of it.
fn read(client: &mut Frames, count: usize) -> Vec<u8> {
    let mut data = Vec::new();
    while data.len() < count {
        data.extend(client.until("data", |frame| frame.kind == DATA).payload);
    }
    data
}

#[test]
fn the_gateway_says_that_it_takes_extended_connect() {
    let gateway = Gateway::start();
    let mut client = Frames::bare(&gateway);
    client.send([PREFACE, &settings([])].concat());
    let frame = client.until("settings", |frame| frame.kind == SETTINGS);
    assert!(frame.payload.chunks(6).any(|setting| setting == ENABLE_CONNECT), "{frame:?}");
}

#[test]
fn a_stream_becomes_a_tunnel_in_both_directions_and_ends_as_one() {
    let (upstream, heads) = upstream(echo);
    let (_gateway, mut client) = ask(&upstream);
    assert_eq!(client.status(1), 200);
    let head = heads.recv().expect("the upstream was asked");
    assert_eq!(head.start, "GET /chat HTTP/1.1");
    assert_eq!(head.get("Upgrade"), Some("websocket"));
    assert_eq!(head.get("Connection"), Some("upgrade"));
    assert_eq!(head.get("Sec-WebSocket-Version"), Some("13"));
    assert_eq!(head.get("Sec-WebSocket-Protocol"), Some("news"));
    assert_eq!(head.all("Sec-WebSocket-Key").len(), 1);
    for _ in 0..3 {
        client.send(data(1, 0, b"\x81\x05Hello"));
        assert_eq!(read(&mut client, 7), b"\x81\x05Hello");
    }
    // A half-close passes, and what comes after it in the other direction too.
    client.send(data(1, END_STREAM, "."));
    assert_eq!(read(&mut client, 4), b".bye");
    let end = client.until("the end", |frame| frame.stream == 1 && frame.flags & END_STREAM != 0);
    assert_eq!(end.kind, DATA);
    client.send(ping(0));
    client.until("the connection goes on", |frame| frame.kind == PING);
}

#[test]
fn what_an_upstream_ends_first_the_client_may_still_send_to() {
    let (sender, got) = channel();
    let (upstream, _heads) = upstream(move |mut connection| {
        let _ = connection.send("over");
        connection.finish();
        let _ = sender.send(connection.read_to_close());
    });
    let (_gateway, mut client) = ask(&upstream);
    assert_eq!(client.status(1), 200);
    assert_eq!(read(&mut client, 4), b"over");
    client.until("the end", |frame| frame.stream == 1 && frame.flags & END_STREAM != 0);
    client.send([data(1, 0, "still"), data(1, END_STREAM, " here")].concat());
    assert_eq!(got.recv().expect("the upstream read on"), b"still here");
}

#[test]
fn a_tunnel_goes_no_faster_than_the_client_takes_it() {
    const ALL: usize = 1 << 20;
    let (upstream, _heads) = upstream(|mut connection| {
        let _ = connection.send(vec![7; ALL]);
        connection.close();
    });
    let (_gateway, mut client) = ask(&upstream);
    assert_eq!(client.status(1), 200);
    // The window that a client grants without a word.
    let first = read(&mut client, 65_535);
    assert_eq!(first.len(), 65_535);
    client.send(ping(0));
    client.until("nothing but the ping", |frame| {
        assert_ne!(frame.kind, DATA, "beyond the window");
        frame.kind == PING
    });
    let all = u32::try_from(ALL).expect("a MiB");
    client.send([window(0, all), window(1, all)].concat());
    assert_eq!(read(&mut client, ALL - 65_535).len(), ALL - 65_535);
}

#[test]
fn a_large_upload_is_granted_as_the_upstream_takes_it() {
    const ALL: usize = 3 << 20;
    let (sender, got) = channel();
    let (upstream, _heads) = upstream(move |mut connection| {
        let _ = sender.send(connection.read_to_close().len());
    });
    let (_gateway, mut client) = ask(&upstream);
    assert_eq!(client.status(1), 200);
    // What the gateway grants at first: the windows for the connection and for a stream.
    let (mut connection, mut stream, mut sent) = (1_usize << 20, 256 << 10, 0);
    while sent < ALL {
        let count = connection.min(stream).min(16_384).min(ALL - sent);
        if count > 0 {
            client.send(data(1, 0, vec![1; count]));
            (connection, stream, sent) = (connection - count, stream - count, sent + count);
            continue;
        }
        let frame = client.until("a window", |frame| frame.kind == WINDOW_UPDATE);
        let room = if frame.stream == 0 { &mut connection } else { &mut stream };
        *room += frame.number(0) as usize;
    }
    client.send(data(1, END_STREAM, []));
    assert_eq!(got.recv().expect("the upstream read it"), ALL);
}

#[test]
fn a_client_that_resets_its_stream_is_gone_for_the_upstream() {
    let (sender, gone) = channel();
    let (upstream, _heads) = upstream(move |mut connection| {
        let _ = connection.read_exact(1);
        let _ = sender.send(connection.read_exact(1).is_err());
    });
    let (_gateway, mut client) = ask(&upstream);
    assert_eq!(client.status(1), 200);
    client.send([data(1, 0, "c"), reset(1, code::CANCEL)].concat());
    assert!(gone.recv().expect("the upstream was told"), "the upstream's connection should have ended");
}

#[test]
fn an_upstream_that_breaks_off_cancels_the_stream() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let node = listener.local_addr().expect("a bound socket has an address").to_string();
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/chat", "enable_websocket": true}), &node);
    let mut client = Frames::open(&gateway);
    client.send(headers(1, END_HEADERS, block(&CONNECT)));
    let (socket, _) = listener.accept().expect("the gateway connects");
    let mut reader = BufReader::new(socket.try_clone().expect("a socket can be cloned"));
    let key = reader
        .by_ref()
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ").map(str::to_owned));
    let accept = accept(&key.expect("a key"));
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    (&socket).write_all(head.as_bytes()).expect("the gateway reads");
    assert_eq!(client.status(1), 200);
    socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).expect("a connected socket");
    drop((reader, socket));
    let frame = client.until("a reset", |frame| frame.kind == RST_STREAM && frame.stream == 1);
    assert_eq!(frame.number(0), code::CANCEL);
}

#[test]
fn many_tunnels_and_requests_share_a_connection() {
    let (upstream, _heads) = upstream(echo);
    let (gateway, mut client) = ask(&upstream);
    let fixed = FakeUpstream::fixed("ok");
    gateway.route("2", json!({"uri": "/p"}), &fixed.node());
    assert_eq!(client.status(1), 200);
    for stream in (3..43).step_by(4) {
        client.send([headers(stream, END_HEADERS, block(&CONNECT)), get(stream + 2)].concat());
        assert_eq!(client.status(stream + 2), 200);
        client.send(data(stream, 0, "a"));
        client.until("an echo", |frame| frame.kind == DATA && frame.stream == stream);
    }
}

/// What is answered to this head, by a gateway whose upstream would take a plain request.
fn answer(route: serde_json::Value, fields: &[(&str, &str)]) -> u16 {
    let upstream = FakeUpstream::fixed("plain");
    let gateway = Gateway::start();
    gateway.route("1", route, &upstream.node());
    let mut client = Frames::open(&gateway);
    client.send(headers(1, END_HEADERS, block(fields)));
    let status = client.status(1);
    client.send(ping(0));
    client.until("the connection goes on", |frame| frame.kind == PING);
    status
}

#[test]
fn what_may_not_or_cannot_be_a_tunnel_is_refused() {
    let allowed = || json!({"uri": "/chat", "enable_websocket": true});
    assert_eq!(answer(json!({"uri": "/chat"}), &CONNECT), 403);
    assert_eq!(answer(json!({"uri": "/other"}), &CONNECT), 404);
    assert_eq!(answer(allowed(), &CONNECT), 502, "an upstream that only says 200 has not gone over");
    let mut other = CONNECT;
    other[1] = (":protocol", "connect-udp");
    assert_eq!(answer(allowed(), &other), 501);
    assert_eq!(answer(allowed(), &[(":method", "CONNECT"), (":authority", "h:443")]), 405);
}

#[test]
fn an_upstream_that_answers_another_handshake_is_not_believed() {
    let upstream = FakeUpstream::raw(|_, mut connection| {
        let _ = connection.read_head();
        let _ = connection.send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        );
    });
    let (_gateway, mut client) = ask(&upstream);
    assert_eq!(client.status(1), 502);
}

#[test]
fn a_tunnel_in_which_nothing_is_said_ends() {
    let (upstream, _heads) = upstream(|mut connection| drop(connection.read_to_close()));
    let gateway = Gateway::start();
    let to = json!({"type": "roundrobin", "nodes": {upstream.node(): 1},
                    "timeout": {"connect": 5, "send": 5, "read": 3}});
    gateway.put("/routes/1", json!({"uri": "/chat", "enable_websocket": true, "upstream": to}));
    let mut client = Frames::open(&gateway);
    client.send(headers(1, END_HEADERS, block(&CONNECT)));
    assert_eq!(client.status(1), 200);
    let frame = client.until("a reset", |frame| frame.kind == RST_STREAM);
    assert_eq!(frame.number(0), code::CANCEL);
}
