//! The side that clients see: framing, keep-alive, time-outs, and how connections end.

use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use lockgate_http::server::ServerSettings;
use lockgate_http::{Body, BodyError, BodyStream};
use tokio::io::AsyncWriteExt;

use crate::support::*;

#[test]
fn a_conversation_in_single_bytes_reads_the_same() {
    on_a_worker(async {
        let mut client = connect_to(Rc::new(Mirror), Rc::default()).await;
        let talk = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nfirst\
                    POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nsec\r\n3\r\nond\r\n0\r\nA: b\r\n\r\n\
                    GET /c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        for byte in talk.bytes() {
            write(&mut client, [byte]).await;
            tokio::task::yield_now().await;
        }
        let answers = rest(&mut client).await;
        assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{answers}");
        assert!(answers.contains("Content-Length: 5\r\n\r\nfirst"), "{answers}");
        let chunks: String = answers.split("chunked\r\n\r\n").nth(1).unwrap().chars().take(60).collect();
        assert!(chunks.contains("0\r\nA: b\r\n\r\n"), "{answers}");
        assert!(answers.contains("Connection: close\r\n\r\n"), "{answers}");
    });
}

#[test]
fn nothing_is_read_behind_a_broken_chunk() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = proxy.connect().await;
        let broken =
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n5\r\nab\r\n5\r\n";
        write(&mut client, format!("{broken}hello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"))
            .await;
        let answers = rest(&mut client).await;
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
        assert!(answers.contains("Connection: close\r\n"), "{answers}");
    });
}

/// A body that does not keep to the length it promises.
struct Lies {
    promised: u64,
    data: &'static [u8],
}

impl BodyStream for Lies {
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<bool, BodyError>> {
        Poll::Ready(Ok(!self.data.is_empty()))
    }
    fn data(&self) -> &[u8] {
        self.data
    }
    fn consume(&mut self, count: usize) {
        self.data = &self.data[count..];
    }
    fn length(&self) -> Option<u64> {
        Some(self.promised)
    }
}

#[test]
fn a_body_that_is_not_as_long_as_it_said_ends_the_connection() {
    on_a_worker(async {
        for (promised, data) in [(3, &b"12345HTTP/1.1 200 OK"[..]), (9, b"1234")] {
            let service = Answer(move |_| Body::stream(Lies { promised, data }));
            let mut client = connect_to(Rc::new(service), Rc::default()).await;
            write(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
            let answers = rest(&mut client).await;
            assert!(answers.matches("HTTP/1.1 200 OK").count() <= 1, "{answers}");
        }
    });
}

#[test]
fn a_body_that_is_kept_beyond_its_answer_ends_the_connection() {
    on_a_worker(async {
        let kept = std::cell::RefCell::new(Vec::new());
        let service = Answer(move |request: lockgate_http::Request| {
            kept.borrow_mut().push(request.body);
            Body::full("answer")
        });
        let mut client = connect_to(Rc::new(service), Rc::default()).await;
        let inner = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
        write(&mut client, format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", inner.len()))
            .await;
        head(&mut client).await;
        write(&mut client, inner).await;
        let answers = rest(&mut client).await;
        assert!(!answers.contains("HTTP/1.1 "), "{answers}");
    });
}

#[test]
fn a_head_beyond_the_limit_is_refused_however_it_arrives() {
    on_a_worker(async {
        let settings = ServerSettings { max_head: 200, ..ServerSettings::default() };
        let mut client = connect_to(Rc::new(Mirror), Rc::new(settings)).await;
        write(&mut client, format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(200))).await;
        assert!(rest(&mut client).await.starts_with("HTTP/1.1 431 "));
    });
}

#[test]
fn a_client_that_waits_for_100_is_told_to_go_on_and_what_follows_is_intact() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = proxy.connect().await;
        write(&mut client, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
            .await;
        assert_eq!(head(&mut client).await, "HTTP/1.1 100 Continue\r\n\r\n");
        write(&mut client, "body").await;
        let mut upstream = proxy.accept().await;
        let request = read_until(&mut upstream, "body").await;
        assert!(!request.contains("Expect"), "{request}");
        write(&mut upstream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        assert!(read_until(&mut client, "ok").await.starts_with("HTTP/1.1 200 OK\r\n"));
        write(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        head(&mut upstream).await;
    });
}

#[test]
fn answers_without_a_body_keep_their_framing() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = proxy.connect().await;
        write(&mut client, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let mut upstream = proxy.accept().await;
        head(&mut upstream).await;
        write(&mut upstream, "HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\n").await;
        assert!(head(&mut client).await.contains("Content-Length: 70\r\n"));
        for (status, has_length) in [("304 Not Modified", true), ("204 No Content", false)] {
            write(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
            head(&mut upstream).await;
            let length = if has_length { "Content-Length: 7\r\n" } else { "" };
            write(&mut upstream, format!("HTTP/1.1 {status}\r\n{length}\r\n")).await;
            let answer = head(&mut client).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
            assert_eq!(answer.contains("Content-Length: 7\r\n"), has_length, "{answer}");
            assert!(!answer.contains("Transfer-Encoding"), "{answer}");
        }
    });
}

#[test]
fn a_client_of_http_1_0_gets_no_chunks() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = proxy.connect().await;
        write(&mut client, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
        let mut upstream = proxy.accept().await;
        head(&mut upstream).await;
        write(&mut upstream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
            .await;
        let answer = rest(&mut client).await;
        assert!(answer.ends_with("Connection: close\r\n\r\nabc"), "{answer}");
    });
}

#[test]
fn a_body_that_stalls_is_answered_408_or_502_and_never_waited_for() {
    on_a_worker(async {
        let proxy = Set::impatient().start().await;
        let mut client = proxy.connect().await;
        write(&mut client, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf").await;
        let _upstream = proxy.accept().await;
        let answer = rest(&mut client).await;
        assert!(answer.contains("Timeout") && answer.contains("Connection: close\r\n"), "{answer}");
    });
}

#[test]
fn idle_connections_end_and_so_do_heads_that_never_do() {
    on_a_worker(async {
        for start in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET"] {
            let settings = Set::impatient().server;
            let mut client = connect_to(Rc::new(Mirror), Rc::new(settings)).await;
            write(&mut client, start).await;
            let answers = rest(&mut client).await;
            assert_eq!(answers.matches("HTTP/1.1").count(), start.matches("\r\n\r\n").count(), "{start:?}");
        }
    });
}

#[test]
fn a_client_that_takes_nothing_is_let_go() {
    on_a_worker(async {
        let proxy = Set::impatient().start().await;
        let mut client = proxy.connect().await;
        write(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let mut upstream = proxy.accept().await;
        head(&mut upstream).await;
        write(&mut upstream, "HTTP/1.1 200 OK\r\n\r\n").await;
        let piece = vec![b'x'; 64 * 1024];
        while upstream.write_all(&piece).await.is_ok() {}
        let outcomes = proxy.outcomes();
        assert!(matches!(&outcomes[..], [outcome] if !outcome.is_complete), "{outcomes:?}");
    });
}

#[test]
fn a_refused_upload_ends_with_an_answer_that_arrives() {
    on_a_worker(async {
        let settings = ServerSettings { max_body: 10, ..ServerSettings::default() };
        let mut client = connect_to(Rc::new(Mirror), Rc::new(settings)).await;
        let len = 8 * 1024 * 1024;
        write(&mut client, format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {len}\r\n\r\n")).await;
        // A client that sends all of it before it reads.
        write(&mut client, vec![0; len]).await;
        assert!(head(&mut client).await.starts_with("HTTP/1.1 413 "));
    });
}

#[test]
fn a_time_beyond_all_clocks_is_no_time_out() {
    on_a_worker(async {
        let settings = ServerSettings {
            idle_timeout: Duration::MAX,
            head_timeout: Duration::MAX,
            body_timeout: Duration::MAX,
            send_timeout: Duration::MAX,
            ..ServerSettings::default()
        };
        let mut client = connect_to(Rc::new(Mirror), Rc::new(settings)).await;
        for _ in 0..2 {
            assert!(get(&mut client, "\r\n\r\n").await.starts_with("HTTP/1.1 200 "));
        }
    });
}
