//! Heads of requests to peers and of their responses, between our lists and the `http` crate's maps.

use std::borrow::Cow;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::h1::write::{BodyFraming, is_of_connection};
use crate::h2::convert::append;
use crate::limits::of_answers;
use crate::message::{Request, Response, Version};
use crate::name::{self, Id, id_of};
use crate::outgoing::Outgoing;

/// A request head as the `h2` crate sends it; `None` for a target that it cannot say.
pub(super) fn request(
    request: &Request,
    outgoing: &Outgoing<'_>,
    framing: BodyFraming,
    is_tls: bool,
) -> Option<http::Request<()>> {
    let mut head = http::Request::new(());
    head.method_mut().clone_from(&request.method);
    let target = outgoing.target.unwrap_or_else(|| request.target());
    let mut uri = http::uri::Parts::default();
    uri.path_and_query = Some(PathAndQuery::try_from(&*escaped(target)).ok()?);
    let host = outgoing.host.map_or_else(|| request.headers.get(name::HOST), |host| Some(host.as_bytes()));
    if let Some(authority) = host.and_then(|host| Authority::try_from(host).ok()) {
        uri.scheme = Some(if is_tls { Scheme::HTTPS } else { Scheme::HTTP });
        uri.authority = Some(authority);
        *head.version_mut() = http::Version::HTTP_2;
    } else if let Some(host) = host {
        // An empty one, say: it stays a field (RFC 9113 §8.3.1).
        append(head.headers_mut(), "host", host);
    }
    *head.uri_mut() = http::Uri::from_parts(uri).ok()?;
    fields(head.headers_mut(), request, outgoing);
    if let BodyFraming::Length(length) = framing {
        head.headers_mut().insert(http::header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Some(head)
}

fn fields(fields: &mut HeaderMap, request: &Request, outgoing: &Outgoing<'_>) {
    fields.reserve(request.headers.len() + 8);
    for (id, name, value) in request.headers.iter() {
        let is_replaced =
            outgoing.replaces(id) || (id == Id::Other && outgoing.replaces_other(name.as_bytes()));
        if !is_of_connection(id) && !is_replaced && id != Id::Host {
            append(fields, name, value);
        }
    }
    let lines = outgoing.lines().split(|byte| *byte == b'\n').filter_map(|line| {
        let line = line.strip_suffix(b"\r")?;
        let colon = memchr::memchr(b':', line)?;
        Some((&line[..colon], line.get(colon + 2..)?))
    });
    for (name, value) in lines.chain(outgoing.fields()) {
        append(fields, std::str::from_utf8(name).unwrap_or_default(), value);
    }
    // This side takes trailers, whatever the client said of itself; gRPC servers ask for it.
    fields.insert(http::header::TE, HeaderValue::from_static("trailers"));
}

/// A target without the characters that no URI has, and that the `http` crate does not take (RFC 3986 §2).
fn escaped(target: &str) -> Cow<'_, str> {
    if !target.contains(['<', '>', '`', '"', '^']) {
        return Cow::Borrowed(target);
    }
    let mut out = String::with_capacity(target.len() + 16);
    for character in target.chars() {
        match character {
            '<' => out.push_str("%3C"),
            '>' => out.push_str("%3E"),
            '`' => out.push_str("%60"),
            '"' => out.push_str("%22"),
            '^' => out.push_str("%5E"),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// Whether the fields of a response are within their bounds.
pub(super) fn check(fields: &HeaderMap) -> Result<(), &'static str> {
    let limits = of_answers().message;
    if fields.len() > limits.fields {
        return Err("too many header fields");
    }
    let is_long =
        |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() > limits.field;
    if fields.iter().any(is_long) { Err("header field is too long") } else { Ok(()) }
}

/// A response head as the rest of the program knows it.
pub(super) fn response(parts: &http::response::Parts) -> Response {
    let mut response = Response::new(parts.status);
    response.version = Version::Http2;
    for (name, value) in &parts.headers {
        if !is_of_connection(id_of(name.as_str().as_bytes())) {
            // Names and values of a HeaderMap are well formed.
            let _ = response.headers.append(name.as_str(), value.as_bytes());
        }
    }
    response
}
