//! What a client of HTTP/3 may not do, and what becomes of it.

use std::rc::Rc;

use http::Request;
use lockgate_http::server::ServerSettings;

use super::{Client, connect};
use crate::support::*;

#[test]
fn what_is_no_request_is_refused() {
    on_a_worker(async {
        let mut settings = ServerSettings { max_body: 10, ..ServerSettings::default() };
        settings.limits.target = 100;
        let mut client = connect(Rc::new(Mirror), settings).await;
        assert_eq!(client.get(&"/".repeat(200)).await.0.status(), 414);
        let request = Request::post("https://h.test/").header("content-length", "11").body(()).unwrap();
        let mut stream = client.sender.send_request(request).await.unwrap();
        assert_eq!(stream.recv_response().await.unwrap().status(), 413);
        let request = Request::get("https://h.test/").header("x", "y".repeat(70_000)).body(()).unwrap();
        assert!(client.sender.send_request(request).await.is_err(), "the client knows the bound");
        assert_eq!(client.get("/").await.0.status(), 200);
    });
}

/// Sends bytes on a stream of a request as they are, and reads until the stream or the connection ends.
async fn raw(client: &Client, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let (mut send, mut recv) = client.quic.open_bi().await.unwrap();
    let _ = send.write_all(bytes).await;
    let _ = send.finish();
    recv.read_to_end(1 << 20).await.map_err(|error| error.to_string())
}

/// A HEADERS frame of a GET or POST: static entries of QPACK, and the authority as a literal.
fn head_frame(method: u8) -> Vec<u8> {
    let fields = [&[0, 0, method, 0xC0 + 23, 0xC0 + 1, 0x50, 6][..], b"h.test"].concat();
    [&[1, u8::try_from(fields.len()).unwrap()][..], &fields].concat()
}

/// Entries 17 and 20 of the table (RFC 9204, appendix A).
const GET: u8 = 0xC0 + 17;
const POST: u8 = 0xC0 + 20;

#[test]
fn frames_that_are_none_end_their_stream_and_nothing_more() {
    on_a_worker(async {
        let mut client = connect(Rc::new(Mirror), ServerSettings::default()).await;
        assert!(!raw(&client, &head_frame(GET)).await.unwrap().is_empty());
        let with = |frame: &[u8]| [&head_frame(POST)[..], frame].concat();
        for (what, bytes) in [
            ("nothing", vec![]),
            ("half a head", head_frame(GET)[..5].to_vec()),
            ("a head of a gigabyte", vec![1, 0xC0, 0, 0, 0, 0x40, 0, 0, 0]),
            ("an unknown frame of a gigabyte", with(&[0x21, 0xC0, 0, 0, 0, 0x40, 0, 0, 0])),
            ("data cut short", with(&[0, 10, 1, 2, 3])),
            ("nothing of some data", with(&[0, 10])),
            ("a stream of WebTransport", vec![0x40, 0x41, 0]),
            ("empty frames without end", with(&[0, 0].repeat(5000))),
        ] {
            let ended = raw(&client, &bytes).await;
            let is_cut = ended.is_err() || ended.as_ref().is_ok_and(Vec::is_empty);
            assert!(is_cut || what.contains("data") || what.contains("frame"), "{what}: {ended:?}");
            assert!(client.quic.close_reason().is_none(), "{what}: {:?}", client.quic.close_reason());
            assert_eq!(client.get("/").await.0.status(), 200, "{what}");
        }
    });
}

#[test]
fn a_client_that_takes_back_too_much_is_sent_away() {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let mut settings = ServerSettings::default();
        settings.http2.max_resets = 20;
        let mut client = connect(proxy.service.clone(), settings).await;
        let mut asked = 0;
        while client.quic.close_reason().is_none() {
            let request = Request::get("https://h.test/").body(()).unwrap();
            let Ok(mut stream) = client.sender.send_request(request).await else { break };
            stream.stop_sending(h3::error::Code::H3_REQUEST_CANCELLED);
            stream.stop_stream(h3::error::Code::H3_REQUEST_CANCELLED);
            asked += 1;
            assert!(asked < 5000, "it may go on for ever");
            tokio::task::yield_now().await;
        }
        let reason = client.quic.closed().await.to_string();
        assert!(reason.contains("closed"), "{reason}");
    });
}
