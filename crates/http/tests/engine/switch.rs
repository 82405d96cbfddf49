//! Interim answers on their way to the client, and connections that go over to something else.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::*;

const ASK: &str = "GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const TAKEN: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nX-A: 1\r\n\r\n";

/// A client and its upstream, behind a 101.
async fn switched(proxy: &Proxy) -> (TcpStream, TcpStream) {
    let mut client = proxy.connect().await;
    write(&mut client, ASK).await;
    let mut upstream = proxy.accept().await;
    let asked = head(&mut upstream).await;
    assert!(asked.contains("\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"), "{asked}");
    write(&mut upstream, TAKEN).await;
    let taken = head(&mut client).await;
    assert!(taken.starts_with("HTTP/1.1 101 Switching Protocols\r\nX-A: 1\r\n"), "{taken}");
    assert!(taken.ends_with("Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"), "{taken}");
    (client, upstream)
}

#[test]
fn behind_a_101_bytes_pass_both_ways_until_both_sides_have_ended() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let (mut client, mut upstream) = switched(&proxy).await;
        write(&mut client, "\x01up").await;
        assert_eq!(read_exactly(&mut upstream, 3).await, b"\x01up");
        write(&mut upstream, "down").await;
        assert_eq!(read_exactly(&mut client, 4).await, b"down");
        client.shutdown().await.unwrap();
        assert_eq!(upstream.read(&mut [0; 8]).await.unwrap(), 0, "a half-close is passed on");
        write(&mut upstream, "more").await;
        assert_eq!(read_exactly(&mut client, 4).await, b"more", "the other half stays open");
        drop(upstream);
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        until(|| proxy.outcomes().len() == 1).await;
        let outcome = proxy.outcomes()[0];
        assert_eq!((outcome.status.as_u16(), outcome.body_bytes, outcome.is_complete), (101, 8, true));
    });
}

#[test]
fn what_comes_with_the_101_is_the_first_of_what_follows() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = proxy.connect().await;
        write(&mut client, format!("{ASK}early")).await;
        let mut upstream = proxy.accept().await;
        head(&mut upstream).await;
        write(&mut upstream, format!("{TAKEN}first")).await;
        head(&mut client).await;
        assert_eq!(read_exactly(&mut client, 5).await, b"first");
        assert_eq!(read_exactly(&mut upstream, 5).await, b"early");
    });
}

#[test]
fn a_silent_tunnel_is_closed() {
    on_a_worker(async {
        let proxy = Set::impatient().start().await;
        let (mut client, mut upstream) = switched(&proxy).await;
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(upstream.read(&mut [0; 8]).await.unwrap(), 0);
    });
}

#[test]
fn an_upgrade_that_is_declined_is_an_answer_like_any_other() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = proxy.connect().await;
        write(&mut client, ASK).await;
        let mut upstream = proxy.accept().await;
        head(&mut upstream).await;
        write(&mut upstream, "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno").await;
        assert!(head(&mut client).await.starts_with("HTTP/1.1 426 "));
        assert_eq!(read_exactly(&mut client, 2).await, b"no");
        write(&mut client, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert!(head(&mut upstream).await.starts_with("GET /next "), "both connections go on");
    });
}

#[test]
fn a_101_that_nobody_asked_for_is_refused() {
    on_a_worker(async {
        for (request, answer) in [
            ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", TAKEN),
            ("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n", TAKEN),
            ("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", TAKEN),
            (ASK, "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"),
            (ASK, "HTTP/1.1 101 X\r\n\r\n"),
        ] {
            let proxy = Proxy::start().await;
            let mut client = proxy.connect().await;
            write(&mut client, request).await;
            let mut upstream = proxy.accept().await;
            head(&mut upstream).await;
            write(&mut upstream, answer).await;
            let refused = head(&mut client).await;
            assert!(refused.starts_with("HTTP/1.1 502 "), "{request} {answer} {refused}");
        }
    });
}

#[test]
fn early_hints_reach_the_client_before_the_answer() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = proxy.connect().await;
        write(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let mut upstream = proxy.accept().await;
        head(&mut upstream).await;
        write(&mut upstream, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\n\r\n").await;
        assert_eq!(head(&mut client).await, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        write(&mut upstream, "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await;
        assert_eq!(head(&mut client).await, "HTTP/1.1 102 Processing\r\n\r\n");
        assert!(head(&mut client).await.starts_with("HTTP/1.1 200 OK\r\n"));
    });
}

#[test]
fn interim_answers_that_come_byte_by_byte_are_passed_on_whole() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = proxy.connect().await;
        write(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let mut upstream = proxy.accept().await;
        head(&mut upstream).await;
        let hint = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
        for byte in format!("HTTP/1.1 100 Continue\r\n\r\n{hint}HTTP/1.1 204 No Content\r\n\r\n").bytes() {
            write(&mut upstream, [byte]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(head(&mut client).await, hint);
        assert!(head(&mut client).await.starts_with("HTTP/1.1 204 "));
    });
}

#[test]
fn a_client_of_http_1_0_gets_no_interim_answer_and_nobody_an_unasked_100() {
    on_a_worker(async {
        for (request, hint) in [
            ("GET / HTTP/1.0\r\n\r\n", "103 Early Hints"),
            ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "100 Continue"),
        ] {
            let proxy = Proxy::start().await;
            let mut client = proxy.connect().await;
            write(&mut client, request).await;
            let mut upstream = proxy.accept().await;
            head(&mut upstream).await;
            let answer = format!("HTTP/1.1 {hint}\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            write(&mut upstream, answer).await;
            assert!(head(&mut client).await.starts_with("HTTP/1.1 200 OK\r\n"), "{request}");
        }
    });
}

const EXPECTS: &str = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";

async fn passing_expect() -> Proxy {
    let mut set = Set::default();
    set.server.passes_expect = true;
    set.start().await
}

#[test]
fn an_expectation_that_is_passed_on_is_answered_by_the_upstream() {
    on_a_worker(async {
        let proxy = passing_expect().await;
        let mut client = proxy.connect().await;
        write(&mut client, EXPECTS).await;
        let mut upstream = proxy.accept().await;
        assert!(head(&mut upstream).await.contains("\r\nExpect: 100-continue\r\n"));
        write(&mut upstream, "HTTP/1.1 100 Continue\r\n\r\n").await;
        assert_eq!(head(&mut client).await, "HTTP/1.1 100 Continue\r\n\r\n");
        write(&mut client, "body").await;
        assert_eq!(read_exactly(&mut upstream, 4).await, b"body");
        write(&mut upstream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        assert!(head(&mut client).await.starts_with("HTTP/1.1 200 OK\r\n"));
    });
}

#[test]
fn an_upstream_that_declines_an_expectation_ends_the_connection() {
    on_a_worker(async {
        let proxy = passing_expect().await;
        let mut client = proxy.connect().await;
        write(&mut client, EXPECTS).await;
        let mut upstream = proxy.accept().await;
        head(&mut upstream).await;
        write(&mut upstream, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n").await;
        let declined = head(&mut client).await;
        assert!(declined.starts_with("HTTP/1.1 417 "), "{declined}");
        assert!(declined.contains("Connection: close"), "nobody knows whether the body will still come");
    });
}

#[test]
fn a_client_that_does_not_wait_for_the_upstream_is_not_kept_waiting() {
    on_a_worker(async {
        let proxy = passing_expect().await;
        let mut client = proxy.connect().await;
        write(&mut client, format!("{EXPECTS}body")).await;
        let mut upstream = proxy.accept().await;
        head(&mut upstream).await;
        assert_eq!(read_exactly(&mut upstream, 4).await, b"body");
        write(&mut upstream, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await;
        let mut answer = head(&mut client).await;
        if answer.starts_with("HTTP/1.1 100 ") {
            answer = head(&mut client).await;
        }
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    });
}
