//! Upstreams that speak HTTP/2.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use http::{HeaderMap, Method, StatusCode};
use lockgate_http::client::{Answer, SendFailure, Timeouts, send};
use lockgate_http::peer::{KeepAlive, Peer, Protocol};
use lockgate_http::resolver::Resolver;
use lockgate_http::{Body, ClientError, Outgoing, Request};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::support::{listener, on_a_worker, write};

type Incoming = (http::Request<RecvStream>, SendResponse<Bytes>);

/// An upstream whose every request is given to a script.
struct Upstream {
    peer: Arc<Peer>,
    connections: Rc<Cell<usize>>,
}

impl Upstream {
    async fn start<F: Future<Output = ()> + 'static>(
        builder: Builder,
        keep_alive: KeepAlive,
        script: impl Fn(usize, Incoming) -> F + 'static,
    ) -> Self {
        let listener = listener().await;
        let upstream = Self { peer: peer(&listener, keep_alive), connections: Rc::default() };
        let (connections, script) = (upstream.connections.clone(), Rc::new(script));
        tokio::task::spawn_local(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let number = connections.replace(connections.get() + 1);
                let (script, builder) = (script.clone(), builder.clone());
                tokio::task::spawn_local(async move {
                    let Ok(mut connection) = builder.handshake(socket).await else { return };
                    while let Some(Ok(incoming)) = connection.accept().await {
                        tokio::task::spawn_local(script(number, incoming));
                    }
                });
            }
        });
        upstream
    }

    async fn of<F: Future<Output = ()> + 'static>(script: impl Fn(usize, Incoming) -> F + 'static) -> Self {
        Self::start(Builder::new(), KeepAlive::default(), script).await
    }

    async fn ask(&self, method: Method, body: Body) -> Result<Answer, Box<SendFailure>> {
        ask(&self.peer, method, body).await
    }
}

fn peer(listener: &TcpListener, keep_alive: KeepAlive) -> Arc<Peer> {
    let resolver = Resolver::new(tokio::runtime::Handle::current(), []);
    let port = listener.local_addr().unwrap().port();
    Arc::new(Peer::new("127.0.0.1", port, None, keep_alive, &resolver).speaking(Protocol::Http2))
}

async fn ask(peer: &Arc<Peer>, method: Method, body: Body) -> Result<Answer, Box<SendFailure>> {
    let short = Duration::from_millis(400);
    let timeouts = Timeouts { connect: short, send: short, read: short };
    send(peer, &request(method), body, &Outgoing::default(), &timeouts).await
}

fn request(method: Method) -> Request {
    let mut request = Request::new(method, "/a?b=%20c").unwrap();
    for (name, value) in [("Host", "h:81"), ("X-Kept", "1"), ("Cookie", "a=1; b=2")] {
        request.headers.append(name, value.as_bytes()).unwrap();
    }
    request
}

/// Answers with this body.
fn answer(respond: &mut SendResponse<Bytes>, body: &'static str) {
    let mut stream = respond.send_response(http::Response::new(()), false).unwrap();
    stream.send_data(Bytes::from_static(body.as_bytes()), true).unwrap();
}

async fn read(mut body: RecvStream) -> (Vec<u8>, Option<HeaderMap>) {
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        all.extend_from_slice(&data);
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    (all, body.trailers().await.unwrap())
}

async fn collect(answer: Answer) -> String {
    let mut body = answer.response.body;
    String::from_utf8(body.collect(1 << 20).await.unwrap().to_vec()).unwrap()
}

/// The first frame is ours; a server's preface in return.
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

/// Takes a connection as far as its first request.
async fn raw(listener: &TcpListener) -> TcpStream {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut preface = [0; 24];
    socket.read_exact(&mut preface).await.unwrap();
    write(&mut socket, SETTINGS).await;
    read_frame(&mut socket, 1).await;
    socket
}

/// Reads up to and with a frame of a kind.
async fn read_frame(socket: &mut TcpStream, kind: u8) -> Vec<u8> {
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await.unwrap();
        let len = usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; len];
        socket.read_exact(&mut payload).await.unwrap();
        if head[3] == kind {
            return payload;
        }
    }
}

#[test]
fn a_request_arrives_as_http2_has_it() {
    on_a_worker(async {
        let seen = Rc::new(RefCell::new(None));
        let see = seen.clone();
        let upstream = Upstream::of(move |_, (request, mut respond)| {
            let (head, body) = request.into_parts();
            let see = see.clone();
            async move {
                *see.borrow_mut() = Some((head, read(body).await.0));
                answer(&mut respond, "yes");
            }
        })
        .await;
        let answer = upstream.ask(Method::POST, Body::full("body")).await.unwrap();
        assert_eq!(collect(answer).await, "yes");
        let (head, body) = seen.take().unwrap();
        assert_eq!((head.method, head.uri.to_string()), (Method::POST, "http://h:81/a?b=%20c".to_owned()));
        assert_eq!(body, b"body");
        let fields: Vec<_> =
            head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let expected: [(&str, &[u8]); 4] =
            [("x-kept", b"1"), ("cookie", b"a=1; b=2"), ("te", b"trailers"), ("content-length", b"4")];
        assert_eq!(fields, expected);
    });
}

#[test]
fn requests_share_a_connection_as_long_as_it_takes_them() {
    on_a_worker(async {
        for (limit, expected) in [(100, 1), (2, 3)] {
            let (all_here, arrived) = (Rc::new(Notify::new()), Rc::new(Cell::new(0)));
            let mut builder = Builder::new();
            builder.max_concurrent_streams(limit);
            let upstream = Upstream::start(builder, KeepAlive::default(), move |_, (_, mut respond)| {
                let (all_here, arrived) = (all_here.clone(), arrived.clone());
                async move {
                    arrived.set(arrived.get() + 1);
                    if arrived.get() == 6 {
                        all_here.notify_waiters();
                    } else {
                        all_here.notified().await;
                    }
                    answer(&mut respond, "ok");
                }
            })
            .await;
            let tasks: Vec<_> = (0..6)
                .map(|_| {
                    let peer = upstream.peer.clone();
                    tokio::task::spawn_local(async move { ask(&peer, Method::GET, Body::empty()).await })
                })
                .collect();
            for task in tasks {
                assert_eq!(collect(task.await.unwrap().unwrap()).await, "ok");
            }
            assert_eq!(upstream.connections.get(), expected, "with {limit} streams each");
        }
    });
}

#[test]
fn a_refused_stream_is_sent_again() {
    on_a_worker(async {
        let count = Rc::new(Cell::new(0));
        let upstream = Upstream::of(move |_, (_, mut respond)| {
            let count = count.clone();
            async move {
                match count.replace(count.get() + 1) {
                    0 => respond.send_reset(Reason::REFUSED_STREAM),
                    _ => answer(&mut respond, "second"),
                }
            }
        })
        .await;
        let answer = upstream.ask(Method::POST, Body::full("x")).await.unwrap();
        assert_eq!(collect(answer).await, "second");
    });
}

#[test]
fn a_stream_that_is_refused_for_good_is_left_to_another_peer() {
    on_a_worker(async {
        let upstream = Upstream::of(|_, (_, mut respond)| async move {
            respond.send_reset(Reason::REFUSED_STREAM);
        })
        .await;
        let failure = upstream.ask(Method::POST, Body::full("x")).await.unwrap_err();
        assert!(matches!(failure.error, ClientError::Refused { .. }) && failure.error.is_safe_to_retry());
        assert!(failure.body.is_some(), "the body is whole");
        assert!(failure.remote.is_some());
    });
}

#[test]
fn a_stream_reset_for_another_reason_may_have_been_executed() {
    on_a_worker(async {
        let upstream = Upstream::of(|_, (_, mut respond)| async move {
            respond.send_reset(Reason::INTERNAL_ERROR);
        })
        .await;
        let failure = upstream.ask(Method::GET, Body::empty()).await.unwrap_err();
        assert!(matches!(failure.error, ClientError::Reset { reason: "INTERNAL_ERROR", .. }), "{failure:?}");
        assert!(!failure.error.is_safe_to_retry());
    });
}

#[test]
fn a_request_above_the_last_of_a_goaway_is_sent_again_elsewhere() {
    on_a_worker(async {
        let listener = listener().await;
        let peer = peer(&listener, KeepAlive::default());
        let asked = tokio::task::spawn_local(async move { ask(&peer, Method::POST, Body::full("x")).await });
        let mut first = raw(&listener).await;
        write(&mut first, b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0").await;
        let mut second = raw(&listener).await;
        write(&mut second, b"\0\0\x01\x01\x05\0\0\0\x01\x89").await;
        let answer = asked.await.unwrap().unwrap();
        assert_eq!(answer.response.status, StatusCode::NO_CONTENT);
    });
}

#[test]
fn a_request_within_a_goaway_is_never_sent_twice() {
    on_a_worker(async {
        let listener = listener().await;
        let peer = peer(&listener, KeepAlive::default());
        let asked = tokio::task::spawn_local(async move { ask(&peer, Method::POST, Body::full("x")).await });
        let mut first = raw(&listener).await;
        write(&mut first, b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0").await;
        drop(first);
        let failure = asked.await.unwrap().unwrap_err();
        assert!(matches!(failure.error, ClientError::Closed { .. }), "{failure:?}");
        assert!(failure.body.is_none() && !failure.error.is_safe_to_retry());
    });
}

#[test]
fn what_goes_up_comes_down_while_it_goes_with_trailers() {
    on_a_worker(async {
        let upstream = Upstream::of(|_, (request, mut respond)| async move {
            let mut body = request.into_body();
            let mut stream = respond.send_response(http::Response::new(()), false).unwrap();
            while let Some(data) = body.data().await {
                let data = data.unwrap();
                body.flow_control().release_capacity(data.len()).unwrap();
                stream.send_data(data, false).unwrap();
            }
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            stream.send_trailers(trailers).unwrap();
        })
        .await;
        let sent: Vec<u8> = (0..600_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let mut answer = upstream.ask(Method::POST, Body::full(sent.clone())).await.unwrap();
        let body = &mut answer.response.body;
        assert_eq!(body.length(), None);
        assert!(body.collect(1 << 20).await.unwrap() == sent);
        let trailers = body.trailers().unwrap();
        assert_eq!(trailers.get("grpc-status"), Some(b"0".as_slice()));
    });
}

#[test]
fn a_slow_reader_holds_back_its_own_stream_alone() {
    on_a_worker(async {
        let sent = Rc::new(Cell::new(0));
        let count = sent.clone();
        let upstream = Upstream::of(move |_, (request, mut respond)| {
            let count = count.clone();
            async move {
                if request.method() == Method::GET {
                    return answer(&mut respond, "quick");
                }
                let mut stream = respond.send_response(http::Response::new(()), false).unwrap();
                loop {
                    stream.reserve_capacity(16 * 1024);
                    let granted = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
                    let Some(Ok(granted)) = granted else { return };
                    count.set(count.get() + granted);
                    stream.send_data(vec![0; granted].into(), false).unwrap();
                }
            }
        })
        .await;
        let slow: Vec<Answer> = {
            let mut slow = Vec::new();
            for _ in 0..6 {
                slow.push(upstream.ask(Method::POST, Body::empty()).await.unwrap());
            }
            slow
        };
        while sent.get() < 6 * 256 * 1024 {
            tokio::task::yield_now().await;
        }
        assert_eq!(collect(upstream.ask(Method::GET, Body::empty()).await.unwrap()).await, "quick");
        assert_eq!(sent.get(), 6 * 256 * 1024, "no more than the windows");
        assert_eq!((slow.len(), upstream.connections.get()), (6, 1));
    });
}

#[test]
fn an_answer_that_is_not_wanted_any_more_is_reset() {
    on_a_worker(async {
        let reset = Rc::new(Notify::new());
        let told = reset.clone();
        let upstream = Upstream::of(move |_, (_, mut respond)| {
            let told = told.clone();
            async move {
                let mut stream = respond.send_response(http::Response::new(()), false).unwrap();
                let reason = std::future::poll_fn(|cx| stream.poll_reset(cx)).await.unwrap();
                assert_eq!(reason, Reason::CANCEL);
                told.notify_one();
            }
        })
        .await;
        drop(upstream.ask(Method::GET, Body::empty()).await.unwrap());
        reset.notified().await;
    });
}

#[test]
fn an_upstream_that_grants_nothing_or_says_nothing_times_out() {
    on_a_worker(async {
        let mut builder = Builder::new();
        builder.initial_window_size(10);
        let upstream = Upstream::start(builder, KeepAlive::default(), |_, (request, _respond)| async move {
            std::future::pending::<()>().await;
            drop(request);
        })
        .await;
        for body in [Body::empty(), Body::full(vec![0; 100_000])] {
            let failure = upstream.ask(Method::POST, body).await.unwrap_err();
            assert!(matches!(failure.error, ClientError::Timeout { .. }), "{failure:?}");
        }
    });
}

#[test]
fn a_server_of_http1_is_found_out_before_it_sees_a_request() {
    on_a_worker(async {
        let listener = listener().await;
        let peer = peer(&listener, KeepAlive::default());
        tokio::task::spawn_local(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            write(&mut socket, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
            let mut rest = Vec::new();
            let _ = socket.read_to_end(&mut rest).await;
        });
        let failure = ask(&peer, Method::POST, Body::full("x")).await.unwrap_err();
        assert!(matches!(failure.error, ClientError::Connect { .. }), "{failure:?}");
        assert!(failure.body.is_some());
    });
}

#[test]
fn a_peer_that_sends_no_settings_is_not_connected_to() {
    on_a_worker(async {
        let listener = listener().await;
        let peer = peer(&listener, KeepAlive::default());
        let failure = ask(&peer, Method::GET, Body::empty()).await.unwrap_err();
        assert!(matches!(failure.error, ClientError::ConnectTimeout { .. }), "{failure:?}");
    });
}

#[test]
fn connections_end_when_they_are_not_needed_any_more() {
    on_a_worker(async {
        let once = KeepAlive { connections: 0, ..KeepAlive::default() };
        let brief = KeepAlive { timeout: Duration::from_millis(50), ..KeepAlive::default() };
        let twice = KeepAlive { requests: 2, ..KeepAlive::default() };
        for (keep_alive, expected) in [(once, 4), (twice, 2), (KeepAlive::default(), 1)] {
            let upstream = Upstream::start(Builder::new(), keep_alive, |_, (_, mut respond)| async move {
                answer(&mut respond, "ok");
            })
            .await;
            for _ in 0..4 {
                assert_eq!(collect(upstream.ask(Method::GET, Body::empty()).await.unwrap()).await, "ok");
            }
            assert_eq!(upstream.connections.get(), expected, "{keep_alive:?}");
        }
        let listener = listener().await;
        let peer = peer(&listener, brief);
        let asked = tokio::task::spawn_local(async move { ask(&peer, Method::GET, Body::empty()).await });
        let mut socket = raw(&listener).await;
        write(&mut socket, b"\0\0\x01\x01\x05\0\0\0\x01\x89").await;
        asked.await.unwrap().unwrap();
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).await.unwrap();
        let farewell = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";
        assert!(rest.ends_with(farewell), "it says that it goes: {rest:?}");
    });
}

#[test]
fn a_broken_response_is_told_apart_from_a_closed_connection() {
    on_a_worker(async {
        let cases: [(&str, &[u8]); 3] = [
            ("no status", b"\0\0\x05\x01\x05\0\0\0\x01\0\x01a\x01b"),
            ("an unknown first index", b"\0\0\x01\x01\x05\0\0\0\x01\xff"),
            ("a length that the stream has not", b"\0\0\x0a\x01\x05\0\0\0\x01\x88\x0f\x0d\x011\0\x01a\x01b"),
        ];
        for (what, frame) in cases {
            let listener = listener().await;
            let peer = peer(&listener, KeepAlive::default());
            let asked = tokio::task::spawn_local(async move { ask(&peer, Method::GET, Body::empty()).await });
            let mut socket = raw(&listener).await;
            write(&mut socket, frame).await;
            let failure = asked.await.unwrap().unwrap_err();
            assert!(matches!(failure.error, ClientError::Malformed { .. }), "{what}: {failure:?}");
        }
    });
}
