//! HTTP/2 with prior knowledge on the port that speaks HTTP/1.1.

use bytes::Bytes;
use lockgate_tests::{FakeUpstream, Gate, Gateway, Then, curl};
use serde_json::json;
use tokio::net::TcpStream;

type Sender = h2::client::SendRequest<Bytes>;

/// Runs a client's part; the connection is driven beside it.
fn with_client<F: Future<Output = ()>>(gateway: &Gateway, part: impl FnOnce(Sender) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let address = gateway.proxy;
    runtime.block_on(async {
        let socket = TcpStream::connect(address).await.expect("the gateway listens");
        let (sender, connection) = h2::client::handshake(socket).await.expect("the gateway speaks HTTP/2");
        let part = part(sender);
        let limit = tokio::time::timeout(lockgate_tests::DEADLINE, async {
            tokio::select! {
                () = part => {}
                result = connection => panic!("the connection ended first: {result:?}"),
            }
        });
        limit.await.expect("the exchange ends in time");
    });
}

fn request(method: &str, target: &str) -> http::Request<()> {
    let uri = format!("http://gateway.test{target}");
    http::Request::builder().method(method).uri(uri).body(()).expect("a well-formed request")
}

async fn read(mut body: h2::RecvStream) -> (Vec<u8>, Option<http::HeaderMap>) {
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.expect("the body comes whole");
        bytes.extend_from_slice(&data);
        body.flow_control().release_capacity(data.len()).expect("what was received can be released");
    }
    (bytes, body.trailers().await.expect("trailers or none"))
}

#[test]
fn streams_of_one_connection_are_answered_side_by_side() {
    let gate = Gate::new();
    let wait = gate.clone();
    let upstream = FakeUpstream::start(move |request, connection| {
        if request.target() == "/slow" {
            wait.pass();
        }
        connection.answer("200 OK", &["X-From: upstream"], request.target()).map(|()| Then::Keep)
    });
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    with_client(&gateway, |sender| async move {
        let mut sender = sender.ready().await.expect("a stream is free");
        let (slow, _) = sender.send_request(request("GET", "/slow"), true).expect("sent");
        let mut sender = sender.ready().await.expect("a stream is free");
        let (fast, _) = sender.send_request(request("GET", "/fast?q=1"), true).expect("sent");
        let fast = fast.await.expect("the fast one is answered first");
        assert_eq!(fast.status(), 200);
        assert_eq!(fast.headers()["x-from"], "upstream");
        assert!(fast.headers().get("connection").is_none());
        assert_eq!(read(fast.into_body()).await.0, b"/fast?q=1");
        gate.open();
        let slow = slow.await.expect("the slow one is answered");
        assert_eq!(read(slow.into_body()).await.0, b"/slow");
    });
    let head = upstream.next().head;
    assert_eq!(head.get("host"), Some("gateway.test"));
    assert!(head.headers.iter().all(|(name, _)| !name.starts_with(':')), "{:?}", head.headers);
}

#[test]
fn a_body_and_its_trailers_pass_both_ways() {
    let upstream = FakeUpstream::start(|request, connection| {
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n")?;
        connection.send_chunk(&request.body)?;
        connection.send("0\r\nx-sum: 6\r\n\r\n").map(|()| Then::Keep)
    });
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    with_client(&gateway, |sender| async move {
        let mut sender = sender.ready().await.expect("a stream is free");
        let (response, mut body) = sender.send_request(request("POST", "/x"), false).expect("sent");
        body.send_data(Bytes::from_static(b"abc"), false).expect("within the window");
        body.send_data(Bytes::from_static(b"def"), true).expect("within the window");
        let (bytes, trailers) = read(response.await.expect("answered").into_body()).await;
        assert_eq!(bytes, b"abcdef");
        assert_eq!(trailers.expect("trailers")["x-sum"], "6");
    });
    assert_eq!(upstream.next().text(), "abcdef");
}

#[test]
fn a_megabyte_passes_through_small_windows() {
    let upstream = FakeUpstream::start(|request, connection| {
        connection.answer("200 OK", &[], &request.body).map(|()| Then::Keep)
    });
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    with_client(&gateway, |sender| async move {
        let mut sender = sender.ready().await.expect("a stream is free");
        let (response, mut body) = sender.send_request(request("POST", "/x"), false).expect("sent");
        let sent: Vec<u8> = (0..1u32 << 20).map(|number| number.to_le_bytes()[0]).collect();
        body.send_data(Bytes::from(sent.clone()), true).expect("queued until the window opens");
        let (received, _) = read(response.await.expect("answered").into_body()).await;
        assert!(received == sent, "{} bytes of {}", received.len(), sent.len());
    });
}

#[test]
fn a_reset_stream_ends_the_upstreams_work() {
    let (arrived, ended) = (Gate::new(), Gate::new());
    let (tell_arrived, tell_ended) = (arrived.clone(), ended.clone());
    let upstream = FakeUpstream::raw(move |_, mut connection| {
        let _ = connection.read_head();
        tell_arrived.open();
        if connection.read_to_close().is_empty() {
            tell_ended.open();
        }
    });
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    with_client(&gateway, |sender| async move {
        let mut sender = sender.ready().await.expect("a stream is free");
        let (response, mut body) = sender.send_request(request("GET", "/x"), true).expect("sent");
        tokio::task::spawn_blocking(move || arrived.pass()).await.expect("the request is upstream");
        body.send_reset(h2::Reason::CANCEL);
        drop(response);
        tokio::task::spawn_blocking(move || ended.pass()).await.expect("the upstream sees the end");
    });
}

#[test]
fn curl_speaks_http2_with_prior_knowledge() {
    let upstream = FakeUpstream::start(|request, connection| {
        connection.answer("200 OK", &["Content-Type: text/plain"], request.text()).map(|()| Then::Keep)
    });
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    let answer = curl(&["-i", "--http2-prior-knowledge", "-d", "a body", &gateway.url("/x")]);
    assert!(answer.output.starts_with("HTTP/2 200"), "{answer:?}");
    assert!(answer.output.ends_with("a body"), "{answer:?}");
    let missing = curl(&["-i", "--http2-prior-knowledge", "-X", "DELETE", &gateway.url("/x")]);
    assert!(missing.output.starts_with("HTTP/2 200"), "{missing:?}");
}
