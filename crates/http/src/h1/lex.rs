//! The grammar of a head: its lines and fields, each byte looked at once, and nothing taken that could be read in
//! two ways.
//!
//! Stricter than RFC 9112 allows: a line ends with CR LF and nothing else (§2.2), a status line has no space to
//! spare (§4), and a field is one line (§5.2).

use http::StatusCode;
use wide::u8x16;

use super::parse::Refusal;
use crate::blocks::{between, equal, find};
use crate::message::Version;
use crate::name::is_token_byte;

/// Why there is no more to read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// The rest has not come yet; what there is may still become a head.
    Partial,
    /// It is not a head, whatever follows.
    Refused(Refusal),
}

fn bad<T>(reason: &'static str) -> Result<T, Stop> {
    Err(Stop::Refused(Refusal::bad(reason)))
}

/// A field, and its place in the head.
pub(crate) struct FieldLine<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) name_at: usize,
    /// Without the white space around it.
    pub(crate) value: &'a [u8],
    pub(crate) value_at: usize,
    /// Whether it reads `Name: value` and so can be passed on as it stands.
    pub(crate) is_plain: bool,
}

/// What stands between the two spaces of a request line.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) bytes: &'a [u8],
    /// Whether it is all of ASCII, with no `#`, which would begin a fragment.
    pub(super) is_plain: bool,
}

/// Reads a head from its start.
pub(super) struct Lexer<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { input, at: 0 }
    }

    /// How many bytes were read.
    pub(super) fn len(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a [u8] {
        &self.input[self.at..]
    }

    /// Method, target and version (RFC 9112 §3). Empty lines before them are passed over (§2.2).
    pub(super) fn request_line(&mut self, longest: usize) -> Result<(&'a [u8], Target<'a>, Version), Stop> {
        while self.rest().starts_with(b"\r\n") {
            self.at += 2;
        }
        if self.rest() == b"\r" {
            return Err(Stop::Partial);
        }
        let end = end_of_token(self.input, self.at);
        let method = self.word(end, longest)?;
        let plain_end = end_of_plain(self.input, self.at);
        let is_plain = self.input.get(plain_end) == Some(&b' ');
        let end = if is_plain { plain_end } else { end_of_target(self.input, plain_end) };
        let target = self.word(end, longest)?;
        if target.len() > longest {
            return Err(too_long());
        }
        self.request_version().map(|version| (method, Target { bytes: target, is_plain }, version))
    }

    /// What is up to `end`, which is not to be nothing, and the space behind it. A target's form is looked at later.
    fn word(&mut self, end: usize, longest: usize) -> Result<&'a [u8], Stop> {
        let word = &self.input[self.at..end];
        match self.input.get(end) {
            Some(b' ') if !word.is_empty() => {
                self.at = end + 1;
                Ok(word)
            }
            None if word.len() > longest => Err(too_long()),
            None => Err(Stop::Partial),
            Some(_) => bad("request line is malformed"),
        }
    }

    /// What a request line ends with.
    fn request_version(&mut self) -> Result<Version, Stop> {
        let rest = self.rest();
        let version = if rest.starts_with(b"HTTP/1.1") {
            Version::Http11
        } else if rest.starts_with(b"HTTP/1.0") {
            Version::Http10
        } else {
            return match rest {
                [b'H', b'T', b'T', b'P', b'/', major, b'.', minor, b'\r', b'\n', ..]
                    if major.is_ascii_digit() && minor.is_ascii_digit() =>
                {
                    let status = StatusCode::HTTP_VERSION_NOT_SUPPORTED;
                    Err(Stop::Refused(Refusal::new(status, "HTTP version is not supported")))
                }
                _ if rest.len() < 10 && is_start_of(rest, b"HTTP/") => Err(Stop::Partial),
                _ => bad("request line is malformed"),
            };
        };
        self.at += 8;
        self.line_end("request line is malformed")?;
        Ok(version)
    }

    /// Version and status (RFC 9112 §4); the reason is nobody's.
    pub(super) fn status_line(&mut self) -> Result<(Version, u16), Stop> {
        let rest = self.rest();
        let Some(([start @ .., a, b, c], rest)) = rest.split_first_chunk::<12>() else {
            return if is_start_of(rest, b"HTTP/1.") { Err(Stop::Partial) } else { bad(BAD_STATUS_LINE) };
        };
        let version = if start == b"HTTP/1.1 " {
            Version::Http11
        } else if start == b"HTTP/1.0 " {
            Version::Http10
        } else {
            return bad(BAD_STATUS_LINE);
        };
        if ![a, b, c].iter().all(|digit| digit.is_ascii_digit()) {
            return bad(BAD_STATUS_LINE);
        }
        let digit = |byte: &u8| u16::from(byte - b'0');
        let status = digit(a) * 100 + digit(b) * 10 + digit(c);
        self.at += 12;
        if rest.first() == Some(&b' ') {
            self.at = end_of_text(self.input, self.at);
        }
        self.line_end(BAD_STATUS_LINE)?;
        Ok((version, status))
    }

    /// The next field, or nothing where the head ends (RFC 9112 §5).
    pub(super) fn field(&mut self) -> Result<Option<FieldLine<'a>>, Stop> {
        let (input, start) = (self.input, self.at);
        let colon = end_of_token(input, start);
        match input.get(colon) {
            Some(b':') if colon > start => {}
            Some(b'\r') if colon == start => return self.line_end("line end is malformed").map(|()| None),
            Some(b'\n') => return bad(BARE_LF),
            Some(_) => return bad("header name is malformed"),
            None => return Err(Stop::Partial),
        }
        let end = end_of_text(input, colon + 1);
        self.at = end;
        self.line_end("header value is malformed")?;
        let (name, text) = (&input[start..colon], &input[colon + 1..end]);
        if let [b' ', value @ ..] = text
            && let [first, .., last] | [first @ last] = value
            && *first > b' '
            && *last > b' '
        {
            return Ok(Some(FieldLine { name, name_at: start, value, value_at: colon + 2, is_plain: true }));
        }
        let trimmed = text.trim_ascii_start();
        let value_at = end - trimmed.len();
        let value = trimmed.trim_ascii_end();
        Ok(Some(FieldLine { name, name_at: start, value, value_at, is_plain: text == b" " }))
    }

    /// Passes over the end of a line, which is to stand here.
    fn line_end(&mut self, otherwise: &'static str) -> Result<(), Stop> {
        match self.rest() {
            [b'\r', b'\n', ..] => {
                self.at += 2;
                Ok(())
            }
            [] | [b'\r'] => Err(Stop::Partial),
            [b'\n', ..] => bad(BARE_LF),
            _ => bad(otherwise),
        }
    }
}

/// RFC 9112 §2.2 lets a recipient take it for a line end; peers that do and peers that do not disagree about
/// where a head ends.
const BARE_LF: &str = "line ends without a carriage return";

const BAD_STATUS_LINE: &str = "status line is malformed";

fn too_long() -> Stop {
    Stop::Refused(Refusal::new(StatusCode::URI_TOO_LONG, "request target is too long"))
}

/// Whether `rest` is, as far as it goes, `start` or something behind it.
fn is_start_of(rest: &[u8], start: &[u8]) -> bool {
    rest.iter().zip(start).all(|(a, b)| a == b)
}

static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = is_token_byte(byte);
        byte += 1;
    }
    table
};

fn is_token(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

/// Where what may stand between the two spaces of a request line ends.
fn end_of_target(bytes: &[u8], start: usize) -> usize {
    find(bytes, start, |block| between(block, 0, b' ') | equal(block, 127))
}

/// Where a name from `start` on ends: at the first byte that no token has (RFC 9110 §5.6.2). Most have letters and
/// hyphens only, and are looked at in blocks.
fn end_of_token(bytes: &[u8], start: usize) -> usize {
    let end = find(bytes, start, |block| !(between(block | LOWER, b'a', b'z') | equal(block, b'-')));
    match bytes.get(end) {
        Some(b':' | b' ' | b'\r') | None => end,
        Some(_) => {
            let more = bytes[end..].iter().position(|byte| !is_token(*byte));
            more.map_or(bytes.len(), |more| end + more)
        }
    }
}

/// The bit that letters in lower case have more than those in upper case.
const LOWER: u8x16 = u8x16::new([0x20; 16]);

/// Where the plain start of a target ends: at the first byte that is a control character, a space, a `#` or none of
/// ASCII.
fn end_of_plain(bytes: &[u8], start: usize) -> usize {
    find(bytes, start, |block| !between(block, b'!', b'~') | equal(block, b'#'))
}

/// Where a field's text from `start` on ends: at the first control character other than a tab (RFC 9110 §5.5).
fn end_of_text(bytes: &[u8], start: usize) -> usize {
    find(bytes, start, |block| {
        let controls = between(block, 0, 31) | equal(block, 127);
        controls & !equal(block, b'\t')
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_ends_where_reading_it_byte_by_byte_says(bytes: Vec<u8>, clean in "[ -~\\t]{0,40}") {
            let all = [clean.as_bytes(), &bytes].concat();
            let end = all.iter().position(|byte| (*byte < 32 && *byte != 9) || *byte == 127);
            prop_assert_eq!(end_of_text(&all, 0), end.unwrap_or(all.len()));
        }

        #[test]
        fn a_target_is_plain_until_reading_it_byte_by_byte_says_otherwise(bytes: Vec<u8>, clean in "[!-~]{0,40}") {
            let all = [clean.as_bytes(), &bytes].concat();
            let end = all.iter().position(|byte| *byte <= 32 || *byte >= 127 || *byte == b'#');
            prop_assert_eq!(end_of_plain(&all, 0), end.unwrap_or(all.len()));
        }

        #[test]
        fn a_name_ends_where_reading_it_byte_by_byte_says(bytes: Vec<u8>, clean in "[!-~]{0,20}", name in "[A-Za-z-]{0,20}") {
            let all = [name.as_bytes(), clean.as_bytes(), &bytes].concat();
            let end = all.iter().position(|byte| !is_token_byte(*byte));
            prop_assert_eq!(end_of_token(&all, 0), end.unwrap_or(all.len()));
        }
    }
}
