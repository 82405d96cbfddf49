//! Headers, keys, bodies and streams between a client and a function.

use lockgate_tests::{Authority, FakeUpstream, Function, Gate, Gateway, Settings, Then};
use serde_json::json;

use crate::at;

#[test]
fn the_key_opens_the_function_and_without_it_the_refusal_is_passed_on() {
    let (gateway, function) = (Gateway::start(), Function::start());
    gateway.lambda("1", "/aws", at(&function, "/default/test-apisix"));
    let reply = gateway.get("/aws?name=APISIX");
    assert_eq!((reply.status, reply.get("x-amzn-errortype")), (403, Some("ForbiddenException")));
    let mut config = at(&function, "/default/test-apisix");
    config["authorization"] = json!({"apikey": Function::KEY});
    gateway.lambda("1", "/aws", config);
    let reply = gateway.get("/aws?name=APISIX");
    assert_eq!((reply.status, reply.text().as_str()), (200, "\"Hello, APISIX!\""));
    assert!(reply.get("x-amzn-requestid").is_some(), "the function's headers are passed on");
}

#[test]
fn a_clients_own_key_wins_over_the_configured_one() {
    let (gateway, function) = (Gateway::start(), FakeUpstream::fixed("ok"));
    let mut config = at(&function, "/");
    config["authorization"] = json!({"apikey": "configured"});
    gateway.lambda("1", "/aws", config);
    gateway.request("GET", "/aws", &["X-Api-Key: client"], b"");
    assert_eq!(function.next().head.all("x-api-key"), ["client"]);
    gateway.get("/aws");
    assert_eq!(function.next().head.all("x-api-key"), ["configured"]);
}

#[test]
fn the_host_is_the_functions_with_its_port() {
    let (gateway, function) = (Gateway::start(), FakeUpstream::fixed("ok"));
    gateway.lambda("1", "/aws", at(&function, "/"));
    gateway.get("/aws");
    assert_eq!(function.next().head.all("host"), [function.node()]);
}

#[test]
fn hop_by_hop_headers_stop_here_and_duplicates_survive() {
    let (gateway, function) = (Gateway::start(), FakeUpstream::fixed("ok"));
    gateway.lambda("1", "/aws", at(&function, "/"));
    let headers = [
        "Connection: Upgrade, X-Hop",
        "Upgrade: websocket",
        "X-Hop: 1",
        "Keep-Alive: 1",
        "Proxy-Connection: x",
        "TE: trailers",
        "Expect: 100-continue",
        "X-Dup: 1",
        "X-Dup: 2",
        "Cookie: a=1",
        "Accept-Encoding: gzip",
    ];
    let mut connection = gateway.connect();
    let lines = headers.join("\r\n");
    connection
        .send(format!("POST /aws HTTP/1.1\r\nHost: h\r\n{lines}\r\nContent-Length: 3\r\n\r\nabc"))
        .expect("the gateway reads");
    assert_eq!(connection.reply().status, 200);
    let request = function.next();
    for name in ["upgrade", "x-hop", "keep-alive", "proxy-connection", "expect"] {
        assert_eq!(request.head.get(name), None, "{name}");
    }
    assert_eq!(request.head.all("x-dup"), ["1", "2"]);
    assert_eq!(request.head.get("cookie"), Some("a=1"));
    assert_eq!(request.head.get("accept-encoding"), Some("gzip"));
    assert_eq!(request.text(), "abc");
}

#[test]
fn every_status_and_repeated_header_of_a_function_is_passed_on() {
    let function = FakeUpstream::start(|request, connection| {
        let status = request.target().rsplit('/').next().unwrap_or_default().to_owned();
        let headers = ["Set-Cookie: a=1", "Set-Cookie: b=2", "X-Amz-Function-Error: Unhandled"];
        connection.answer(&format!("{status} Text"), &headers, "body").map(|()| Then::Keep)
    });
    let gateway = Gateway::start();
    gateway.lambda("1", "/aws/*", at(&function, "/"));
    for status in [200, 201, 301, 400, 403, 404, 429, 500, 502, 503] {
        let reply = gateway.get(&format!("/aws/{status}"));
        assert_eq!((reply.status, reply.text().as_str()), (status, "body"));
        assert_eq!(reply.head.all("set-cookie"), ["a=1", "b=2"]);
    }
}

#[test]
fn every_byte_of_a_body_passes_both_ways() {
    let function = FakeUpstream::start(|request, connection| {
        connection
            .answer("200 OK", &["Content-Type: application/octet-stream"], &request.body)
            .map(|()| Then::Keep)
    });
    let gateway = Gateway::start();
    gateway.lambda("1", "/aws", at(&function, "/"));
    let body: Vec<u8> = (0..300_000u32).map(|number| number.to_le_bytes()[0]).collect();
    let reply = gateway.request("POST", "/aws", &[], &body);
    assert!(reply.body == body, "{} bytes came back of {}", reply.body.len(), body.len());
    assert_eq!(function.next().head.get("content-length"), Some("300000"));
}

#[test]
fn a_chunked_upload_reaches_the_function_in_one_clear_framing() {
    let (gateway, function) = (Gateway::start(), FakeUpstream::fixed("ok"));
    gateway.lambda("1", "/aws", at(&function, "/"));
    let request = "POST /aws HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    assert_eq!(gateway.connect().exchange(request).status, 200);
    let request = function.next();
    assert_eq!(request.text(), "abc");
    assert_eq!(request.head.all("content-length").len() + request.head.all("transfer-encoding").len(), 1);
}

#[test]
fn what_a_function_streams_reaches_the_client_chunk_by_chunk() {
    let gate = Gate::new();
    let wait = gate.clone();
    let function = FakeUpstream::start(move |_, connection| {
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        for number in 0..4 {
            connection.send_chunk(format!("data: {number}\n\n"))?;
            wait.pass();
        }
        connection.send("0\r\n\r\n").map(|()| Then::Keep)
    });
    let gateway = Gateway::start();
    gateway.lambda("1", "/aws", at(&function, "/"));
    let mut connection = gateway.connect();
    connection.send("GET /aws HTTP/1.1\r\nHost: h\r\n\r\n").expect("the gateway reads");
    connection.read_head().expect("an answer").expect("not closed");
    for number in 0..4 {
        assert_eq!(connection.read_chunk().expect("a chunk").0, format!("data: {number}\n\n").as_bytes());
        gate.open();
    }
    assert!(connection.read_chunk().expect("the last chunk").0.is_empty());
}

#[test]
fn ssl_verify_decides_whether_an_unknown_authority_is_trusted() {
    let authority = Authority::new();
    let function = FakeUpstream::start_tls(&authority, "localhost", |_, connection| {
        connection.answer("200 OK", &[], "over TLS").map(|()| Then::Keep)
    });
    let gateway = Gateway::start();
    let uri = format!("https://localhost:{}/", function.port());
    gateway.lambda("1", "/on", json!({"function_uri": uri}));
    gateway.lambda("2", "/off", json!({"function_uri": uri, "ssl_verify": false}));
    let refused = gateway.get("/on");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.json()["error_msg"].is_string());
    assert_eq!(gateway.get("/off").text(), "over TLS");
    let trusting = Settings::new().environment("SSL_CERT_FILE", authority.file().to_string_lossy());
    let gateway = Gateway::with(trusting);
    gateway.lambda("1", "/on", json!({"function_uri": uri}));
    assert_eq!(gateway.get("/on").text(), "over TLS");
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new();
    let function = FakeUpstream::start_tls(&authority, "other.test", |_, connection| {
        connection.answer("200 OK", &[], "never").map(|()| Then::Keep)
    });
    let gateway =
        Gateway::with(Settings::new().environment("SSL_CERT_FILE", authority.file().to_string_lossy()));
    gateway.lambda("1", "/aws", json!({"function_uri": format!("https://localhost:{}/", function.port())}));
    assert_eq!(gateway.get("/aws").status, 503);
}

#[test]
fn a_name_of_aws_may_be_mapped_to_a_stand_in() {
    let authority = Authority::new();
    let name = "x9w6z07gb9.execute-api.us-east-1.amazonaws.com";
    let function = Function::start_tls(0, authority.server(name));
    let settings = Settings::new()
        .environment("SSL_CERT_FILE", authority.file().to_string_lossy())
        .resolve(format!("{name}:443:127.0.0.1:{}", function.port()));
    let gateway = Gateway::with(settings);
    let uri = format!("https://{name}/default/test-apisix");
    gateway.lambda("1", "/aws", json!({"function_uri": uri, "authorization": {"apikey": Function::KEY}}));
    assert_eq!(gateway.get("/aws?name=APISIX").text(), "\"Hello, APISIX!\"");
    assert_eq!(function.next().head.get("host"), Some(name), "the default port is not written");
}
