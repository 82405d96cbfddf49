//! WebSocket on a stream of a connection that carries more (RFC 8441, RFC 9220), bridged to an upstream that is asked
//! by HTTP/1.1.
//!
//! The client's extended CONNECT becomes the GET with `Upgrade` that an HTTP/1.1 client would send, so that routes and
//! plugins see one kind of handshake; of the upstream's 101 the client gets a 200.

use std::time::Duration;

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};

use crate::body::Body;
use crate::h1::TunnelBody;
use crate::h1::parse::Refusal;
use crate::message::{Request, Response};

/// RFC 6455 §1.3: what a server adds to the key before it hashes it.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY: &str = "Sec-WebSocket-Key";
const ACCEPT: &str = "Sec-WebSocket-Accept";
const NAME: &str = "websocket";

/// What a CONNECT with `:protocol` is answered with at once: `None` where it asks for WebSocket.
pub(crate) fn refusal(protocol: Option<&str>) -> Option<Refusal> {
    match protocol {
        Some(name) if name.eq_ignore_ascii_case(NAME) => None,
        // RFC 9220 §3: what a server does not know by that name it has not implemented.
        Some(_) => Some(Refusal::new(StatusCode::NOT_IMPLEMENTED, "only websocket is offered by CONNECT")),
        None => Some(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "CONNECT is not offered")),
    }
}

/// A handshake that an upstream was asked for.
pub(crate) struct Handshake {
    accept: String,
}

impl Handshake {
    /// Makes the request one that goes over by HTTP/1.1.
    pub(crate) fn begin(request: &mut Request) -> Result<Self, Refusal> {
        let mut nonce = [0; 16];
        if rand::fill(&mut nonce).is_err() {
            return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "there is no randomness"));
        }
        let key = STANDARD.encode(nonce);
        request.method = Method::GET;
        request.upgrade = Some(NAME.into());
        // The name and the value are ours.
        let _ = request.headers.set(KEY, key.as_bytes());
        Ok(Self { accept: accept(&key) })
    }

    /// The client's answer: behind a good 101 a tunnel, with the longest silence in it.
    pub(crate) fn finish(&self, mut response: Response, client: Body) -> (Response, Option<Duration>) {
        let Some(upgraded) = response.upgraded.take() else {
            // To the client a success would mean that the tunnel stands.
            let is_success = response.status.is_success();
            return (
                if is_success { failed("upstream did not go over to websocket") } else { response },
                None,
            );
        };
        if response.headers.get(ACCEPT) != Some(self.accept.as_bytes()) {
            return (failed("upstream answered another websocket handshake"), None);
        }
        response.headers.remove(ACCEPT);
        response.status = StatusCode::OK;
        let tunnel = TunnelBody::new(*upgraded, client);
        let patience = tunnel.patience();
        response.body = Body::stream(tunnel);
        (response, Some(patience))
    }
}

fn accept(key: &str) -> String {
    let mut sum = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    sum.update(key.as_bytes());
    sum.update(GUID);
    STANDARD.encode(sum.finish())
}

fn failed(reason: &str) -> Response {
    let body = format!("{{\"error_msg\":\"502 Bad Gateway: {reason}\"}}\n");
    Response::text(StatusCode::BAD_GATEWAY, "application/json", body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_key_is_that_of_the_standard() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn each_handshake_has_a_key_of_its_own() {
        let begin = || {
            let mut request = Request::new(Method::CONNECT, "/chat").unwrap();
            request.headers.append(KEY, b"the client's").unwrap();
            Handshake::begin(&mut request).map_err(|_| ()).unwrap();
            assert_eq!(request.headers.get_all(KEY).count(), 1);
            request.headers.get_str(KEY).unwrap().to_owned()
        };
        assert_ne!(begin(), begin());
    }

    #[test]
    fn a_success_without_a_tunnel_is_none() {
        let handshake = Handshake { accept: String::new() };
        let finish = |status| handshake.finish(Response::new(status), Body::empty()).0.status;
        assert_eq!(finish(StatusCode::OK), 502);
        assert_eq!(finish(StatusCode::UNAUTHORIZED), 401);
    }

    #[test]
    fn websocket_is_all_that_is_offered() {
        assert!(refusal(Some("websocket")).is_none());
        assert_eq!(refusal(Some("connect-udp")).map(|refusal| refusal.status.as_u16()), Some(501));
        assert_eq!(refusal(None).map(|refusal| refusal.status.as_u16()), Some(405));
    }
}
