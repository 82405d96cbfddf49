//! HTTP/3 (`enable_http3`), called by quinn's client.

mod client;
mod upgrade;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use bytes::Buf;
use http::{HeaderMap, HeaderValue, Method};
use lockgate_tests::{Authority, FakeUpstream, Gate, Gateway, Ports, Settings, Then, curl, eventually};
use serde_json::{Value, json};

use crate::client::{Client, answer, run};

/// A gateway that serves HTTP/3, and what it needs.
struct Bench {
    gateway: Gateway,
    authority: Authority,
    at: SocketAddr,
    _ports: Ports,
}

fn bench(http3: bool) -> Bench {
    let ports = Ports::take();
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.get(0)));
    let listen = json!([{"ip": "127.0.0.1", "port": at.port(), "enable_http3": http3}]);
    let gateway = Gateway::with(Settings::new().set("apisix.ssl", json!({"listen": listen})));
    let bench = Bench { gateway, authority: Authority::new(), at, _ports: ports };
    bench.certify("1", "gateway.test", json!({}));
    bench
}

impl Bench {
    /// Gives the gateway a certificate for a name.
    fn certify(&self, id: &str, name: &str, mut fields: Value) {
        let (certificate, key) = self.authority.files(name);
        let read = |path| std::fs::read_to_string(path).expect("the authority has written it");
        fields["snis"] = json!([name]);
        fields["cert"] = json!(read(certificate));
        fields["key"] = json!(read(key));
        self.gateway.put(&format!("/ssls/{id}"), fields);
    }

    async fn connect(&self) -> Client {
        let connected = Client::connect(self.at, "gateway.test", &self.authority.file()).await;
        connected.unwrap_or_else(|error| panic!("{error}: {}", self.gateway.output()))
    }
}

fn logged(gateway: &Gateway, what: &str) {
    eventually(what, || gateway.output().contains(what).then_some(()));
}

#[test]
fn a_request_passes_as_by_any_other_version() {
    let bench = bench(true);
    let upstream = FakeUpstream::echo();
    bench.gateway.route("1", json!({"uri": "/a/*", "hosts": ["gateway.test"]}), &upstream.node());
    run(async {
        let mut client = bench.connect().await;
        for _ in 0..3 {
            let answer = client.send(Method::GET, "/a/b%20c?d=e", "").await;
            assert_eq!(answer.status, 200);
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(text.starts_with("GET /a/b%20c?d=e HTTP/1.1\r\nHost: gateway.test\r\n"), "{text}");
            assert!(text.contains("X-Forwarded-Proto: https\r\n"), "{text}");
            assert!(text.contains("X-Forwarded-For: 127.0.0.1\r\n"), "{text}");
            assert!(!text.to_ascii_lowercase().contains("transfer-encoding"), "{text}");
            assert!(!answer.headers.contains_key("alt-svc"), "it is there already");
        }
        assert_eq!(client.send(Method::GET, "/other", "").await.status, 404);
    });
    logged(&bench.gateway, "\"GET /a/b%20c?d=e HTTP/3.0\" 200");
}

#[test]
fn bodies_stream_both_ways() {
    let bench = bench(true);
    let upstream = FakeUpstream::start(|request, connection| {
        let body = request.body.clone();
        connection.answer("200 OK", &[], body).map(|()| Then::Keep)
    });
    bench.gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    run(async {
        let mut client = bench.connect().await;
        for size in [1, 10_000, 4 << 20] {
            let body = vec![b'x'; size];
            let answer = client.send(Method::POST, "/", body.clone()).await;
            assert!(answer.body == body, "{size}");
        }
    });
}

#[test]
fn there_are_only_so_many_trailers() {
    let bench = bench(true);
    let upstream = FakeUpstream::fixed("ok");
    bench.gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    run(async {
        let mut client = bench.connect().await;
        for (count, status) in [(100, 200), (101, 400)] {
            let mut trailers = HeaderMap::new();
            for _ in 0..count {
                trailers.append("a", HeaderValue::from_static("b"));
            }
            let mut stream = client.ask(Method::POST, "/").await;
            stream.send_data("ab".into()).await.expect("the gateway reads");
            stream.send_trailers(trailers).await.expect("the gateway reads");
            stream.finish().await.expect("the gateway reads");
            assert_eq!(answer(&mut stream).await.status, status, "{count}");
        }
    });
    let received = upstream.next();
    assert_eq!((received.text(), received.trailers.len()), ("ab".to_owned(), 100));
}

#[test]
fn an_answer_is_passed_on_as_it_comes() {
    let bench = bench(true);
    let gate = Gate::new();
    let wait = gate.clone();
    let upstream = FakeUpstream::start(move |_, connection| {
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        connection.send_chunk("first")?;
        wait.pass();
        connection.send_chunk("second")?;
        connection.send("0\r\n\r\n").map(|()| Then::Keep)
    });
    bench.gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    run(async {
        let mut client = bench.connect().await;
        let mut stream = client.ask(Method::GET, "/").await;
        stream.finish().await.expect("the gateway reads");
        assert_eq!(stream.recv_response().await.expect("an answer").status(), 200);
        let first = stream.recv_data().await.expect("data").expect("some");
        assert_eq!(first.chunk(), b"first");
        gate.open();
        let second = stream.recv_data().await.expect("data").expect("some");
        assert_eq!(second.chunk(), b"second");
    });
}

#[test]
fn it_is_announced_where_it_is_served_and_only_there() {
    let bench = bench(true);
    let upstream = FakeUpstream::fixed("ok");
    bench.gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    let expected = format!("h3=\":{}\"; ma=86400", bench.at.port());
    let authority = bench.authority.file().display().to_string();
    for version in ["--http1.1", "--http2"] {
        let resolve = format!("gateway.test:{0}:127.0.0.1", bench.at.port());
        let url = format!("https://gateway.test:{}/", bench.at.port());
        let said = curl(&[version, "--cacert", &authority, "--resolve", &resolve, "--include", &url]);
        let head = said.output.to_ascii_lowercase();
        assert!(head.contains(&format!("alt-svc: {expected}\r\n")), "{version}: {said:?}");
    }
    assert_eq!(bench.gateway.get("/").head.get("alt-svc"), None, "by a plain listener");
}

#[test]
fn nothing_listens_where_it_is_not_asked_for() {
    let bench = bench(false);
    UdpSocket::bind(bench.at).expect("the port should be free");
}

#[test]
fn certificates_change_without_a_connection_dropped() {
    let bench = bench(true);
    let upstream = FakeUpstream::fixed("ok");
    bench.gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    run(async {
        let mut before = bench.connect().await;
        assert_eq!(before.send(Method::GET, "/", "").await.status, 200);
        for _ in 0..5 {
            bench.certify("1", "gateway.test", json!({}));
            let mut after = bench.connect().await;
            assert_eq!(after.send(Method::GET, "/", "").await.status, 200);
            assert_eq!(before.send(Method::GET, "/", "").await.status, 200);
        }
    });
}

#[test]
fn names_that_ask_for_certificates_of_clients_are_not_served() {
    let bench = bench(true);
    let upstream = FakeUpstream::fixed("ok");
    bench.gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    bench.certify("2", "mutual.test", json!({"client": {"ca": bench.authority.pem()}}));
    run(async {
        for name in ["mutual.test", "unknown.test"] {
            let refused = Client::connect(bench.at, name, &bench.authority.file()).await;
            assert!(refused.is_err(), "{name}");
        }
        assert_eq!(bench.connect().await.send(Method::GET, "/", "").await.status, 200);
    });
}

#[test]
fn requests_end_before_the_program_does() {
    let mut bench = bench(true);
    let gate = Gate::new();
    let wait = gate.clone();
    let upstream = FakeUpstream::start(move |_, connection| {
        wait.pass();
        connection.answer("200 OK", &[], "late").map(|()| Then::Keep)
    });
    bench.gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    run(async {
        let mut client = bench.connect().await;
        let mut stream = client.ask(Method::GET, "/").await;
        stream.finish().await.expect("the gateway reads");
        while upstream.pending().is_empty() {
            tokio::task::yield_now().await;
        }
        bench.gateway.process().signal("TERM");
        gate.open();
        assert_eq!(answer(&mut stream).await.body, b"late");
        let reason = client.quic.closed().await.to_string();
        assert!(reason.contains("closed"), "{reason}");
    });
    assert_eq!(bench.gateway.finish().code, Some(0));
}
