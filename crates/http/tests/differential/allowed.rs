//! Every difference there may be between what this engine takes and what another parser takes: all of them are
//! things that this one refuses, each with its reason.

/// Why a message that another parser takes is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    /// A line ends with a line feed alone. RFC 9112 §2.2 lets a recipient take it; not all do.
    BareLineFeed,
    /// Empty lines before a status line. RFC 9112 §2.2 has them before requests only.
    EmptyLineBeforeStatus,
    /// A control character in a reason (RFC 9112 §4), which another parser takes for old text.
    Reason,
    /// The target is none of the forms of RFC 9112 §3.2, or has a fragment, or is not UTF-8.
    Target,
    /// `CONNECT`: no tunnel is offered.
    Connect,
    /// No `Host`, or more than one (RFC 9112 §3.2).
    HostCount,
    /// A `Host`, or an authority, that is no host with a port (RFC 9110 §7.2).
    HostForm,
    /// More than one `Content-Length`, or one that is not 1 to 18 digits (RFC 9112 §6.2).
    Length,
    /// `Content-Length` beside `Transfer-Encoding` (RFC 9112 §6.1).
    LengthBesideCoding,
    /// `Transfer-Encoding` in HTTP/1.0 (RFC 9112 §6.1).
    CodingInOldVersion,
    /// More than one `Transfer-Encoding`, or anything but `chunked` (RFC 9112 §6.1).
    Coding,
    /// `Connection` names more than 32 fields, or bytes that are not UTF-8.
    Connection,
    /// A status below 100 (RFC 9110 §15).
    Status,
}

/// A head as the other parser has read it.
pub(crate) struct Theirs<'a> {
    pub(crate) head: &'a [u8],
    pub(crate) is_old: bool,
    pub(crate) fields: &'a [httparse::Header<'a>],
}

impl Theirs<'_> {
    pub(crate) fn values<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'b [u8]> {
        self.fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    /// The options of every `Connection`, those of the connection itself aside.
    pub(crate) fn nominated(&self) -> Vec<Vec<u8>> {
        let options = self.values("connection").flat_map(|value| value.split(|byte| *byte == b','));
        let options = options.map(|option| option.trim_ascii().to_ascii_lowercase());
        options.filter(|option| !matches!(&option[..], b"" | b"close" | b"keep-alive")).collect()
    }

    /// What every head may be refused for.
    fn difference(&self) -> Option<Difference> {
        let ends_bare =
            |at: usize| self.head[at] == b'\n' && at.checked_sub(1).is_none_or(|at| self.head[at] != b'\r');
        if (0..self.head.len()).any(ends_bare) {
            return Some(Difference::BareLineFeed);
        }
        let lengths: Vec<_> = self.values("content-length").collect();
        let codings: Vec<_> = self.values("transfer-encoding").collect();
        let is_plain =
            |value: &[u8]| !value.is_empty() && value.len() <= 18 && value.iter().all(u8::is_ascii_digit);
        if lengths.len() > 1 || !lengths.iter().all(|value| is_plain(value)) {
            return Some(Difference::Length);
        }
        if codings.len() > 1 {
            return Some(Difference::Coding);
        }
        if let [coding] = codings[..] {
            if !lengths.is_empty() {
                return Some(Difference::LengthBesideCoding);
            }
            if self.is_old {
                return Some(Difference::CodingInOldVersion);
            }
            if !coding.eq_ignore_ascii_case(b"chunked") {
                return Some(Difference::Coding);
            }
        }
        let nominated = self.nominated();
        let is_text = nominated.iter().all(|name| std::str::from_utf8(name).is_ok());
        (nominated.len() > 32 || !is_text).then_some(Difference::Connection)
    }
}

/// Why a request's head is refused that the other parser takes.
pub(crate) fn of_request(theirs: &Theirs<'_>, method: &str, target: &str) -> Option<Difference> {
    if let Some(difference) = theirs.difference() {
        return Some(difference);
    }
    if method == "CONNECT" {
        return Some(Difference::Connect);
    }
    let hosts: Vec<_> = theirs.values("host").collect();
    match hosts[..] {
        [] if theirs.is_old => {}
        [host] if is_host(host) => {}
        [_] => return Some(Difference::HostForm),
        _ => return Some(Difference::HostCount),
    }
    if target.contains('#') || target.bytes().any(|byte| byte == 127) {
        return Some(Difference::Target);
    }
    if target.starts_with('/') || (target == "*" && method == "OPTIONS") {
        return None;
    }
    let lower = target.to_ascii_lowercase();
    let Some(rest) = lower.strip_prefix("http://").or_else(|| lower.strip_prefix("https://")) else {
        return Some(Difference::Target);
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    (authority.is_empty() || !is_host(authority.as_bytes())).then_some(Difference::HostForm)
}

/// Why a response's head is refused that the other parser takes.
pub(crate) fn of_response(theirs: &Theirs<'_>, code: u16) -> Option<Difference> {
    if let Some(difference) = theirs.difference() {
        return Some(difference);
    }
    if theirs.head.starts_with(b"\r\n") {
        return Some(Difference::EmptyLineBeforeStatus);
    }
    let line = theirs.head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    if line.iter().any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 127) {
        return Some(Difference::Reason);
    }
    (code < 100).then_some(Difference::Status)
}

/// A host with a port, told another way than the engine does.
fn is_host(host: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(host) else { return false };
    let is_part =
        |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-._~%!$&'()*+;=".contains(c));
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if !address.is_empty() && is_part(&address.replace(':', "")) => ("", port),
            _ => return false,
        },
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let has_port = port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
    is_part(name) && has_port
}

/// The most trailer fields a body may have: hyper's bound too.
const TRAILERS: usize = 100;

/// A chunked body by the letter of RFC 9112 §7.1, with CRLF alone and no more trailers than there may be: its data and
/// how many bytes it took, `None` while it is not whole.
pub(crate) fn chunks(input: &[u8]) -> Result<Option<(Vec<u8>, usize)>, ()> {
    let mut data = Vec::new();
    let mut at = 0;
    loop {
        let Some((line, next)) = line(input, at)? else { return Ok(None) };
        let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
        let text = std::str::from_utf8(digits).map_err(|_| ())?;
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(());
        }
        let size = usize::from_str_radix(text, 16).map_err(|_| ())?;
        if size >> 60 != 0 {
            return Err(());
        }
        at = next;
        if size == 0 {
            break;
        }
        let Some(chunk) = input.get(at..at + size) else { return Ok(None) };
        data.extend_from_slice(chunk);
        at += size;
        match input.get(at..).unwrap_or_default() {
            [b'\r', b'\n', ..] => at += 2,
            [] | [b'\r'] => return Ok(None),
            _ => return Err(()),
        }
    }
    let mut left = TRAILERS;
    loop {
        let Some((line, next)) = line(input, at)? else { return Ok(None) };
        at = next;
        if line.is_empty() {
            return Ok(Some((data, at)));
        }
        left = left.checked_sub(1).ok_or(())?;
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        if name.is_empty() || name.len() == line.len() || !name.iter().all(is_token) {
            return Err(());
        }
    }
}

/// The line that begins at `at`, and where the next one begins; `None` while it is not whole.
fn line(input: &[u8], at: usize) -> Result<Option<(&[u8], usize)>, ()> {
    let rest = input.get(at..).unwrap_or_default();
    let is_text = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 127);
    let end = rest.iter().position(|byte| !is_text(byte)).unwrap_or(rest.len());
    match &rest[end..] {
        [b'\r', b'\n', ..] => Ok(Some((&rest[..end], at + end + 2))),
        [] | [b'\r'] => Ok(None),
        _ => Err(()),
    }
}
