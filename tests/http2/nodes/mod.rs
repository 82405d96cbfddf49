//! Hostile nodes: what clients see of frame sequences in place of an answer, and that the gateway goes on serving.

mod answers;
mod connections;
mod heads;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lockgate_tests::wire::*;
use lockgate_tests::{Connection, DEADLINE, FakeUpstream, Gateway};
use serde_json::json;

/// What a client has to see.
#[derive(Clone, Debug)]
enum Sees {
    /// 502 in place of the answer.
    Bad,
    /// This status and this body.
    Whole(u16, &'static str),
    /// An answer that is not whole: its body breaks off, or 502 where nothing of it had been passed on.
    Broken,
    /// 504: it may still come.
    Late,
    /// 502 on a fresh connection, and the answer of another one in place of a kept one: a GET is asked again.
    Again,
}

/// What a node sends: its section, what it is, its frames, what the client sees. Frames on stream 1 go to the stream of
/// the request.
type Row = (&'static str, &'static str, Vec<u8>, Sees);

/// Frames in place of the next answer, and whether the node closes behind them.
type Script = Arc<Mutex<Option<(Vec<u8>, bool)>>>;

/// The answer of a node that is well, to stream 1.
fn well() -> Vec<u8> {
    [head(&[]), data(1, END_STREAM, "well")].concat()
}

/// The head of an answer of 200 whose body follows.
fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    headers(1, END_HEADERS, with(&[(":status", "200")], fields))
}

/// Frames with another stream in place of stream 1.
fn on_stream(frames: &[u8], stream: u32) -> Vec<u8> {
    let (mut out, mut rest) = (frames.to_vec(), 0);
    while rest + 9 <= out.len() {
        let length = u32::from_be_bytes([0, out[rest], out[rest + 1], out[rest + 2]]) as usize;
        if out[rest + 5..rest + 9] == [0, 0, 0, 1] {
            out[rest + 5..rest + 9].copy_from_slice(&stream.to_be_bytes());
        }
        rest += 9 + length;
    }
    out
}

fn serve(mut connection: Connection, script: &Script) {
    if connection.read_exact(PREFACE.len()).is_ok_and(|preface| preface == PREFACE) {
        let mut node = Frames::over(connection);
        node.send(settings([]));
        while let Ok(frame) = node.try_next() {
            match frame.kind {
                SETTINGS if frame.flags == 0 => node.send(self::frame(SETTINGS, ACK, 0, [])),
                HEADERS => {
                    let next = script.lock().unwrap_or_else(PoisonError::into_inner).take();
                    let (bytes, closes) = next.unwrap_or_else(|| (well(), false));
                    node.send(on_stream(&bytes, frame.stream));
                    if closes {
                        return node.close();
                    }
                }
                _ => {}
            }
        }
    }
}

/// A gateway before such a node.
struct Bench {
    gateway: Gateway,
    script: Script,
    _node: FakeUpstream,
}

impl Bench {
    fn new() -> Self {
        let script = Script::default();
        let said = script.clone();
        let node = FakeUpstream::raw(move |_, connection| serve(connection, &said));
        let gateway = Gateway::start();
        let to = json!({"type": "roundrobin", "scheme": "grpc", "nodes": {node.node(): 1},
            "timeout": {"connect": 3, "send": 3, "read": 2}});
        gateway.put("/routes/1", json!({"uri": "/*", "upstream": to}));
        Self { gateway, script, _node: node }
    }

    /// Plays every row to a client of each protocol.
    fn play(&self, rows: Vec<Row>) {
        self.play_with(rows, false);
    }

    fn play_with(&self, rows: Vec<Row>, closes: bool) {
        let mut faults = Vec::new();
        for (section, what, bytes, sees) in rows {
            for (name, see) in CLIENTS {
                let answer = (bytes.clone(), closes);
                *self.script.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
                if let Err(why) = is_seen(&see(&self.gateway), &sees) {
                    faults.push(format!("{section}: {what}: by {name} {why}"));
                }
                // What was not asked for must not be left for the next one.
                self.script.lock().unwrap_or_else(PoisonError::into_inner).take();
                for (name, see) in CLIENTS {
                    if let Err(why) = is_seen(&see(&self.gateway), &Sees::Whole(200, "well")) {
                        faults.push(format!("{section}: behind {what}: by {name} {why}"));
                    }
                }
            }
        }
        assert!(faults.is_empty(), "{}:\n{}", faults.len(), faults.join("\n"));
    }
}

/// What came of a request: status, body, and whether it was whole.
type Seen = (u16, String, bool);

/// What a client is called, and how it asks.
type Client = (&'static str, fn(&Gateway) -> Seen);

const CLIENTS: [Client; 2] = [("HTTP/1.1", see_by_http1), ("HTTP/2", see_by_http2)];

fn see_by_http1(gateway: &Gateway) -> Seen {
    let mut client = gateway.connect();
    let _ = client.send("GET /p HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let all = client.read_to_close();
    let all = String::from_utf8_lossy(&all).into_owned();
    assert!(!all.contains("\r\n:"), "a pseudo-header in HTTP/1.1: {all}");
    let mut rest = all.as_str();
    while let Some((interim, more)) = rest.split_once("\r\n\r\n")
        && interim.starts_with("HTTP/1.1 103 ")
    {
        rest = more;
    }
    let Some((head, body)) = rest.split_once("\r\n\r\n") else { return (0, rest.to_owned(), false) };
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or_default();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    if let Some(length) = length.and_then(|word| word.parse::<usize>().ok()) {
        return (status, body.to_owned(), body.len() == length);
    }
    let (mut data, mut rest) = (String::new(), body);
    while let Some((size, more)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or_default();
        if size == 0 || more.len() < size {
            let has_no_body = status == 204 || status == 304;
            return (status, data, has_no_body || size == 0 && more.ends_with("\r\n"));
        }
        data.push_str(&more[..size]);
        rest = more[size..].trim_start_matches("\r\n");
    }
    (status, data, status == 204 || status == 304)
}

fn see_by_http2(gateway: &Gateway) -> Seen {
    let mut client = Frames::open(gateway);
    client.send(get(1));
    let (mut status, mut body) = (0, Vec::new());
    while let Some(frame) = client.next_frame() {
        match frame.kind {
            // The status of interim answers that came before is in the table.
            HEADERS if status < 200 && frame.payload[..] != [0xbe] => status = frame.status(),
            DATA => body.extend_from_slice(&frame.payload),
            RST_STREAM | GOAWAY => break,
            _ => {}
        }
        if matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0 {
            return (status, String::from_utf8_lossy(&body).into_owned(), true);
        }
    }
    (status, String::from_utf8_lossy(&body).into_owned(), false)
}

fn is_seen(came: &Seen, sees: &Sees) -> Result<(), String> {
    let (status, body, is_whole) = came;
    let is_bad = *status == 502 && *is_whole && body.contains("error_msg");
    // A stream may be reset before its head; an answer by HTTP/1.1 has begun.
    let is_broken = !is_whole && (*status == 200 || *status == 0);
    let is_right = match sees {
        Sees::Bad => is_bad,
        Sees::Whole(expected, text) => status == expected && body == text && *is_whole,
        Sees::Broken => is_bad || is_broken,
        Sees::Late => *status == 504,
        Sees::Again => is_bad || (*status == 200 && body == "well" && *is_whole),
    };
    let body: String = body.chars().take(200).collect();
    if is_right { Ok(()) } else { Err(format!("{status} {body:?}, whole: {is_whole}, and not {sees:?}")) }
}

#[test]
fn a_node_that_says_101_has_not_answered() {
    Bench::new().play(heads::gone_over());
}

#[test]
fn a_head_that_is_no_answer_becomes_502() {
    Bench::new().play(heads::malformed());
}

#[test]
fn names_and_values_of_an_answer_cannot_split_it() {
    Bench::new().play(heads::fields());
}

#[test]
fn heads_that_are_too_large_or_without_an_end_become_502() {
    Bench::new().play(heads::large());
}

#[test]
fn an_answer_that_is_longer_or_shorter_than_it_says_is_never_whole() {
    Bench::new().play(answers::lengths());
}

#[test]
fn an_answer_ends_once_and_its_trailers_end_it() {
    Bench::new().play(answers::ends());
}

#[test]
fn frames_of_an_answer_keep_to_their_form() {
    Bench::new().play(answers::forms());
}

#[test]
fn a_field_block_that_is_broken_becomes_502() {
    Bench::new().play(heads::field_blocks());
}

#[test]
fn a_reset_breaks_off_what_it_interrupts() {
    Bench::new().play(answers::resets());
}

#[test]
fn frames_that_no_node_may_send_end_the_exchange() {
    Bench::new().play(connections::frames());
}

#[test]
fn settings_and_windows_of_a_node_are_within_their_bounds() {
    Bench::new().play(connections::settings_and_windows());
}

#[test]
fn a_node_that_floods_is_not_listened_to() {
    Bench::new().play(connections::floods());
}

#[test]
fn a_node_that_says_farewell_is_believed() {
    Bench::new().play(connections::farewells());
}

#[test]
fn a_node_that_closes_in_the_middle_of_a_frame_has_not_answered() {
    Bench::new().play_with(connections::cut(), true);
}

#[test]
fn a_node_that_sends_more_than_it_was_granted_is_told_so() {
    let (tell, told) = std::sync::mpsc::channel();
    let node = FakeUpstream::raw(move |_, mut connection| {
        let _ = connection.read_exact(PREFACE.len());
        let mut node = Frames::over(connection);
        node.send(settings([]));
        node.until("a request", |frame| frame.kind == HEADERS);
        // A stream is granted 256 KiB, of which the client takes none.
        node.send([head(&[]), data(1, 0, vec![b'x'; 16_384]).repeat(32)].concat());
        let end = node.until("the end", |frame| matches!(frame.kind, RST_STREAM | GOAWAY));
        let _ = tell.send(if end.kind == GOAWAY { end.number(4) } else { end.number(0) });
    });
    let gateway = Gateway::start();
    let to = json!({"type": "roundrobin", "scheme": "grpc", "nodes": {node.node(): 1}});
    gateway.put("/routes/1", json!({"uri": "/*", "upstream": to}));
    let mut client = Frames::bare(&gateway);
    client.send([PREFACE, &settings(setting(4, 0)), &get(1)].concat());
    assert_eq!(told.recv_timeout(DEADLINE), Ok(code::FLOW_CONTROL), "9113 §6.9.1");
}

#[test]
fn a_node_that_does_not_shake_hands_is_504_within_the_time_to_connect() {
    let node = FakeUpstream::raw(|_, mut connection| drop(connection.read_to_close()));
    let gateway = Gateway::start();
    for scheme in ["grpc", "grpcs", "https"] {
        let to = json!({"type": "roundrobin", "scheme": scheme, "nodes": {node.node(): 1},
            "timeout": {"connect": 0.5, "send": 60, "read": 60}});
        gateway.put("/routes/1", json!({"uri": "/*", "upstream": to}));
        let begun = Instant::now();
        for (_, see) in CLIENTS {
            assert_eq!(see(&gateway).0, 504, "{scheme}");
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{scheme}: {:?}", begun.elapsed());
    }
}
