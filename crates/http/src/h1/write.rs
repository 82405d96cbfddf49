//! Heads of messages, as they go out: framing and connection headers are the engine's own.

use http::{Method, StatusCode};

use crate::body::Body;
use crate::headers::{Headers, Span};
use crate::message::{Request, Response};
use crate::name::Id;
use crate::outgoing::Outgoing;

/// How the body that follows a head is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFraming {
    /// No body, and nothing said of one.
    None,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// The end of the connection ends it.
    UntilClose,
}

pub(crate) fn request(
    out: &mut Vec<u8>,
    request: &Request,
    outgoing: &Outgoing<'_>,
    framing: BodyFraming,
    keep_alive: bool,
) {
    // What is passed on as it came stands in one piece with the fields behind it.
    let mut line = request.line().filter(|_| outgoing.target.is_none()).unwrap_or_default();
    if line == Span::default() {
        out.extend_from_slice(request.method.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(outgoing.target.map_or_else(|| request.target_bytes(), str::as_bytes));
        out.extend_from_slice(b" HTTP/1.1\r\n");
    }
    // An HTTP/1.0 client need not name a host; HTTP/1.1 must (RFC 9112 §3.2).
    let host = outgoing.host.or_else(|| (!request.headers.contains(crate::name::HOST)).then_some(""));
    if let Some(host) = host {
        out.extend_from_slice(request.headers.bytes(std::mem::take(&mut line)));
        field(out, "Host", host.as_bytes());
    }
    fields(out, &request.headers, line, |id, name| {
        outgoing.replaces(id) || (id == Id::Other && outgoing.replaces_other(request.headers.bytes(name)))
    });
    out.extend_from_slice(outgoing.lines());
    for (name, value) in outgoing.fields() {
        push_field(out, name, value);
    }
    body(out, framing);
    if let Some(upgrade) = outgoing.upgrade {
        out.extend_from_slice(b"Connection: upgrade\r\n");
        field(out, "Upgrade", upgrade.as_bytes());
    } else if !keep_alive {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// How a request's body goes out. A method that expects a body says 0 where there is none (RFC 9110 §8.6).
pub(crate) fn request_framing(method: &Method, body: &Body) -> BodyFraming {
    let expects_body = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
    match body.length() {
        Some(0) if expects_body => BodyFraming::Length(0),
        Some(0) => BodyFraming::None,
        Some(length) => BodyFraming::Length(length),
        None => BodyFraming::Chunked,
    }
}

/// What this side says of itself in a response.
pub(crate) struct Signature<'a> {
    /// The value of `Server`, which replaces whatever the response has.
    pub(crate) server: Option<&'a str>,
    /// The value of `Alt-Svc`, where the same is served by other means too.
    pub(crate) alt_svc: Option<&'a str>,
    /// `Connection: …`, where the client needs to be told.
    pub(crate) connection: Option<&'static str>,
    /// `Upgrade: …`, of an answer that goes over to something else.
    pub(crate) upgrade: Option<&'a str>,
}

/// An interim answer (1xx).
pub(crate) fn interim(out: &mut Vec<u8>, response: &Response) {
    status_line(out, response.status);
    fields(out, &response.headers, Span::default(), |_, _| false);
    out.extend_from_slice(b"\r\n");
}

pub(crate) fn response(
    out: &mut Vec<u8>,
    response: &Response,
    framing: BodyFraming,
    signature: &Signature<'_>,
) {
    status_line(out, response.status);
    let is_replaced = |id, _| id == Id::Server && signature.server.is_some();
    fields(out, &response.headers, Span::default(), is_replaced);
    if !response.headers.contains(crate::name::DATE) {
        out.extend_from_slice(b"Date: ");
        lockgate_telemetry::clock::http_date(|date| out.extend_from_slice(date.as_bytes()));
        out.extend_from_slice(b"\r\n");
    }
    if let Some(server) = signature.server {
        field(out, "Server", server.as_bytes());
    }
    if let Some(alt_svc) = signature.alt_svc {
        field(out, "Alt-Svc", alt_svc.as_bytes());
    }
    body(out, framing);
    if let Some(connection) = signature.connection {
        field(out, "Connection", connection.as_bytes());
    }
    if let Some(upgrade) = signature.upgrade {
        field(out, "Upgrade", upgrade.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

pub(crate) fn status_line(out: &mut Vec<u8>, status: StatusCode) {
    if status == StatusCode::OK {
        return out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn fields(out: &mut Vec<u8>, headers: &Headers, first: Span, is_replaced: impl Fn(Id, Span) -> bool) {
    headers.write(out, first, |id, name| !is_of_connection(id) && !is_replaced(id, name));
}

pub(crate) fn push_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    push_field(out, name.as_bytes(), value);
}

/// Fields that are this engine's to write. The parser takes them off; a plugin may have put one in again.
pub(crate) fn is_of_connection(id: Id) -> bool {
    matches!(
        id,
        Id::Connection
            | Id::KeepAlive
            | Id::ProxyConnection
            | Id::Te
            | Id::Upgrade
            | Id::ContentLength
            | Id::TransferEncoding
    )
}

fn body(out: &mut Vec<u8>, framing: BodyFraming) {
    match framing {
        BodyFraming::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            lockgate_telemetry::text::decimal(out, length);
            out.extend_from_slice(b"\r\n");
        }
        BodyFraming::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        BodyFraming::None | BodyFraming::UntilClose => {}
    }
}

/// The line before a chunk of `len` bytes.
pub(crate) fn chunk_head(out: &mut Vec<u8>, len: usize) {
    let digits = (usize::BITS - len.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        let nibble = (len >> (digit * 4) & 0xf).to_le_bytes()[0];
        out.push(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
    }
    out.extend_from_slice(b"\r\n");
}

/// What ends a chunked body.
pub(crate) fn last_chunk(out: &mut Vec<u8>, trailers: Option<&Headers>) {
    out.extend_from_slice(b"0\r\n");
    if let Some(trailers) = trailers {
        for (id, name, value) in trailers.iter() {
            if super::framing::may_be_trailer(id, name.as_bytes()) {
                field(out, name, value);
            }
        }
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_laid_over_a_request_replaces_every_field_of_that_name() {
        let mut sent = Request::new(Method::GET, "/").unwrap();
        for (name, value) in
            [("Host", "h"), ("x-own", "1"), ("X-Kept", "2"), ("X-OWN", "3"), ("x-real-ip", "4")]
        {
            sent.headers.append(name, value.as_bytes()).unwrap();
        }
        let mut outgoing = Outgoing::default();
        for (name, value) in
            [("X-Own", "a"), ("X-Real-IP", "b"), ("X-Real-IP", "c"), ("X-A\r\nB", "d"), ("X-C", "e\r\nf")]
        {
            outgoing.set(name.into(), value.as_bytes());
        }
        let mut out = Vec::new();
        request(&mut out, &sent, &outgoing, BodyFraming::None, true);
        let expected = "GET / HTTP/1.1\r\nHost: h\r\nX-Kept: 2\r\nX-Own: a\r\nX-Real-IP: c\r\n\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for number in [0, 1, 15, 16, 255, 4096, 65_535, 1_048_576] {
            let mut out = Vec::new();
            chunk_head(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{number:x}\r\n"));
        }
    }
}
