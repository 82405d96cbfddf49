//! Heads between the `http` crate's maps and our lists, for HTTP/2 and HTTP/3.

use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::h1::may_be_trailer;
use crate::h1::parse::{Refusal, is_host};
use crate::h1::write::is_of_connection;
use crate::headers::Headers;
use crate::limits::Limits;
use crate::message::{Request, Response, Version};
use crate::name::{self, Id, Reading};
use crate::websocket;

/// A request head as the rest of the program knows it (RFC 9113 §8.3.1).
pub(crate) fn request(parts: http::request::Parts, limits: &Limits) -> Result<Request, Refusal> {
    let refuse = |reason| Refusal::new(StatusCode::BAD_REQUEST, reason);
    if parts.method == http::Method::CONNECT {
        check_connect(&parts)?;
    }
    let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    if target.len() > limits.target {
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, "request target is too long"));
    }
    if target == "*" && parts.method != http::Method::OPTIONS {
        return Err(refuse("request target is malformed"));
    }
    if parts.uri.scheme().is_some_and(|scheme| *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS) {
        return Err(refuse("scheme is neither http nor https"));
    }
    let mut request =
        Request::new(parts.method, target).map_err(|_| refuse("request target is malformed"))?;
    request.version = Version::Http2;
    host(&mut request, parts.uri.authority(), &parts.headers).map_err(refuse)?;
    let mut cookies: Vec<u8> = Vec::new();
    let mut count = 0;
    for (field, value) in &parts.headers {
        let reading = name::read(field.as_str().as_bytes());
        // RFC 9113 §8.2.1: such a field is malformed.
        if value.as_bytes().trim_ascii().len() != value.len() {
            return Err(refuse("header has white space around its value"));
        }
        count += usize::from(reading != Reading::Known(Id::Cookie));
        if count > limits.fields || field.as_str().len() + value.len() > limits.field {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Err(Refusal::new(status, "header fields are too many or too long"));
        }
        let id = match reading {
            Reading::Known(id) => id,
            Reading::Lookalike if !limits.lookalikes => continue,
            Reading::Other | Reading::Lookalike => Id::Other,
        };
        match id {
            // The crate takes an empty one.
            Id::ContentLength if value.is_empty() => return Err(refuse("Content-Length is malformed")),
            Id::Host | Id::ProxyAuthorization | Id::ProxyAuthenticate | Id::Expect => {}
            // RFC 9113 §8.2.3: crumbs of one cookie are joined for whoever does not speak HTTP/2.
            Id::Cookie => {
                if !cookies.is_empty() {
                    cookies.extend_from_slice(b"; ");
                }
                cookies.extend_from_slice(value.as_bytes());
            }
            _ if is_of_connection(id) => {}
            _ => {
                let appended = request.headers.append(field.as_str(), value.as_bytes());
                appended.map_err(|_| refuse("header is malformed"))?;
            }
        }
    }
    if !cookies.is_empty() {
        request.headers.append(name::COOKIE, &cookies).map_err(|_| refuse("header is malformed"))?;
    }
    Ok(request)
}

/// Refuses a CONNECT that is not for WebSocket, or not as RFC 8441 has it.
fn check_connect(parts: &http::request::Parts) -> Result<(), Refusal> {
    let protocol = parts.extensions.get::<h2::ext::Protocol>();
    if let Some(refusal) = websocket::refusal(protocol.map(h2::ext::Protocol::as_str)) {
        return Err(refusal);
    }
    // RFC 8441 §4: it has both, as no other CONNECT does.
    if parts.uri.scheme().is_none() || parts.uri.path_and_query().is_none() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "extended CONNECT has no scheme or no path"));
    }
    Ok(())
}

/// Whether the client waits for a `100` before it sends its body (RFC 9110 §10.1.1).
pub(crate) fn expects_continue(headers: &HeaderMap) -> bool {
    let expects = headers.get(http::header::EXPECT);
    expects.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

fn host(
    request: &mut Request,
    authority: Option<&http::uri::Authority>,
    headers: &HeaderMap,
) -> Result<(), &'static str> {
    let mut hosts = headers.get_all(http::header::HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    if more.is_some() {
        return Err("Host is given more than once");
    }
    let named = match (authority, host) {
        (Some(authority), Some(host)) if authority.as_str().as_bytes() != host.as_bytes() => {
            return Err("Host and :authority differ");
        }
        (Some(authority), _) => authority.as_str().as_bytes(),
        (None, Some(host)) => host.as_bytes(),
        (None, None) => return Err("Host is missing"),
    };
    // RFC 9113 §8.3.1: an authority is not empty.
    if named.is_empty() || !is_host(named) {
        return Err("Host is malformed");
    }
    request.headers.append(name::HOST, named).map_err(|_| "Host is malformed")
}

/// The declared length of a request's body.
pub(crate) fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The head of an interim answer as the `h2` crate sends it.
pub(super) fn interim(response: &Response) -> http::Response<()> {
    let mut head = http::Response::new(());
    *head.status_mut() = response.status;
    for (id, name, value) in response.headers.iter() {
        if !is_of_connection(id) {
            append(head.headers_mut(), name, value);
        }
    }
    head
}

/// A response head as the `h2` crate sends it.
pub(crate) fn response(response: &Response, length: Option<u64>, server: Option<&str>) -> http::Response<()> {
    let mut head = http::Response::new(());
    *head.status_mut() = response.status;
    let fields = head.headers_mut();
    fields.reserve(response.headers.len() + 3);
    for (id, name, value) in response.headers.iter() {
        if is_of_connection(id) || (id == Id::Server && server.is_some()) {
            continue;
        }
        append(fields, name, value);
    }
    if !fields.contains_key(http::header::DATE) {
        lockgate_telemetry::clock::http_date(|date| append(fields, "date", date.as_bytes()));
    }
    if let Some(server) = server {
        append(fields, "server", server.as_bytes());
    }
    if let Some(length) = length {
        fields.insert(http::header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    head
}

pub(super) fn append(fields: &mut HeaderMap, name: &str, value: &[u8]) {
    let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value))
    else {
        return;
    };
    // A map has room for fewer names than a head within its limits may have; what is beyond that is left out.
    let _ = fields.try_append(name, value);
}

/// The trailers of a stream, within what a body may have of them.
pub(crate) fn trailers(fields: &HeaderMap, limits: &Limits) -> Result<Headers, &'static str> {
    let size: usize = fields.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > limits.trailers {
        return Err("trailers are too long");
    }
    if fields.len() > limits.fields {
        return Err("too many trailers");
    }
    let mut trailers = Headers::new();
    for (name, value) in fields {
        // Names and values of a HeaderMap are well formed.
        let _ = trailers.append(name.as_str(), value.as_bytes());
    }
    Ok(trailers)
}

pub(crate) fn trailer_map(trailers: &Headers) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (id, name, value) in trailers.iter() {
        if may_be_trailer(id, name.as_bytes()) {
            append(&mut fields, name, value);
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_of_more_names_than_a_map_holds_are_cut_off() {
        let mut many = Headers::new();
        for number in 0..40_000 {
            many.append(&format!("x-{number}"), b"").unwrap();
        }
        let map = trailer_map(&many);
        assert!(map.len() < many.len() && map.contains_key("x-0"), "{}", map.len());
        assert_eq!(trailers(&map, &Limits::DEFAULT).map(drop), Err("trailers are too long"));
        let most = Limits { trailers: usize::MAX, ..Limits::DEFAULT };
        assert_eq!(trailers(&map, &most).map(drop), Err("too many trailers"));
    }
}
