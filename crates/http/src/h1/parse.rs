//! Heads of messages, read strictly: what could be read in two ways is refused.
//!
//! Headers that frame the message or belong to the connection are understood here and taken off the list, so
//! nothing later can forward them by mistake (RFC 9110 §7.6.1, RFC 9112 §6.3).

#[cfg(test)]
mod tests;

use http::{Method, StatusCode};

use super::framing::Framing;
use super::lex::{Lexer, Stop, Target};
use crate::headers::{Headers, Span};
use crate::limits::Limits;
use crate::message::{Request, Response, Version, check_target};
use crate::name::{self, Id, Reading, id_of};

/// How many bytes of an unfinished line are waited for before it is looked at again.
const LOOKED_AT: usize = 4 * 1024;
/// What a request line has beside method and target.
const LINE_REST: usize = "  HTTP/1.1\r\n".len();
/// The most fields that `Connection` may name.
const MAX_NOMINATED: usize = 32;

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

    pub(super) const fn bad(reason: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }
}

const TOO_LARGE: Refusal = Refusal::bad("head is too large");
const TOO_MANY: Refusal = Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too many header fields");
const TOO_LONG: Refusal =
    Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "header field is too long");

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

/// `None` of what is not whole yet.
fn whole<T>(read: Result<T, Stop>) -> Result<Option<T>, Refusal> {
    match read {
        Ok(head) => Ok(Some(head)),
        Err(Stop::Partial) => Ok(None),
        Err(Stop::Refused(refusal)) => Err(refusal),
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Whether a head may have become whole, or too long a line, since `parsed` bytes of it were looked at: one that
/// comes byte by byte is not to be read from its start with each of them.
pub(super) fn may_be_whole(data: &[u8], parsed: usize) -> bool {
    parsed == 0 || data.len() - parsed > LOOKED_AT || memchr::memchr(b'\n', &data[parsed..]).is_some()
}

/// Reads a request head; `None` while it is not whole.
pub(crate) fn request(input: &[u8], limits: &Limits) -> Result<Option<RequestHead>, Refusal> {
    whole(read_request(input, limits))
}

fn read_request(input: &[u8], limits: &Limits) -> Result<RequestHead, Stop> {
    let mut lexer = Lexer::new(input);
    let (method, target, version) = lexer.request_line(limits.target)?;
    // The line is passed on as it stands, where it is the one to be sent: from a client of HTTP/1.1, in origin form.
    let is_plain = version == Version::Http11 && matches!(target.bytes, [b'/', ..]);
    let len = method.len() + target.bytes.len() + LINE_REST;
    let line = if is_plain { Span::at(lexer.len() - len, len) } else { Span::default() };
    let mut connection = Connection::new();
    let mut headers = fields(&mut lexer, input, limits, &mut connection)?;
    let framing = connection.framing(version, limits)?.unwrap_or_default();
    connection.drop_nominated(&mut headers);
    connection.check_host(version)?;
    let method = method_of(method)?;
    let target = target_of(&mut headers, target, &method)?;
    let mut request = Request::from_parts(method, version, headers, target, line);
    if version == Version::Http11 && matches!(framing, Framing::Done | Framing::Length(0)) {
        request.upgrade = connection.upgrade();
    }
    Ok(RequestHead {
        request,
        framing,
        keep_alive: connection.keep_alive(version),
        expects_continue: connection.expects_continue && version == Version::Http11,
        len: lexer.len(),
    })
}

/// Reads the fields, and what they say of the connection.
fn fields<'a>(
    lexer: &mut Lexer<'a>,
    input: &'a [u8],
    limits: &Limits,
    connection: &mut Connection<'a>,
) -> Result<Headers, Stop> {
    let mut headers = Headers::new();
    let list = &mut *headers;
    let (mut count, mut start) = (0, lexer.len());
    while let Some(line) = lexer.field()? {
        count += 1;
        if count > limits.fields {
            return Err(TOO_MANY.into());
        }
        if lexer.len() - start > limits.field {
            return Err(TOO_LONG.into());
        }
        start = lexer.len();
        let id = match name::read(line.name) {
            Reading::Known(id) => id,
            Reading::Lookalike if !limits.lookalikes => continue,
            Reading::Other | Reading::Lookalike => Id::Other,
        };
        if connection.field(id, line.value).map_err(Refusal::bad)? {
            list.push_parsed(id, &line);
        }
    }
    list.keep_head(&input[..lexer.len()]).map_err(|_| TOO_LARGE)?;
    Ok(headers)
}

fn method_of(method: &[u8]) -> Result<Method, Refusal> {
    match Method::from_bytes(method) {
        Ok(Method::CONNECT) => Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "CONNECT is not offered")),
        Ok(method) => Ok(method),
        Err(_) => Err(Refusal::bad("method is malformed")),
    }
}

/// The target in origin form (RFC 9112 §3.2). Of an absolute form, the authority becomes the host.
fn target_of(headers: &mut Headers, target: Target<'_>, method: &Method) -> Result<Span, Refusal> {
    let malformed = Refusal::bad("request target is malformed");
    let is_plain = target.is_plain;
    let target = std::str::from_utf8(target.bytes).map_err(|_| malformed)?;
    if target.starts_with('/') || (target == "*" && method == Method::OPTIONS) {
        if !is_plain {
            check_target(target).map_err(|_| malformed)?;
        }
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
    let path = match path {
        // RFC 9112 §3.2.4: it asks of the server itself.
        "" if method == Method::OPTIONS => "*".to_owned(),
        path if path.starts_with('/') => path.to_owned(),
        path => format!("/{path}"),
    };
    check_target(&path).map_err(|_| malformed)?;
    headers.keep_text(&path).map_err(|_| malformed)
}

/// Digits and letters, and of the rest what RFC 3986 §3.2.2 allows in a name, an address and a port.
static IN_HOST: [bool; 256] = table(b"-._~:%!$&'()*+;=");

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

/// Whether these bytes may be a host with a port; empty is allowed (RFC 9110 §7.2). The port is a number, or
/// nothing. Brackets stand around an address and nowhere else; colons inside them are the address's own.
pub(crate) fn is_host(host: &[u8]) -> bool {
    let [b'[', address @ ..] = host else { return is_name_and_port(host) };
    let Some(end) = memchr::memchr(b']', address) else { return false };
    let (address, port) = (&address[..end], &address[end + 1..]);
    let is_address = !address.is_empty() && address.iter().all(|byte| IN_HOST[usize::from(*byte)]);
    is_address && port.first().is_none_or(|byte| *byte == b':') && is_name_and_port(port)
}

fn is_name_and_port(host: &[u8]) -> bool {
    let in_name = |byte: &u8| *byte != b':' && IN_HOST[usize::from(*byte)];
    let end = host.iter().position(|byte| !in_name(byte)).unwrap_or(host.len());
    match &host[end..] {
        [b':', port @ ..] => port.iter().all(u8::is_ascii_digit),
        rest => rest.is_empty(),
    }
}

/// What the header fields say of connection and framing.
struct Connection<'a> {
    has_close: bool,
    has_keep_alive: bool,
    expects_continue: bool,
    hosts: usize,
    host: &'a [u8],
    upgrade: Option<&'a [u8]>,
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

impl<'a> Connection<'a> {
    fn new() -> Self {
        Self {
            has_close: false,
            has_keep_alive: false,
            expects_continue: false,
            hosts: 0,
            host: b"",
            upgrade: None,
            length: None,
            coding: None,
            nominated: Vec::new(),
        }
    }

    /// Reads one field; `false` when it is the connection's own and not to be kept.
    fn field(&mut self, id: Id, value: &'a [u8]) -> Result<bool, &'static str> {
        match id {
            Id::Connection => self.options(value)?,
            Id::KeepAlive | Id::ProxyConnection | Id::Te | Id::ProxyAuthorization | Id::ProxyAuthenticate => {
            }
            Id::Upgrade => self.upgrade = Some(value),
            Id::ContentLength => self.content_length(value)?,
            Id::TransferEncoding => self.transfer_encoding(value)?,
            Id::Expect => self.expects_continue |= value.eq_ignore_ascii_case(b"100-continue"),
            Id::Host => {
                self.hosts += 1;
                self.host = value;
                return Ok(true);
            }
            _ => return Ok(true),
        }
        Ok(false)
    }

    /// RFC 9112 §3.2: exactly one Host in HTTP/1.1, at most one in HTTP/1.0, and nothing in it that a later
    /// reader could take for a path or a second host.
    fn check_host(&self, version: Version) -> Result<(), Refusal> {
        match (self.hosts, version) {
            (0, Version::Http10) => Ok(()),
            (0, _) => Err(Refusal::bad("Host is missing")),
            (1, _) if is_host(self.host) => Ok(()),
            (1, _) => Err(Refusal::bad("Host is malformed")),
            _ => Err(Refusal::bad("Host is given more than once")),
        }
    }

    fn options(&mut self, value: &[u8]) -> Result<(), &'static str> {
        // As nearly everybody writes it.
        if value == b"keep-alive" {
            self.has_keep_alive = true;
            return Ok(());
        }
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
    fn framing(&self, version: Version, limits: &Limits) -> Result<Option<Framing>, Refusal> {
        let Some(coding) = self.coding else {
            return Ok(self.length.map(Framing::Length));
        };
        if self.length.is_some() {
            return Err(Refusal::bad("Content-Length stands beside Transfer-Encoding"));
        }
        if version != Version::Http11 {
            return Err(Refusal::bad("Transfer-Encoding in HTTP/1.0"));
        }
        match coding {
            Coding::Chunked => Ok(Some(Framing::chunked(limits))),
            Coding::Other => {
                Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "Transfer-Encoding is not supported"))
            }
        }
    }

    /// What the other side would go over to, where it says so in both fields (RFC 9110 §7.8).
    fn upgrade(&self) -> Option<Box<str>> {
        let value = self.upgrade?;
        let is_named = self.nominated.iter().any(|name| name.eq_ignore_ascii_case("upgrade"));
        std::str::from_utf8(value).ok().filter(|_| is_named).map(Into::into)
    }

    /// Takes off the fields that `Connection` names, but never those that route the message.
    fn drop_nominated(&self, headers: &mut Headers) {
        for name in &self.nominated {
            if id_of(name.as_bytes()) != Id::Host {
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
    /// What the connection goes over to with it.
    pub(crate) upgrade: Option<Box<str>>,
    pub(crate) len: usize,
}

/// Reads a response head; `None` while it is not whole. `is_head` says that the request was a HEAD.
pub(crate) fn response(
    input: &[u8],
    is_head: bool,
    limits: &Limits,
) -> Result<Option<ResponseHead>, &'static str> {
    whole(read_response(input, is_head, limits)).map_err(|refusal| refusal.reason)
}

fn read_response(input: &[u8], is_head: bool, limits: &Limits) -> Result<ResponseHead, Stop> {
    let mut lexer = Lexer::new(input);
    let (version, code) = lexer.status_line()?;
    let status = StatusCode::from_u16(code).map_err(|_| Refusal::bad("status is out of range"))?;
    let mut connection = Connection::new();
    let mut headers = fields(&mut lexer, input, limits, &mut connection)?;
    connection.drop_nominated(&mut headers);
    let mut response = Response::new(status);
    (response.version, response.headers) = (version, headers);
    let declared = connection.framing(version, limits)?;
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
    let upgrade = if status == 101 { connection.upgrade() } else { None };
    Ok(ResponseHead { response, framing, keep_alive, upgrade, len: lexer.len() })
}
