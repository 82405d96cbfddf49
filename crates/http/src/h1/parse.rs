//! Heads of messages, read strictly: what could be read in two ways is refused.
//!
//! Headers that frame the message or belong to the connection are understood here and taken off the list, so
//! nothing later can forward them by mistake (RFC 9110 §7.6.1, RFC 9112 §6.3).

#[cfg(test)]
mod tests;

use std::mem::MaybeUninit;

use http::{Method, StatusCode};

use super::framing::Framing;
use crate::headers::{Headers, Span};
use crate::message::{Request, Response, Version, check_target};
use crate::name::{self, Id, id_of};

/// The most header fields a message may have.
pub(crate) const MAX_HEADERS: usize = 100;
/// The most fields that `Connection` may name.
const MAX_NOMINATED: usize = 32;
/// The longest request target, in bytes.
const MAX_TARGET: usize = 16 * 1024;

/// A request that is refused before anybody sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) reason: &'static str,
}

impl Refusal {
    pub(crate) const fn new(status: StatusCode, reason: &'static str) -> Self {
        Self { status, reason }
    }
}

const fn bad(reason: &'static str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, reason)
}

/// A request head, and what it says of its connection.
#[derive(Debug)]
pub(crate) struct RequestHead {
    pub(crate) request: Request,
    pub(crate) framing: Framing,
    pub(crate) keep_alive: bool,
    pub(crate) expects_continue: bool,
    /// Bytes of the head.
    pub(crate) len: usize,
}

/// Reads a request head; `None` while it is not whole.
pub(crate) fn request(input: &[u8]) -> Result<Option<RequestHead>, Refusal> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut []);
    let len = match head.parse_with_uninit_headers(input, &mut fields) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return partial_request(input).map(|()| None),
        Err(error) => return Err(refusal(error, input)),
    };
    let (Some(method), Some(target), Some(minor)) = (head.method, head.path, head.version) else {
        return Err(bad("head is incomplete"));
    };
    has_strict_lines(&input[..len])?;
    if target.len() > MAX_TARGET {
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, "request target is too long"));
    }
    let version = if minor == 1 { Version::Http11 } else { Version::Http10 };
    let mut headers = Headers::new();
    headers.keep(&input[..len]).map_err(|_| bad("head is too large"))?;
    let mut connection = Connection::new();
    for field in head.headers.iter() {
        connection.field(&mut headers, &input[..len], field).map_err(bad)?;
    }
    let framing = connection.framing(version)?.unwrap_or_default();
    connection.drop_nominated(&mut headers);
    let method = method_of(method)?;
    let target = target_of(&mut headers, target, &method)?;
    check_host(&headers, version, connection.hosts)?;
    Ok(Some(RequestHead {
        request: Request::from_parts(method, version, headers, target),
        framing,
        keep_alive: connection.keep_alive(version),
        expects_continue: connection.expects_continue && version == Version::Http11,
        len,
    }))
}

/// What can be said of a head that is not whole yet: there is no use in waiting for the rest of a bad one.
fn partial_request(input: &[u8]) -> Result<(), Refusal> {
    let line = &input[..memchr::memchr(b'\n', input).unwrap_or(input.len())];
    if line.len() > MAX_TARGET + 64 {
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, "request target is too long"));
    }
    Ok(())
}

fn refusal(error: httparse::Error, input: &[u8]) -> Refusal {
    match error {
        httparse::Error::TooManyHeaders => {
            Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too many header fields")
        }
        // A line that is no request line at all is a bad request, not another version.
        httparse::Error::Version if has_version(input) => {
            Refusal::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "HTTP version is not supported")
        }
        httparse::Error::Version | httparse::Error::Token => bad("request line is malformed"),
        httparse::Error::HeaderName => bad("header name is malformed"),
        httparse::Error::HeaderValue => bad("header value is malformed"),
        httparse::Error::NewLine => bad("line end is malformed"),
        httparse::Error::Status => bad("status is malformed"),
    }
}

fn has_version(input: &[u8]) -> bool {
    let line = &input[..memchr::memchr(b'\n', input).unwrap_or(input.len())];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut words = line.split(|byte| *byte == b' ').skip(2);
    match (words.next(), words.next()) {
        (Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]), None) => {
            major.is_ascii_digit() && minor.is_ascii_digit()
        }
        _ => false,
    }
}

/// RFC 9112 §2.2 lets a recipient take a bare LF for a line end; peers that do and peers that do not disagree
/// about where a head ends, so it is refused.
fn has_strict_lines(head: &[u8]) -> Result<(), Refusal> {
    let mut lines = memchr::memchr_iter(b'\n', head);
    if lines.all(|at| at > 0 && head[at - 1] == b'\r') {
        return Ok(());
    }
    Err(bad("line ends without a carriage return"))
}

fn method_of(method: &str) -> Result<Method, Refusal> {
    match Method::from_bytes(method.as_bytes()) {
        Ok(Method::CONNECT) => Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "CONNECT is not offered")),
        Ok(method) => Ok(method),
        Err(_) => Err(bad("method is malformed")),
    }
}

/// The target in origin form (RFC 9112 §3.2). Of an absolute form, the authority becomes the host.
fn target_of(headers: &mut Headers, target: &str, method: &Method) -> Result<Span, Refusal> {
    let malformed = bad("request target is malformed");
    if target.starts_with('/') || (target == "*" && method == Method::OPTIONS) {
        check_target(target).map_err(|_| malformed)?;
        return headers.keep_text(target).map_err(|_| malformed);
    }
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|scheme| target.get(..scheme.len()).filter(|start| start.eq_ignore_ascii_case(scheme)))
        .map(|scheme| &target[scheme.len()..])
        .ok_or(malformed)?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if !is_host(authority.as_bytes()) || authority.is_empty() {
        return Err(malformed);
    }
    headers.set(name::HOST, authority.as_bytes()).map_err(|_| malformed)?;
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    check_target(&path).map_err(|_| malformed)?;
    headers.keep_text(&path).map_err(|_| malformed)
}

/// RFC 9112 §3.2: exactly one Host in HTTP/1.1, at most one in HTTP/1.0, and nothing in it that a later reader
/// could take for a path or a second host.
fn check_host(headers: &Headers, version: Version, hosts: usize) -> Result<(), Refusal> {
    match (hosts, version) {
        (0, Version::Http10) => Ok(()),
        (1, _) if headers.get(name::HOST).is_some_and(is_host) => Ok(()),
        (0, _) => Err(bad("Host is missing")),
        (1, _) => Err(bad("Host is malformed")),
        _ => Err(bad("Host is given more than once")),
    }
}

/// Digits and letters, and of the rest what RFC 3986 §3.2.2 allows in a host, a port, and around an address.
static IN_HOST: [bool; 256] = table(b"-._~:[]%!$&'()*+;=");

/// A table of digits, letters and these.
const fn table(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
}

/// Whether these bytes may be a host with a port; empty is allowed (RFC 9110 §7.2).
pub(crate) fn is_host(host: &[u8]) -> bool {
    host.iter().all(|byte| IN_HOST[usize::from(*byte)]) && has_port_of_digits(host)
}

/// Whether what follows the host's colon is a number, or nothing; colons inside brackets are an address's own.
fn has_port_of_digits(host: &[u8]) -> bool {
    let after_address = host.iter().rposition(|byte| *byte == b']').map_or(host, |end| &host[end + 1..]);
    match memchr::memchr(b':', after_address) {
        Some(colon) => after_address[colon + 1..].iter().all(u8::is_ascii_digit),
        None => true,
    }
}

/// What the header fields say of connection and framing.
struct Connection {
    has_close: bool,
    has_keep_alive: bool,
    expects_continue: bool,
    hosts: usize,
    length: Option<u64>,
    coding: Option<Coding>,
    nominated: Vec<Box<str>>,
}

/// What `Transfer-Encoding` says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Chunked,
    /// Anything else, `gzip, chunked` too.
    Other,
}

impl Connection {
    fn new() -> Self {
        Self {
            has_close: false,
            has_keep_alive: false,
            expects_continue: false,
            hosts: 0,
            length: None,
            coding: None,
            nominated: Vec::new(),
        }
    }

    /// Reads one field; keeps it in the list unless it is the connection's own.
    fn field(
        &mut self,
        headers: &mut Headers,
        head: &[u8],
        field: &httparse::Header<'_>,
    ) -> Result<(), &'static str> {
        let id = id_of(field.name);
        match id {
            Id::Connection => return self.options(field.value),
            Id::KeepAlive
            | Id::ProxyConnection
            | Id::Te
            | Id::Upgrade
            | Id::ProxyAuthorization
            | Id::ProxyAuthenticate => return Ok(()),
            Id::ContentLength => return self.content_length(field.value),
            Id::TransferEncoding => return self.transfer_encoding(field.value),
            Id::Expect => {
                self.expects_continue |= field.value.eq_ignore_ascii_case(b"100-continue");
                return Ok(());
            }
            Id::Host => self.hosts += 1,
            _ => {}
        }
        let value = field.value.trim_ascii();
        let spans = (Span::within(head, field.name.as_bytes()), Span::within(head, value));
        let (Some(name), Some(value)) = spans else {
            return Err("head is malformed");
        };
        headers.push_parsed(id, name, value).map_err(|_| "head is too large")
    }

    fn options(&mut self, value: &[u8]) -> Result<(), &'static str> {
        for option in value.split(|byte| *byte == b',') {
            let option = option.trim_ascii();
            if option.eq_ignore_ascii_case(b"close") {
                self.has_close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.has_keep_alive = true;
            } else if !option.is_empty() {
                if self.nominated.len() >= MAX_NOMINATED {
                    return Err("Connection names too many fields");
                }
                let option = std::str::from_utf8(option).map_err(|_| "Connection is malformed")?;
                self.nominated.push(option.into());
            }
        }
        Ok(())
    }

    /// RFC 9112 §9.3: "close" wins wherever it stands; HTTP/1.0 has to ask for the connection to be kept.
    fn keep_alive(&self, version: Version) -> bool {
        !self.has_close && (version == Version::Http11 || self.has_keep_alive)
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), &'static str> {
        let is_number = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
        if !is_number || self.length.is_some() {
            return Err("Content-Length is malformed or given more than once");
        }
        self.length = Some(value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')));
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), &'static str> {
        if self.coding.is_some() {
            return Err("Transfer-Encoding is given more than once");
        }
        let is_chunked = value.eq_ignore_ascii_case(b"chunked");
        self.coding = Some(if is_chunked { Coding::Chunked } else { Coding::Other });
        Ok(())
    }

    /// RFC 9112 §6.3; length and coding together, or a coding in HTTP/1.0, are how requests are smuggled.
    fn framing(&self, version: Version) -> Result<Option<Framing>, Refusal> {
        let Some(coding) = self.coding else {
            return Ok(self.length.map(Framing::Length));
        };
        if self.length.is_some() {
            return Err(bad("Content-Length stands beside Transfer-Encoding"));
        }
        if version != Version::Http11 {
            return Err(bad("Transfer-Encoding in HTTP/1.0"));
        }
        match coding {
            Coding::Chunked => Ok(Some(Framing::chunked())),
            Coding::Other => {
                Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "Transfer-Encoding is not supported"))
            }
        }
    }

    /// Takes off the fields that `Connection` names, but never those that route the message.
    fn drop_nominated(&self, headers: &mut Headers) {
        for name in &self.nominated {
            if id_of(name) != Id::Host {
                headers.remove(&**name);
            }
        }
    }
}

/// A response head, and what it says of its connection.
#[derive(Debug)]
pub(crate) struct ResponseHead {
    pub(crate) response: Response,
    pub(crate) framing: Framing,
    pub(crate) keep_alive: bool,
    pub(crate) len: usize,
}

/// Reads a response head; `None` while it is not whole. `is_head` says that the request was a HEAD.
pub(crate) fn response(input: &[u8], is_head: bool) -> Result<Option<ResponseHead>, &'static str> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut []);
    let parsed =
        httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut head, input, &mut fields);
    let len = match parsed {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err("too many header fields"),
        Err(_) => return Err("head is malformed"),
    };
    let (Some(code), Some(minor)) = (head.code, head.version) else {
        return Err("head is incomplete");
    };
    let status = StatusCode::from_u16(code).map_err(|_| "status is out of range")?;
    let version = if minor == 1 { Version::Http11 } else { Version::Http10 };
    let mut response = Response::new(status);
    response.version = version;
    response.headers.keep(&input[..len]).map_err(|_| "head is too large")?;
    let mut connection = Connection::new();
    for field in head.headers.iter() {
        connection.field(&mut response.headers, &input[..len], field)?;
    }
    connection.drop_nominated(&mut response.headers);
    let declared = connection.framing(version).map_err(|refusal| refusal.reason)?;
    let has_none = is_head || status.is_informational() || status == 204 || status == 304;
    let framing = match declared {
        _ if has_none => Framing::Done,
        Some(framing) => framing,
        None => Framing::UntilClose,
    };
    response.declared_length = if has_none { connection.length } else { None };
    // A 204 that announces a body may be followed by it.
    let is_clean = status != 204 || (connection.coding.is_none() && connection.length.unwrap_or(0) == 0);
    let is_open = matches!(framing, Framing::UntilClose);
    let keep_alive = connection.keep_alive(version) && is_clean && !is_open;
    Ok(Some(ResponseHead { response, framing, keep_alive, len }))
}
