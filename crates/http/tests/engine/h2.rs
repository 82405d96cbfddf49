//! Clients that speak HTTP/2.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::support::*;

async fn speak(stream: TcpStream) -> h2::client::SendRequest<Bytes> {
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::task::spawn_local(async move {
        let _ = connection.await;
    });
    sender.ready().await.unwrap()
}

fn post() -> http::Request<()> {
    http::Request::post("http://h/").body(()).unwrap()
}

#[test]
fn a_body_that_stalls_is_not_waited_for() {
    on_a_worker(async {
        let proxy = Set::impatient().start().await;
        let mut client = speak(proxy.connect().await).await;
        let (answer, mut body) = client.send_request(post(), false).unwrap();
        body.send_data(Bytes::from_static(b"half"), false).unwrap();
        let _upstream = proxy.accept().await;
        assert_eq!(answer.await.unwrap().status(), StatusCode::BAD_GATEWAY);
    });
}

#[test]
fn a_large_answer_flows_as_the_client_grants() {
    on_a_worker(async {
        let service = Answer(|_| lockgate_http::Body::full(vec![b'x'; 3 * 1024 * 1024]));
        let mut client = speak(connect_to(Rc::new(service), Rc::default()).await).await;
        let (answer, _) = client.send_request(post(), true).unwrap();
        let mut body = answer.await.unwrap().into_body();
        let mut count = 0;
        while let Some(data) = body.data().await {
            let data = data.unwrap();
            count += data.len();
            body.flow_control().release_capacity(data.len()).unwrap();
        }
        assert_eq!(count, 3 * 1024 * 1024);
    });
}

#[test]
fn a_connection_that_says_nothing_more_is_closed() {
    on_a_worker(async {
        let settings = Set::impatient().server;
        let mut client = connect_to(Rc::new(Mirror), Rc::new(settings)).await;
        // It speaks HTTP/2 as far as it must, and answers no ping.
        write(&mut client, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
        let mut all = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(10), client.read_to_end(&mut all)).await;
        assert!(read.is_ok(), "it stays open for good");
    });
}

#[test]
fn a_star_is_for_options_only() {
    on_a_worker(async {
        let mut client = speak(connect_to(Rc::new(Mirror), Rc::default()).await).await;
        for (method, status) in [("GET", 400), ("OPTIONS", 200)] {
            let mut request = http::Request::builder().method(method).uri("http://h/").body(()).unwrap();
            let mut parts = http::uri::Parts::default();
            parts.scheme = Some(http::uri::Scheme::HTTP);
            parts.authority = Some("h".parse().unwrap());
            parts.path_and_query = Some(http::uri::PathAndQuery::from_static("*"));
            *request.uri_mut() = http::Uri::from_parts(parts).unwrap();
            let (answer, _) = client.send_request(request, true).unwrap();
            assert_eq!(answer.await.unwrap().status().as_u16(), status, "{method}");
        }
    });
}
