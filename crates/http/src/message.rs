//! Requests and responses: the same types for HTTP/1.1 and HTTP/2, client and server.

use http::{Method, StatusCode};

use crate::body::Body;
use crate::h1::Interims;
use crate::h1::client::Exchange;
use crate::headers::{Headers, InvalidHeader, Span, Target, Targets};
use crate::name;

/// The version of HTTP that a message came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
    /// HTTP/3
    Http3,
}

impl Version {
    /// As access logs write it: `HTTP/1.1`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2.0",
            Self::Http3 => "HTTP/3.0",
        }
    }
}

/// A request, as it came or as it will be sent.
///
/// Headers that belong to a connection or frame the message (RFC 9110 §7.6.1, RFC 9112 §6) are not in the
/// list: the engine takes them off when it reads and writes its own.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The version it came in.
    pub version: Version,
    /// The header fields, in order.
    pub headers: Headers,
    /// The body.
    pub body: Body,
    /// What the client would go over to (`Upgrade`, RFC 9110 §7.8): `websocket`. Only a request without a body has it
    /// that came by HTTP/1.1, or by an extended CONNECT (RFC 8441), and it is passed on only where
    /// [`crate::Outgoing::upgrade`] says so.
    pub upgrade: Option<Box<str>>,
    /// Bytes of its head, as it came; 0 by HTTP/2 and HTTP/3, which pack it.
    pub head_bytes: u32,
    /// Where interim answers go.
    pub(crate) interims: Option<Interims>,
}

impl Request {
    /// A request with no headers and no body.
    pub fn new(method: Method, target: &str) -> Result<Self, InvalidTarget> {
        let mut request = Self {
            method,
            version: Version::Http11,
            headers: Headers::new(),
            body: Body::empty(),
            upgrade: None,
            head_bytes: 0,
            interims: None,
        };
        request.set_target(target)?;
        request.headers.targets.original = request.headers.targets.now;
        Ok(request)
    }

    /// A request of which nothing is known: the stand-in for what was no request.
    pub fn blank() -> Self {
        let (method, version, headers, body) = (Method::GET, Version::Http11, Headers::new(), Body::empty());
        Self { method, version, headers, body, upgrade: None, head_bytes: 0, interims: None }
    }

    /// A request whose target was kept among its headers, and whose line stands there.
    pub(crate) fn from_parts(
        method: Method,
        version: Version,
        mut headers: Headers,
        target: Span,
        line: Span,
    ) -> Self {
        let list = &mut *headers;
        let now = Target { all: target, path: target.head(path_len(list.text(target))) };
        list.targets = Targets { now, original: now, line };
        Self { method, version, headers, body: Body::empty(), upgrade: None, head_bytes: 0, interims: None }
    }

    /// The request line as it came, where it says what the request says now.
    pub(crate) fn line(&self) -> Option<Span> {
        let Targets { now, original, line } = self.headers.targets;
        let method = self.method.as_str().as_bytes();
        let is_same = || now == original && self.headers.bytes(line).starts_with(method);
        (line != Span::default() && is_same()).then_some(line)
    }

    /// The target in origin form: path and query, as sent.
    pub fn target(&self) -> &str {
        self.headers.text(self.headers.targets.now.all)
    }

    pub(crate) fn target_bytes(&self) -> &[u8] {
        self.target().as_bytes()
    }

    /// The path, as sent: nothing decoded, nothing resolved.
    pub fn path(&self) -> &str {
        self.headers.text(self.headers.targets.now.path)
    }

    /// Path and query as the client sent them, whatever became of the target since.
    pub fn original_target(&self) -> &str {
        self.headers.text(self.headers.targets.original.all)
    }

    /// Like `original_target`, for whoever only copies it.
    pub fn original_target_bytes(&self) -> &[u8] {
        self.original_target().as_bytes()
    }

    /// The path as the client sent it.
    pub fn original_path(&self) -> &str {
        self.headers.text(self.headers.targets.original.path)
    }

    /// The query as the client sent it, without its `?`.
    pub fn original_query(&self) -> Option<&str> {
        self.original_target().get(self.original_path().len() + 1..)
    }

    /// The query, as sent, without its `?`.
    pub fn query(&self) -> Option<&str> {
        self.target().get(self.path().len() + 1..)
    }

    /// The target, for plugins that match on it: `request.uri().to_string()`.
    pub fn uri(&self) -> &str {
        self.target()
    }

    /// Replaces path and query.
    pub fn set_target(&mut self, target: &str) -> Result<(), InvalidTarget> {
        check_target(target)?;
        let all = self.headers.keep_text(target).map_err(|_: InvalidHeader| InvalidTarget)?;
        self.headers.targets.now = Target { all, path: all.head(path_len(target)) };
        Ok(())
    }

    /// Whether it is an extended CONNECT (RFC 8441), for which there is no answer but to go over or to refuse.
    pub fn is_extended_connect(&self) -> bool {
        self.upgrade.is_some() && !matches!(self.version, Version::Http10 | Version::Http11)
    }

    /// The host as the client named it, with its port.
    pub fn host(&self) -> &str {
        self.headers.get_str(name::HOST).unwrap_or_default()
    }
}

fn path_len(target: &str) -> usize {
    target.bytes().position(|byte| byte == b'?').unwrap_or(target.len())
}

/// A target that cannot stand in a request line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("request target has a space or control character, or does not begin with '/'")]
pub struct InvalidTarget;

/// RFC 9112 §3.2: origin form or asterisk, nothing that could end the request line early.
pub(crate) fn check_target(target: &str) -> Result<(), InvalidTarget> {
    let is_form = target.starts_with('/') || target == "*";
    let is_clean = !target.bytes().any(|byte| byte <= b' ' || byte == 127 || byte == b'#');
    if is_form && is_clean { Ok(()) } else { Err(InvalidTarget) }
}

/// A response, as it came or as it will be sent. For its headers see [`Request`].
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The version it came in.
    pub version: Version,
    /// The header fields, in order.
    pub headers: Headers,
    /// The body.
    pub body: Body,
    /// The length a response to HEAD, or a 304, declares for the body it does not have.
    pub declared_length: Option<u64>,
    /// The connection that has gone over to something else with this answer.
    pub(crate) upgraded: Option<Box<Exchange>>,
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

impl Response {
    /// A response with no headers and no body.
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            version: Version::Http11,
            headers: Headers::new(),
            body: Body::empty(),
            declared_length: None,
            upgraded: None,
        }
    }

    /// Whether no content goes out with it, whatever an upstream sent (RFC 9110 §6.4.1, §15.3.6): the answer to a HEAD,
    /// 204, 205, 304.
    pub(crate) fn has_no_content(&self, method: &Method) -> bool {
        const NONE: [StatusCode; 3] =
            [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED];
        method == Method::HEAD || NONE.contains(&self.status)
    }

    /// A response with a text body.
    pub fn text(status: StatusCode, content_type: &str, body: impl Into<bytes::Bytes>) -> Self {
        let mut response = Self::new(status);
        response.body = Body::full(body);
        // A content type of ours is a valid value.
        let _ = response.headers.append(name::CONTENT_TYPE, content_type.as_bytes());
        response
    }
}
