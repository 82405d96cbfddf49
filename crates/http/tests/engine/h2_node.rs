//! Upstreams of HTTP/2 that break its rules, or are not there any more.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use lockgate_http::client::{Answer, SendFailure, Timeouts, send};
use lockgate_http::peer::{KeepAlive, Peer, Protocol};
use lockgate_http::{Body, ClientError, Outgoing, Request};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use crate::support::{listener, on_a_worker, peer, write};

/// `SETTINGS` with nothing in it, a `PING`, and an answer of 204 on a stream.
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0lockgate";
const HEADERS: u8 = 1;

fn no_content(stream: u8) -> Vec<u8> {
    [b"\0\0\x01\x01\x05\0\0\0", &[stream, 0x89][..]].concat()
}

/// Asks a peer, which has 200 ms for it.
fn ask(peer: &Arc<Peer>) -> tokio::task::JoinHandle<Result<Answer, Box<SendFailure>>> {
    let peer = peer.clone();
    tokio::task::spawn_local(async move {
        let short = Duration::from_millis(200);
        let timeouts = Timeouts { connect: short, send: short, read: short };
        let mut request = Request::new(Method::GET, "/").unwrap();
        request.headers.append("Host", b"h").unwrap();
        send(&peer, &request, Body::empty(), &Outgoing::default(), &timeouts).await
    })
}

async fn node() -> (TcpListener, Arc<Peer>) {
    let listener = listener().await;
    let peer = peer(listener.local_addr().unwrap(), KeepAlive::default(), Protocol::Http2);
    (listener, peer)
}

/// Takes a connection as far as its first request.
async fn accept(listener: &TcpListener) -> TcpStream {
    let (mut socket, _) = listener.accept().await.unwrap();
    socket.read_exact(&mut [0; 24]).await.unwrap();
    write(&mut socket, SETTINGS).await;
    next_request(&mut socket).await;
    socket
}

/// Reads up to and with the head of a request.
async fn next_request(socket: &mut TcpStream) {
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await.unwrap();
        let len = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        socket.read_exact(&mut vec![0; len as usize]).await.unwrap();
        if head[3] == HEADERS {
            return;
        }
    }
}

#[test]
fn a_node_does_not_go_over_to_anything() {
    on_a_worker(async {
        let (listener, peer) = node().await;
        let asked = ask(&peer);
        let mut socket = accept(&listener).await;
        let switch = b"\0\0\x05\x01\x04\0\0\0\x01\x08\x03101";
        write(&mut socket, [&switch[..], &no_content(1)].concat()).await;
        let failure = asked.await.unwrap().unwrap_err();
        assert!(matches!(failure.error, ClientError::Malformed { .. }), "{failure:?}");
    });
}

#[test]
fn a_connection_on_which_nothing_comes_any_more_is_not_used_again() {
    on_a_worker(async {
        let (listener, peer) = node().await;
        let asked = ask(&peer);
        let _dead = accept(&listener).await;
        let failure = asked.await.unwrap().unwrap_err();
        assert!(matches!(failure.error, ClientError::Timeout { .. }), "{failure:?}");
        let again = ask(&peer);
        let mut socket = accept(&listener).await;
        write(&mut socket, no_content(1)).await;
        assert_eq!(again.await.unwrap().unwrap().response.status, 204);
    });
}

#[test]
fn a_node_that_is_slow_with_one_request_keeps_its_connection() {
    on_a_worker(async {
        let (listener, peer) = node().await;
        let asked = ask(&peer);
        let mut socket = accept(&listener).await;
        write(&mut socket, PING).await;
        let failure = asked.await.unwrap().unwrap_err();
        assert!(matches!(failure.error, ClientError::Timeout { .. }), "{failure:?}");
        let again = ask(&peer);
        next_request(&mut socket).await;
        write(&mut socket, no_content(3)).await;
        assert_eq!(again.await.unwrap().unwrap().response.status, 204);
    });
}

#[test]
fn a_node_that_floods_is_not_listened_to() {
    on_a_worker(async {
        for frame in [PING, SETTINGS] {
            let (listener, peer) = node().await;
            let asked = ask(&peer);
            let (mut reads, mut writes) = accept(&listener).await.into_split();
            let reading = tokio::task::spawn_local(async move {
                let mut answers = Vec::new();
                let _ = reads.read_to_end(&mut answers).await;
                answers.len()
            });
            // It takes no more long before all of it is written.
            let _ = tokio::io::AsyncWriteExt::write_all(&mut writes, &frame.repeat(200_000)).await;
            let failure = asked.await.unwrap().unwrap_err();
            assert!(matches!(failure.error, ClientError::Malformed { .. }), "{failure:?}");
            assert!(reading.await.unwrap() < 200_000, "it was answered all the time");
        }
    });
}
