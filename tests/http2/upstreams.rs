//! Upstreams that are spoken to by HTTP/2 (`scheme: grpc`): what the gateway asks them, and what it does when they
//! refuse.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{Request, Response};
use lockgate_tests::{FakeUpstream, Gateway, Then};
use serde_json::json;
use tokio::net::TcpListener;

use lockgate_tests::wire::{END_HEADERS, END_STREAM, Frames, GET, POST, data, headers, with};

type Seen = (http::request::Parts, Vec<u8>);

/// An upstream on a thread of its own; where it listens, and what it was asked.
fn upstream(
    answer: impl Fn(&Request<RecvStream>, SendResponse<Bytes>) + Send + Sync + 'static,
) -> (String, Receiver<Seen>) {
    let (tell, seen) = channel();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a bound socket");
    let node = listener.local_addr().expect("a bound socket has an address").to_string();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(accept(listener, Arc::new(answer), tell));
    });
    (node, seen)
}

async fn accept(
    listener: std::net::TcpListener,
    answer: Arc<impl Fn(&Request<RecvStream>, SendResponse<Bytes>) + Send + Sync + 'static>,
    tell: Sender<Seen>,
) {
    let listener = TcpListener::from_std(listener).expect("a listening socket");
    while let Ok((socket, _)) = listener.accept().await {
        let (answer, tell) = (Arc::clone(&answer), tell.clone());
        tokio::spawn(async move {
            let Ok(mut connection) = h2::server::handshake(socket).await else { return };
            while let Some(Ok((request, respond))) = connection.accept().await {
                answer(&request, respond);
                let tell = tell.clone();
                tokio::spawn(async move {
                    let (head, mut body) = request.into_parts();
                    let mut bytes = Vec::new();
                    while let Some(Ok(data)) = body.data().await {
                        bytes.extend_from_slice(&data);
                        let _ = body.flow_control().release_capacity(data.len());
                    }
                    let _ = tell.send((head, bytes));
                });
            }
        });
    }
}

fn ok(mut respond: SendResponse<Bytes>) {
    let mut stream = respond.send_response(Response::new(()), false).expect("not reset");
    let _ = stream.send_data(Bytes::from_static(b"ok"), true);
}

fn gateway(nodes: &[&str]) -> Gateway {
    let gateway = Gateway::start();
    let nodes: serde_json::Map<_, _> = nodes.iter().map(|node| ((*node).to_owned(), json!(1))).collect();
    let upstream = json!({"type": "roundrobin", "scheme": "grpc", "nodes": nodes});
    gateway.put("/routes/1", json!({"uri": "/*", "upstream": upstream}));
    gateway
}

#[test]
fn a_request_arrives_as_it_was_asked() {
    let (node, seen) = upstream(|_, respond| ok(respond));
    let gateway = gateway(&[&node]);
    let mut client = Frames::open(&gateway);
    let fields =
        [("te", "trailers"), ("content-type", "application/grpc"), ("cookie", "a=1"), ("cookie", "b=2")];
    client.send([headers(1, END_HEADERS, with(&POST, &fields)), data(1, END_STREAM, "body")].concat());
    assert_eq!(client.status(1), 200);
    let (head, body) = seen.recv().expect("a request");
    assert_eq!((head.method.as_str(), head.uri.to_string().as_str()), ("POST", "http://h/p"));
    assert_eq!(body, b"body");
    let expected = [
        ("content-type", "application/grpc"),
        ("cookie", "a=1; b=2"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", &gateway.proxy.port().to_string()),
        ("x-forwarded-host", "h"),
        ("te", "trailers"),
    ];
    let fields: Vec<_> =
        head.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("text"))).collect();
    assert_eq!(fields, expected);
}

#[test]
fn characters_that_no_uri_has_are_encoded_and_no_others() {
    let (node, seen) = upstream(|_, respond| ok(respond));
    let gateway = gateway(&[&node]);
    for (asked, arrives) in [
        ("/a%2Fb?q=%20+", "/a%2Fb?q=%20+"),
        ("/a<b>?`^\"", "/a%3Cb%3E?%60%5E%22"),
        ("/{a}|b\\c", "/{a}|b\\c"),
        ("//x/./", "//x/./"),
    ] {
        assert_eq!(gateway.get(asked).status, 200, "{asked}");
        let (head, _) = seen.recv().expect("a request");
        assert_eq!(head.uri.path_and_query().map(http::uri::PathAndQuery::as_str), Some(arrives));
    }
}

#[test]
fn a_request_that_one_node_refuses_goes_to_another() {
    let (busy, refused) = upstream(|_, mut respond| respond.send_reset(Reason::REFUSED_STREAM));
    let (idle, seen) = upstream(|_, respond| ok(respond));
    let gateway = gateway(&[&busy, &idle]);
    for _ in 0..4 {
        assert_eq!(gateway.request("POST", "/p", &[], b"body").status, 200);
        assert_eq!(seen.recv().expect("a request").1, b"body");
    }
    assert!(refused.try_iter().count() >= 2, "both nodes had their turn");
}

#[test]
fn a_request_that_a_node_may_have_executed_goes_nowhere_else() {
    let (broken, _) = upstream(|_, mut respond| respond.send_reset(Reason::INTERNAL_ERROR));
    let (idle, seen) = upstream(|_, respond| ok(respond));
    let gateway = gateway(&[&broken, &idle]);
    let statuses: Vec<u16> = (0..4).map(|_| gateway.request("POST", "/p", &[], b"body").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 502).count(), 2, "{statuses:?}");
    // A node says what it saw when it has answered.
    (0..2).for_each(|_| drop(seen.recv().expect("a request")));
    assert_eq!(seen.try_iter().count(), 0);
}

#[test]
fn a_node_that_speaks_http1_sees_no_request() {
    let upstream =
        FakeUpstream::start(|_, connection| connection.answer("200 OK", &[], "").map(|()| Then::Keep));
    let gateway = gateway(&[&upstream.node()]);
    let mut client = Frames::open(&gateway);
    client.send(headers(1, END_HEADERS | END_STREAM, with(&GET, &[])));
    assert_eq!(client.status(1), 502);
    // The preface looks like a request to it; nothing else does.
    assert!(upstream.pending().iter().all(|request| request.target() != "/p"));
}
