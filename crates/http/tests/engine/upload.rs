//! Both directions at once: uploads that go on while their answer comes.

use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::*;

const MIB: usize = 1024 * 1024;

#[test]
fn an_upload_comes_back_while_it_is_sent() {
    on_a_worker(async {
        let client = connect_to(Rc::new(Mirror), Rc::default()).await;
        echoed(client).await;
    });
}

#[test]
fn an_upload_is_echoed_by_the_upstream_while_it_is_sent() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let client = proxy.connect().await;
        let upstream = async {
            let mut upstream = proxy.accept().await;
            head(&mut upstream).await;
            write(&mut upstream, format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 4 * MIB)).await;
            let (mut read, mut written) = upstream.split();
            tokio::io::copy(&mut (&mut read).take(4 * MIB as u64), &mut written).await.unwrap();
        };
        tokio::join!(upstream, echoed(client));
    });
}

/// Sends 4 MiB and reads them back, both at once.
async fn echoed(client: tokio::net::TcpStream) {
    let data: Vec<u8> = (0..4 * MIB).map(|at| at.to_le_bytes()[at % 3]).collect();
    let (mut read, mut written) = client.into_split();
    let send = async {
        written
            .write_all(
                format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", data.len()).as_bytes(),
            )
            .await
            .unwrap();
        written.write_all(&data).await.unwrap();
    };
    let receive = async {
        let mut all = Vec::new();
        while !all.ends_with(b"\r\n\r\n") {
            all.push(read.read_u8().await.unwrap());
        }
        let mut body = vec![0; data.len()];
        read.read_exact(&mut body).await.unwrap();
        body
    };
    let ((), body) = tokio::join!(send, receive);
    assert!(body == data);
}

#[test]
fn an_early_refusal_of_a_large_upload_is_passed_on() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = proxy.connect().await;
        write(&mut client, format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", 64 * MIB))
            .await;
        let mut upstream = proxy.accept().await;
        head(&mut upstream).await;
        let refuse = async {
            write(&mut upstream, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig").await;
            drop(upstream);
        };
        let (mut read, mut written) = client.split();
        let send = async {
            let piece = vec![0; 64 * 1024];
            while written.write_all(&piece).await.is_ok() {}
        };
        let receive = async {
            let mut answer = vec![0; 12];
            read.read_exact(&mut answer).await.unwrap();
            answer
        };
        let answer = async {
            tokio::select! {
                answer = receive => answer,
                () = async { send.await; std::future::pending().await } => unreachable!(),
            }
        };
        let ((), answer) = tokio::join!(refuse, answer);
        assert_eq!(answer, b"HTTP/1.1 413");
    });
}

#[test]
fn an_upload_goes_on_while_nobody_reads_the_answer() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = proxy.connect().await;
        let body = vec![b'x'; 16 * MIB];
        let upstream = async {
            let mut upstream = proxy.accept().await;
            head(&mut upstream).await;
            let (mut read, mut written) = upstream.into_split();
            let answer = async {
                let start = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 16 * MIB);
                written.write_all(start.as_bytes()).await.unwrap();
                written.write_all(&body).await.unwrap();
            };
            let take = async {
                let mut all = vec![0; 16 * MIB];
                read.read_exact(&mut all).await.unwrap();
            };
            tokio::join!(answer, take);
        };
        // This client sends all before it reads.
        let ask = async {
            write(
                &mut client,
                format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.len()),
            )
            .await;
            write(&mut client, &body).await;
            head(&mut client).await;
            let mut all = vec![0; 16 * MIB];
            client.read_exact(&mut all).await.unwrap();
        };
        tokio::join!(upstream, ask);
    });
}

#[test]
fn an_answer_may_be_silent_while_its_upload_goes_on() {
    on_a_worker(async {
        let mut set = Set::impatient();
        set.server.body_timeout = Duration::from_secs(5);
        let proxy = set.start().await;
        let mut client = proxy.connect().await;
        write(&mut client, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n").await;
        let mut upstream = proxy.accept().await;
        head(&mut upstream).await;
        write(&mut upstream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").await;
        head(&mut client).await;
        for _ in 0..6 {
            pass(Duration::from_millis(60)).await;
            write(&mut client, "x").await;
            assert_eq!(read_exactly(&mut upstream, 1).await, b"x");
        }
        write(&mut upstream, "ok").await;
        read_until(&mut client, "ok").await;
    });
}
