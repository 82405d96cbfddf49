//! Requests and answers by HTTP/3, and their bodies.

use bytes::{Buf, Bytes};
use http::{HeaderMap, Method, Request, StatusCode};
use lockgate_http::server::ServerSettings;
use std::rc::Rc;

use super::{answer, connect};
use crate::support::*;

#[test]
fn a_request_is_answered_by_an_upstream() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = connect(proxy.service.clone(), ServerSettings::default()).await;
        let upstream = async {
            let mut upstream = proxy.accept().await;
            let head = head(&mut upstream).await;
            write(&mut upstream, "HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nok").await;
            head
        };
        let (head, (response, body, _)) = tokio::join!(upstream, client.get("/a%20b?c=d"));
        assert!(head.starts_with("GET /a%20b?c=d HTTP/1.1\r\nHost: h.test\r\n"), "{head}");
        assert!(!head.contains("Transfer-Encoding"), "{head}");
        assert_eq!((response.status(), &body[..]), (StatusCode::OK, &b"ok"[..]));
        assert_eq!(response.headers()["x-a"], "1");
        assert_eq!(response.headers()["content-length"], "2");
        assert!(proxy.outcomes()[0].is_complete);
    });
}

#[test]
fn bodies_and_trailers_pass_both_ways() {
    on_a_worker(async {
        let mut client = connect(Rc::new(Mirror), ServerSettings::default()).await;
        for size in [0, 1, 5_000, 3 << 20] {
            let stream = client.ask(Method::POST, "/").await;
            let (mut up, mut down) = stream.split();
            let sent = vec![7; size];
            let sending = async {
                for piece in sent.chunks(50_000) {
                    up.send_data(Bytes::copy_from_slice(piece)).await.unwrap();
                }
                let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "9".parse().unwrap())]);
                up.send_trailers(trailers).await.unwrap();
                up.finish().await.unwrap();
            };
            let reading = async {
                assert_eq!(down.recv_response().await.unwrap().status(), 200);
                let mut count = 0;
                while let Some(data) = down.recv_data().await.unwrap() {
                    count += data.remaining();
                }
                (count, down.recv_trailers().await.unwrap())
            };
            let ((), (count, trailers)) = tokio::join!(sending, reading);
            assert_eq!(count, size);
            assert_eq!(trailers.unwrap()["x-sum"], "9");
        }
    });
}

#[test]
fn a_body_is_as_long_as_it_says_or_not_whole() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = connect(proxy.service.clone(), ServerSettings::default()).await;
        for sent in ["123", "12345678"] {
            let request = Request::post("https://h.test/").header("content-length", "5").body(()).unwrap();
            let mut stream = client.sender.send_request(request).await.unwrap();
            stream.send_data(Bytes::from(sent)).await.unwrap();
            stream.finish().await.unwrap();
            let response = async { stream.recv_response().await.map(|response| response.status()) };
            let upstream = async {
                let mut upstream = proxy.accept().await;
                rest(&mut upstream).await
            };
            let (seen, _) = tokio::join!(upstream, response);
            let (_, body) = seen.split_once("\r\n\r\n").unwrap_or_default();
            assert!(body.len() < 5, "{sent}: {body}");
        }
    });
}

#[test]
fn many_requests_share_a_connection() {
    on_a_worker(async {
        let mut client = connect(Rc::new(Mirror), ServerSettings::default()).await;
        for _ in 0..300 {
            assert_eq!(client.get("/").await.0.status(), 200);
        }
        let mut streams = Vec::new();
        for _ in 0..100 {
            streams.push(client.ask(Method::POST, "/").await);
        }
        for mut stream in streams {
            stream.send_data(Bytes::from("x")).await.unwrap();
            stream.finish().await.unwrap();
            assert_eq!(answer(&mut stream).await.1, b"x");
        }
    });
}
