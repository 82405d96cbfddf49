//! The grammar of a head: its lines and fields, each byte looked at once, and nothing taken that could be read in
//! two ways.
//!
//! Stricter than RFC 9112 allows: a line ends with CR LF and nothing else (§2.2), a status line has no space to
//! spare (§4), and a field is one line (§5.2).

use http::StatusCode;

use super::parse::Refusal;
use crate::eights::{controls, eight, equal};
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
        let method = self.word(is_token, longest)?;
        let target = self.target(longest)?;
        if target.bytes.len() > longest {
            return Err(too_long());
        }
        self.request_version().map(|version| (method, target, version))
    }

    /// A target, and the space behind it. Its form is looked at later.
    fn target(&mut self, longest: usize) -> Result<Target<'a>, Stop> {
        let rest = self.rest();
        match behind_plain(rest) {
            behind @ [b' ', ..] if behind.len() < rest.len() => {
                let len = rest.len() - behind.len();
                self.at += len + 1;
                Ok(Target { bytes: &rest[..len], is_plain: true })
            }
            _ => self.word(is_target, longest).map(|bytes| Target { bytes, is_plain: false }),
        }
    }

    /// One or more bytes for which `is_part` holds, and the space behind them.
    fn word(&mut self, is_part: impl Fn(u8) -> bool, longest: usize) -> Result<&'a [u8], Stop> {
        let rest = self.rest();
        let Some(len) = rest.iter().position(|byte| !is_part(*byte)) else {
            return Err(if rest.len() > longest { too_long() } else { Stop::Partial });
        };
        if len == 0 || rest[len] != b' ' {
            return bad("request line is malformed");
        }
        self.at += len + 1;
        Ok(&rest[..len])
    }

    fn request_version(&mut self) -> Result<Version, Stop> {
        let (version, end) = match self.rest() {
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1', end @ ..] => (Version::Http11, end),
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0', end @ ..] => (Version::Http10, end),
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor, b'\r', b'\n', ..]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                let status = StatusCode::HTTP_VERSION_NOT_SUPPORTED;
                return Err(Stop::Refused(Refusal::new(status, "HTTP version is not supported")));
            }
            rest if rest.len() < 10 && is_start_of(rest, b"HTTP/") => return Err(Stop::Partial),
            _ => return bad("request line is malformed"),
        };
        self.at += 8;
        self.line_end(end, "request line is malformed")?;
        Ok(version)
    }

    /// Version and status (RFC 9112 §4); the reason is nobody's.
    pub(super) fn status_line(&mut self) -> Result<(Version, u16), Stop> {
        let (version, status, rest) = match self.rest() {
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ (b'0' | b'1'), b' ', a, b, c, rest @ ..]
                if [a, b, c].iter().all(|digit| digit.is_ascii_digit()) =>
            {
                let digit = |byte: &u8| u16::from(byte - b'0');
                let version = if *minor == b'1' { Version::Http11 } else { Version::Http10 };
                (version, digit(a) * 100 + digit(b) * 10 + digit(c), rest)
            }
            rest if rest.len() < 12 && is_start_of(rest, b"HTTP/1.") => return Err(Stop::Partial),
            _ => return bad("status line is malformed"),
        };
        self.at += 12;
        let behind = if rest.first() == Some(&b' ') { behind_text(rest) } else { rest };
        self.at += rest.len() - behind.len();
        self.line_end(behind, "status line is malformed")?;
        Ok((version, status))
    }

    /// The next field, or nothing where the head ends (RFC 9112 §5).
    pub(super) fn field(&mut self) -> Result<Option<FieldLine<'a>>, Stop> {
        let start = self.at;
        let rest = self.rest();
        let behind = behind_token(rest);
        let len = rest.len() - behind.len();
        let text = match behind {
            [b':', text @ ..] if len > 0 => text,
            [] => return Err(Stop::Partial),
            [b'\r', ..] if len == 0 => return self.line_end(rest, "line end is malformed").map(|()| None),
            [b'\n', ..] => return bad(BARE_LF),
            _ => return bad("header name is malformed"),
        };
        let behind = behind_text(text);
        let end = text.len() - behind.len();
        self.at += len + 1 + end;
        self.line_end(behind, "header value is malformed")?;
        let text = &text[..end];
        let (name, text_at) = (&rest[..len], start + len + 1);
        if let [b' ', value @ ..] = text
            && let [first, .., last] | [first @ last] = value
            && *first > b' '
            && *last > b' '
        {
            return Ok(Some(FieldLine {
                name,
                name_at: start,
                value,
                value_at: text_at + 1,
                is_plain: true,
            }));
        }
        let trimmed = text.trim_ascii_start();
        let value_at = text_at + (end - trimmed.len());
        let value = trimmed.trim_ascii_end();
        Ok(Some(FieldLine { name, name_at: start, value, value_at, is_plain: text == b" " }))
    }

    /// Passes over the line end that `rest` begins with.
    fn line_end(&mut self, rest: &[u8], otherwise: &'static str) -> Result<(), Stop> {
        match rest {
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

/// What may stand between the two spaces of a request line; its form is looked at later.
fn is_target(byte: u8) -> bool {
    byte > b' ' && byte != 127
}

/// What follows a name: it ends at the first byte that no token has (RFC 9110 §5.6.2). Most have letters and hyphens
/// only, and are looked at in eights.
fn behind_token(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let Some((eight, behind)) = rest.split_first_chunk() {
        let others = no_letters(u64::from_le_bytes(*eight));
        if others != 0 {
            rest = &rest[(others.trailing_zeros() / 8) as usize..];
            break;
        }
        rest = behind;
    }
    match rest {
        [b':', ..] => rest,
        _ => &rest[rest.iter().position(|byte| !is_token(*byte)).unwrap_or(rest.len())..],
    }
}

/// The high bit of each byte that is neither a letter nor a hyphen.
const fn no_letters(word: u64) -> u64 {
    let seven = word & eight(0x7f);
    let folded = seven | eight(0x20);
    // With the high bits clear no sum carries over: a bit says that its byte is at least `a`, or beyond `z`.
    let letters = (folded + eight(0x80 - b'a')) & !(folded + eight(0x7f - b'z'));
    let hyphens = !((seven ^ eight(b'-')) + eight(0x7f));
    (!(letters | hyphens) | word) & eight(0x80)
}

/// What follows the plain start of a target: it ends at the first byte that is a control character, a space, a `#` or
/// none of ASCII.
fn behind_plain(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let Some((eight, behind)) = rest.split_first_chunk() {
        let others = not_plain(u64::from_le_bytes(*eight));
        if others != 0 {
            return &rest[(others.trailing_zeros() / 8) as usize..];
        }
        rest = behind;
    }
    let is_end = |byte: &u8| !matches!(byte, b'!'..=b'~') || *byte == b'#';
    &rest[rest.iter().position(is_end).unwrap_or(rest.len())..]
}

/// The high bit of each byte at which a target is not plain. Bytes behind the first such one may be marked too.
const fn not_plain(word: u64) -> u64 {
    controls(word) | equal(word, b' ') | equal(word, b'#') | word & eight(0x80)
}

/// What follows a field's text: it ends at the first control character other than a tab (RFC 9110 §5.5).
fn behind_text(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let Some((eight, behind)) = rest.split_first_chunk() {
        let controls = controls(u64::from_le_bytes(*eight));
        if controls != 0 {
            rest = &rest[(controls.trailing_zeros() / 8) as usize..];
            break;
        }
        rest = behind;
    }
    if let [b'\r', ..] = rest {
        return rest;
    }
    let is_end = |byte: &u8| (*byte < b' ' && *byte != b'\t') || *byte == 127;
    &rest[rest.iter().position(is_end).unwrap_or(rest.len())..]
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
            prop_assert_eq!(all.len() - behind_text(&all).len(), end.unwrap_or(all.len()));
        }

        #[test]
        fn a_target_is_plain_until_reading_it_byte_by_byte_says_otherwise(bytes: Vec<u8>, clean in "[!-~]{0,40}") {
            let all = [clean.as_bytes(), &bytes].concat();
            let end = all.iter().position(|byte| *byte <= 32 || *byte >= 127 || *byte == b'#');
            prop_assert_eq!(all.len() - behind_plain(&all).len(), end.unwrap_or(all.len()));
        }

        #[test]
        fn a_name_ends_where_reading_it_byte_by_byte_says(bytes: Vec<u8>, clean in "[!-~]{0,20}", name in "[A-Za-z-]{0,20}") {
            let all = [name.as_bytes(), clean.as_bytes(), &bytes].concat();
            let end = all.iter().position(|byte| !is_token_byte(*byte));
            prop_assert_eq!(all.len() - behind_token(&all).len(), end.unwrap_or(all.len()));
        }
    }

    #[test]
    fn every_byte_is_a_letter_a_hyphen_or_neither() {
        for byte in 0..=255_u8 {
            let is_other = !(byte.is_ascii_alphabetic() || byte == b'-');
            assert_eq!(no_letters(eight(byte)), if is_other { eight(0x80) } else { 0 }, "{byte}");
        }
    }
}
