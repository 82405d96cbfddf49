//! How connections of HTTP/3 live, move and end.

use std::net::UdpSocket;
use std::rc::Rc;
use std::time::Duration;

use h3_quinn::quinn;
use http::{Method, Request, StatusCode};
use lockgate_http::server::{Outcome, ServerSettings, Service, drain};
use lockgate_http::{ConnectionInfo, Response};

use super::{answer, connect};
use crate::support::*;

#[test]
fn a_client_that_gives_up_frees_the_upstream() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = connect(proxy.service.clone(), ServerSettings::default()).await;
        let mut stream = client.ask(Method::GET, "/").await;
        stream.finish().await.unwrap();
        let mut upstream = proxy.accept().await;
        head(&mut upstream).await;
        stream.stop_sending(h3::error::Code::H3_REQUEST_CANCELLED);
        assert_eq!(rest(&mut upstream).await, "");
        until(|| proxy.outcomes().len() == 1).await;
        assert_eq!(proxy.outcomes()[0].status, 499);
    });
}

#[test]
fn a_client_that_is_idle_is_told_to_go() {
    on_a_worker(async {
        let mut client = connect(Rc::new(Mirror), Set::impatient().server).await;
        assert_eq!(client.get("/").await.0.status(), 200);
        let reason = client.quic.closed().await;
        assert!(matches!(reason, quinn::ConnectionError::ApplicationClosed(_)), "{reason}");
    });
}

/// Answers with the client's address.
struct Whose;

impl Service for Whose {
    type UnderWay = String;

    fn begin(&self, connection: &Rc<ConnectionInfo>, _: lockgate_http::Request) -> String {
        connection.peer.to_string()
    }

    async fn answer(&self, peer: &mut String) -> Response {
        Response::text(StatusCode::OK, "text/plain", std::mem::take(peer))
    }

    fn refuse(&self, _: &Rc<ConnectionInfo>, status: StatusCode, _: &'static str) -> (Response, String) {
        (Response::new(status), String::new())
    }

    fn done(&self, _: &mut String, _: Outcome) {}
}

#[test]
fn a_connection_goes_on_from_another_address() {
    on_a_worker(async {
        let mut client = connect(Rc::new(Whose), ServerSettings::default()).await;
        for _ in 0..3 {
            let own = client.endpoint.local_addr().unwrap().to_string();
            assert_eq!(client.get("/").await.1, own.as_bytes());
            client.endpoint.rebind(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
            // Until the server has heard from there it is the old one.
            while client.get("/").await.1 == own.as_bytes() {}
        }
    });
}

#[test]
fn draining_lets_requests_end_and_takes_no_more() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut client = connect(proxy.service.clone(), ServerSettings::default()).await;
        let mut stream = client.ask(Method::GET, "/").await;
        stream.finish().await.unwrap();
        let mut upstream = proxy.accept().await;
        head(&mut upstream).await;
        drain(Duration::from_secs(1));
        // The client knows as soon as the GOAWAY is there.
        while let Ok(mut late) =
            client.sender.send_request(Request::get("https://h.test/").body(()).unwrap()).await
        {
            let _ = late.finish().await;
            assert!(late.recv_response().await.is_err(), "it was asked after the GOAWAY");
        }
        write(&mut upstream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        assert_eq!(answer(&mut stream).await.1, b"ok");
        let reason = client.quic.closed().await;
        assert!(matches!(reason, quinn::ConnectionError::ApplicationClosed(_)), "{reason}");
    });
}
