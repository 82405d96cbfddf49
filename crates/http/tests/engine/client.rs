//! The side that upstreams see: which connections are used again, and which requests are sent again.

use std::time::Duration;

use http::{Method, StatusCode};
use lockgate_http::client::{Timeouts, send};
use lockgate_http::peer::{KeepAlive, Protocol};
use lockgate_http::{Body, ClientError, Outgoing, Request};
use tokio::io::AsyncReadExt;

use crate::support::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn a_connection_the_upstream_has_closed_is_replaced_unseen() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = proxy.connect().await;
        let serve = async {
            let mut first = proxy.accept().await;
            head(&mut first).await;
            write(&mut first, OK).await;
            // It closes when the next request is on its way already.
            head(&mut first).await;
            drop(first);
            let mut second = proxy.accept().await;
            let request = head(&mut second).await;
            write(&mut second, OK).await;
            request
        };
        let ask = async {
            get(&mut client, "ok").await;
            get(&mut client, "ok").await
        };
        let (request, answer) = tokio::join!(serve, ask);
        assert!(request.starts_with("GET / HTTP/1.1\r\n"));
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    });
}

#[test]
fn a_request_that_may_have_been_executed_is_not_sent_again() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = proxy.connect().await;
        write(&mut client, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").await;
        let mut upstream = proxy.accept().await;
        head(&mut upstream).await;
        write(&mut upstream, OK).await;
        read_until(&mut client, "ok").await;
        write(&mut client, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").await;
        head(&mut upstream).await;
        // A connection that was closed while idle would have been seen by now: this one worked on the request.
        pass(Duration::from_millis(700)).await;
        drop(upstream);
        assert!(head(&mut client).await.starts_with("HTTP/1.1 502 "));
        // Whoever connected again had done so before the answer.
        let again = tokio::select! {
            biased;
            _ = proxy.accept() => true,
            () = tokio::task::yield_now() => false,
        };
        assert!(!again, "it was sent again");
    });
}

#[test]
fn a_connection_that_said_more_than_its_answer_is_not_used_again() {
    on_a_worker(async {
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad",
            "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        ] {
            let proxy = Proxy::start().await;
            let mut client = proxy.connect().await;
            write(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
            let mut first = proxy.accept().await;
            head(&mut first).await;
            write(&mut first, answer).await;
            head(&mut client).await;
            if answer.contains("200") {
                read_until(&mut client, "ok").await;
            }
            write(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
            let mut second = proxy.accept().await;
            head(&mut second).await;
            write(&mut second, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew").await;
            assert!(read_until(&mut client, "new").await.starts_with("HTTP/1.1 200 "), "{answer}");
        }
    });
}

#[test]
fn a_body_that_ends_with_its_connection_is_passed_on_whole() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = proxy.connect().await;
        write(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let mut upstream = proxy.accept().await;
        head(&mut upstream).await;
        write(&mut upstream, "HTTP/1.1 200 OK\r\n\r\nsome").await;
        assert!(read_until(&mut client, "some\r\n").await.contains("Transfer-Encoding: chunked\r\n"));
        write(&mut upstream, "more").await;
        drop(upstream);
        assert_eq!(read_until(&mut client, "0\r\n\r\n").await, "4\r\nmore\r\n0\r\n\r\n");
        write(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        proxy.accept().await;
    });
}

#[test]
fn an_answer_that_breaks_off_breaks_off_for_the_client_too() {
    on_a_worker(async {
        for (start, length) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "9"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "chunked"),
        ] {
            let proxy = Proxy::start().await;
            let mut client = proxy.connect().await;
            write(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
            let mut upstream = proxy.accept().await;
            head(&mut upstream).await;
            write(&mut upstream, start).await;
            drop(upstream);
            let answer = rest(&mut client).await;
            assert!(answer.contains(length) && answer.contains("half"), "what came is passed on: {answer}");
            assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
            assert!(matches!(&proxy.outcomes()[..], [outcome] if !outcome.is_complete));
        }
    });
}

#[test]
fn an_upstream_that_nobody_listens_for_refuses() {
    on_a_worker(async {
        let gone = listener().await.local_addr().unwrap();
        let peer = peer(gone, KeepAlive::default(), Protocol::Http1);
        let request = Request::new(Method::POST, "/").unwrap();
        let body = Body::full("still in hand");
        let sent = send(&peer, &request, body, &Outgoing::default(), &Timeouts::default()).await;
        let failure = sent.expect_err("nobody listens");
        assert!(matches!(failure.error, ClientError::Connect { .. }) && failure.error.is_safe_to_retry());
        assert_eq!(failure.body.and_then(|body| body.length()), Some(13));
    });
}

#[test]
fn one_silence_is_a_time_out() {
    on_a_worker(async {
        for start in ["", "HTTP/1.1 200", "HTTP/1.1 100 Continue\r\n\r\n"] {
            let proxy = Set::impatient().start().await;
            let mut client = proxy.connect().await;
            write(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
            let mut upstream = proxy.accept().await;
            head(&mut upstream).await;
            write(&mut upstream, start).await;
            let answer = read_until(&mut client, "}").await;
            assert!(answer.contains("Timeout"), "{answer}");
        }
    });
}

#[test]
fn connections_beyond_the_pool_serve_for_a_second_and_are_closed_then() {
    on_a_worker(async {
        let mut set = Set::default();
        set.keep_alive.connections = 1;
        let proxy = set.start().await;
        let mut clients = Vec::new();
        let mut upstreams = Vec::new();
        for _ in 0..3 {
            let mut client = proxy.connect().await;
            write(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
            upstreams.push(proxy.accept().await);
            clients.push(client);
        }
        for (client, upstream) in clients.iter_mut().zip(&mut upstreams) {
            head(upstream).await;
            write(upstream, OK).await;
            read_until(client, "ok").await;
        }
        // All three are used again at once: none is opened.
        for client in &mut clients {
            write(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        }
        for upstream in &mut upstreams {
            head(upstream).await;
            write(upstream, OK).await;
        }
        for client in &mut clients {
            read_until(client, "ok").await;
        }
        let mut closed = 0;
        for upstream in &mut upstreams {
            let read = tokio::time::timeout(Duration::from_secs(2), upstream.read_u8()).await;
            closed += usize::from(read.is_ok());
        }
        assert_eq!(closed, 2, "one is kept");
    });
}

#[test]
fn a_pool_of_none_closes_and_says_so() {
    on_a_worker(async {
        let mut set = Set::default();
        set.keep_alive.connections = 0;
        let proxy = set.start().await;
        let mut client = proxy.connect().await;
        write(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let mut upstream = proxy.accept().await;
        assert!(head(&mut upstream).await.contains("Connection: close\r\n"));
        write(&mut upstream, OK).await;
        read_until(&mut client, "ok").await;
        assert_eq!(rest(&mut upstream).await, "");
    });
}

#[test]
fn a_request_that_was_not_taken_whole_leaves_no_connection_behind() {
    on_a_worker(async {
        let proxy = Set::impatient().start().await;
        let mut request = Request::new(Method::GET, "/").unwrap();
        // More than the sockets in between hold, and all of it in the head.
        for at in 0..90 {
            request.headers.append(format!("x-{at}").as_str(), &vec![b'x'; 128 * 1024]).unwrap();
        }
        let peer = proxy.service.peer.clone();
        let timeouts = Timeouts { send: Duration::from_millis(100), ..Timeouts::default() };
        let (outgoing, body) = (Outgoing::default(), Body::empty());
        let ask = send(&peer, &request, body, &outgoing, &timeouts);
        let serve = async {
            let mut upstream = proxy.accept().await;
            upstream.readable().await.unwrap();
            // Nobody reads: what the sockets hold is there after some turns, and then the time to send runs out.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            pass(Duration::from_millis(300)).await;
            write(&mut upstream, OK).await;
            upstream
        };
        let (answer, mut upstream) = tokio::join!(ask, serve);
        let mut response = answer.unwrap().response;
        assert_eq!(response.status, StatusCode::OK);
        assert_eq!(&response.body.collect(10).await.unwrap()[..], b"ok");
        // The connection closes: it has half a request on it.
        rest(&mut upstream).await;
    });
}
