//! Answers that are streamed: each part arrives while the next is not made yet.

use lockgate_tests::{Connection, Gateway, Settings, eventually};
use serde_json::{Value, json};

use crate::{Local, call, listening, request, server_of, write};

/// Waits between its parts for a file, so that a test knows that they were not gathered.
const GATED: &str = "
import os, time
def handler(event, context):
    def parts():
        if event.get('rawPath') != '/raw':
            yield {'statusCode': 203, 'headers': {'content-type': 'text/plain'}}
        yield 'first'
        while not os.path.exists('go'):
            time.sleep(0.01)
        if event.get('rawPath') == '/fail':
            raise ValueError('half way')
        yield 'second'
    return parts()
";

#[test]
fn the_first_part_arrives_before_the_second_is_made() {
    let local = Local::start(GATED, json!({"timeout": "20s"}));
    let mut connection = Connection::open(local.server);
    connection.send(request(local.server, "GET", "/urls/f/", &[], b"")).expect("sent");
    let head = connection.read_head().expect("readable").expect("a head");
    assert!(head.start.contains(" 203 ") && head.get("content-type") == Some("text/plain"), "{}", head.start);
    assert_eq!(connection.read_chunk().expect("a chunk").0, b"first");
    write(&local.file("go"), "");
    assert_eq!(connection.read_chunk().expect("a chunk").0, b"second");
    assert_eq!(connection.read_chunk().expect("the end").0, b"");
}

#[test]
fn the_same_holds_through_a_route() {
    let local = Local::start(GATED, json!({"timeout": "20s"}));
    let uri = format!("http://{}/urls/f", local.server);
    local.gateway.lambda("1", "/aws", json!({"function_uri": uri, "timeout": 20_000}));
    let mut connection = local.gateway.connect();
    connection.send("GET /aws HTTP/1.1\r\nHost: a\r\n\r\n").expect("sent");
    let head = connection.read_head().expect("readable").expect("a head");
    assert!(head.start.contains(" 203 "), "{}", head.start);
    assert_eq!(connection.read_chunk().expect("a chunk").0, b"first");
    write(&local.file("go"), "");
    assert_eq!(connection.read_chunk().expect("a chunk").0, b"second");
}

#[test]
fn an_answer_that_fails_half_way_is_cut_off() {
    let local = Local::start(GATED, json!({"timeout": "20s"}));
    write(&local.file("go"), "");
    let mut connection = Connection::open(local.server);
    connection.send(request(local.server, "GET", "/urls/f/fail", &[], b"")).expect("sent");
    let all = connection.read_to_close();
    assert!(all.ends_with(b"5\r\nfirst\r\n"), "{}", String::from_utf8_lossy(&all));
}

#[test]
fn a_stream_of_node_that_fails_half_way_sends_what_was_written_and_is_cut_off() {
    let source = "export const handler = awslambda.streamifyResponse(async (event, out) => {\n  if (event.rawPath === \
                  '/early') throw new RangeError('early');\n  out.write('first');\n  throw new RangeError('late');\n});\n";
    let folder = tempfile::tempdir().expect("the temporary directory is writable");
    write(&folder.path().join("app.mjs"), source);
    let function =
        json!({"runtime": "nodejs", "handler": "app.handler", "directory": folder.path(), "memory": 512});
    let gateway = Gateway::with(listening(Settings::new()).set("functions", json!({ "f": function })));
    let server = server_of(&gateway);
    let path = "/2021-11-15/functions/f/response-streaming-invocations";
    let parts = events(&call(server, "POST", path, &[], b"{}").body);
    assert_eq!(parts[0], ("PayloadChunk".to_owned(), b"first".to_vec()));
    let end: Value = serde_json::from_slice(&parts[1].1).expect("JSON");
    assert_eq!(end["ErrorCode"], json!("RangeError"), "{end}");
    let mut connection = Connection::open(server);
    connection.send(request(server, "GET", "/urls/f/", &[], b"")).expect("sent");
    assert!(connection.read_to_close().ends_with(b"5\r\nfirst\r\n"));
    let early = call(server, "GET", "/urls/f/early", &[], b"");
    assert!(early.status == 502 && early.text().contains("RangeError: early"), "{}", early.text());
}

/// The events of an event stream: their type and payload.
fn events(mut bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut events = Vec::new();
    while !bytes.is_empty() {
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four")) as usize;
        let (total, headers) = (number(0), number(4));
        let text = String::from_utf8_lossy(&bytes[12..12 + headers]).into_owned();
        let kind = ["PayloadChunk", "InvokeComplete"].into_iter().find(|kind| text.contains(kind));
        events.push((kind.expect("a known event").to_owned(), bytes[12 + headers..total - 4].to_vec()));
        bytes = &bytes[total..];
    }
    events
}

#[test]
fn invoke_with_response_stream_frames_each_part() {
    let local = Local::start(GATED, json!({"timeout": "20s"}));
    write(&local.file("go"), "");
    let path = "/2021-11-15/functions/f/response-streaming-invocations";
    let stream = |event: &str| {
        let reply = call(local.server, "POST", path, &["X-Amz-Log-Type: Tail"], event.as_bytes());
        assert_eq!(reply.get("content-type"), Some("application/vnd.amazon.eventstream"));
        events(&reply.body)
    };
    let parts = stream(r#"{"rawPath": "/raw"}"#);
    let text: Vec<u8> =
        parts.iter().filter(|(kind, _)| kind == "PayloadChunk").flat_map(|(_, part)| part.clone()).collect();
    assert_eq!(text, b"firstsecond");
    let (kind, end) = parts.last().expect("an end");
    let end: Value = serde_json::from_slice(end).expect("JSON");
    assert_eq!(kind, "InvokeComplete");
    assert!(end["LogResult"].is_string() && end["ErrorCode"].is_null(), "{end}");
    let failed = stream(r#"{"rawPath": "/fail"}"#);
    let end: Value = serde_json::from_slice(&failed.last().expect("an end").1).expect("JSON");
    assert_eq!(end["ErrorCode"], json!("ValueError"), "{end}");
}

#[test]
fn a_client_that_leaves_does_not_keep_the_function() {
    let local = Local::start(GATED, json!({"timeout": "20s", "concurrency": {"max": 1}}));
    let mut connection = Connection::open(local.server);
    connection.send(request(local.server, "GET", "/urls/f/", &[], b"")).expect("sent");
    connection.read_head().expect("readable").expect("a head");
    connection.close();
    write(&local.file("go"), "");
    eventually("the one environment should be free again", || {
        (local.get("/urls/f/").text() == "firstsecond").then_some(())
    });
}
