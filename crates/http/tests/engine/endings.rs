//! How connections end, and what clients can tell by it.

use std::rc::Rc;
use std::time::Duration;

use lockgate_http::server::ServerSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::*;

#[test]
fn a_connection_that_would_not_wait_says_so() {
    on_a_worker(async {
        let settings = ServerSettings { idle_timeout: Duration::ZERO, ..ServerSettings::default() };
        let mut client = connect_to(Rc::new(Mirror), Rc::new(settings)).await;
        write(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let answer = rest(&mut client).await;
        assert!(answer.contains("Connection: close\r\n"), "{answer}");
    });
}

#[test]
fn an_old_client_can_tell_a_whole_answer_from_one_that_broke_off() {
    on_a_worker(async {
        let ends = ["", "4\r\nbody\r\n0\r\n\r\n"];
        for end in ends {
            let proxy = Proxy::start().await;
            let mut client = proxy.connect().await;
            write(&mut client, "GET / HTTP/1.0\r\nHost: h\r\n\r\n").await;
            let mut upstream = proxy.accept().await;
            head(&mut upstream).await;
            let begun = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n";
            write(&mut upstream, format!("{begun}{end}")).await;
            drop(upstream);
            let mut read = Vec::new();
            let ended = client.read_to_end(&mut read).await;
            assert_eq!(ended.is_ok(), !end.is_empty(), "{end:?}: {ended:?}");
        }
    });
}

#[test]
fn the_preface_in_pieces_has_the_time_of_one_head() {
    on_a_worker(async {
        let settings =
            ServerSettings { head_timeout: Duration::from_millis(600), ..ServerSettings::default() };
        let mut client = connect_to(Rc::new(Mirror), Rc::new(settings)).await;
        for byte in b"PRI * HTT" {
            // It may be over before the last one.
            let _ = client.write_all(&[*byte]).await;
            // The engine takes it before the time passes.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            pass(Duration::from_millis(100)).await;
        }
        // Another 600 ms from the last byte on would be too late.
        let ended = tokio::time::timeout(Duration::from_millis(200), rest(&mut client)).await;
        assert_eq!(ended.as_deref(), Ok(""));
    });
}

#[test]
fn an_answer_of_205_has_no_content_whatever_its_upstream_sends() {
    on_a_worker(async {
        for framed in
            ["Content-Length: 4\r\n\r\nbody", "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"]
        {
            let proxy = Proxy::start().await;
            let mut client = proxy.connect().await;
            write(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
            let mut upstream = proxy.accept().await;
            head(&mut upstream).await;
            write(&mut upstream, format!("HTTP/1.1 205 Reset Content\r\nDate: now\r\n{framed}")).await;
            let answer = head(&mut client).await;
            assert_eq!(answer, "HTTP/1.1 205 Reset Content\r\nDate: now\r\nContent-Length: 0\r\n\r\n");
            write(&mut client, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n").await;
            let mut upstream = proxy.accept().await;
            assert!(head(&mut upstream).await.starts_with("GET /next "), "on a connection of its own");
        }
    });
}

#[test]
fn a_body_of_many_small_chunks_is_whole_both_ways() {
    on_a_worker(async {
        let chunks = "1\r\nx\r\n".repeat(20_000) + "0\r\n\r\n";
        let proxy = Proxy::start().await;
        let mut client = proxy.connect().await;
        let ask = format!("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        let asking = tokio::task::spawn_local(async move {
            write(&mut client, ask).await;
            let answer = head(&mut client).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            decoded(&mut client).await
        });
        let mut upstream = proxy.accept().await;
        head(&mut upstream).await;
        assert_eq!(decoded(&mut upstream).await, 20_000);
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        write(&mut upstream, answer).await;
        assert_eq!(asking.await.unwrap(), 20_000);
    });
}

/// Reads chunks to their end; how many bytes they had.
async fn decoded(stream: &mut tokio::net::TcpStream) -> usize {
    let mut all = 0;
    loop {
        let line = read_until(stream, "\r\n").await;
        let size = usize::from_str_radix(line.trim_end(), 16).unwrap();
        read_exactly(stream, size + 2).await;
        all += size;
        if size == 0 {
            return all;
        }
    }
}

#[test]
fn options_of_a_whole_server_stays_that() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = proxy.connect().await;
        for (target, expected) in [("http://h", "*"), ("http://h/", "/"), ("http://h?a", "/?a"), ("*", "*")] {
            write(&mut client, format!("OPTIONS {target} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
            let mut upstream = proxy.accept().await;
            let forwarded = head(&mut upstream).await;
            assert!(
                forwarded.starts_with(&format!("OPTIONS {expected} HTTP/1.1\r\n")),
                "{target}: {forwarded}"
            );
            write(&mut upstream, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
            head(&mut client).await;
        }
    });
}
