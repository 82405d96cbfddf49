//! Paths of requests: as rules match on them, and what is left of them to send on.
//!
//! A path has two readings. Rules match on the *normal* one: percent-decoded once, `.` and `..` resolved,
//! runs of slashes merged (nginx's `$uri`). What is sent on is the client's own encoding. Both come from one
//! list of tokens, so they cannot disagree about where a segment ends.

mod guard;
mod options;
mod tokens;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::eights::{controls, equal};

pub use options::{Options, Reading};
use tokens::Tokens;

/// A path that is refused, with status 400: the reason why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsafe {
    /// A `%` without two hexadecimal digits after it.
    #[error("path has an invalid percent escape")]
    Escape,
    /// A control character, plain or encoded: none has a meaning in a path, and a line feed lets a path slip
    /// past a regular expression.
    #[error("path has a control character")]
    Control,
    /// `..` above the root or out of the matched prefix, in any encoding.
    #[error("path climbs out of its prefix")]
    Climbs,
    /// A parameter (`;x`) on an empty segment or a dot segment, where parameters are left out.
    #[error("path has a parameter on an empty or dot segment")]
    Parameter,
    /// It does not begin with `/`.
    #[error("path does not begin with '/'")]
    Form,
}

/// The path as rules match on it: percent-decoded once, `.` and `..` resolved, slashes merged.
///
/// A byte that is not UTF-8 once decoded keeps its escape, in upper case (`%e9` reads `%E9`), so that the
/// result is text. `..` above the root is refused, as nginx does. Nothing is allocated where nothing is to do.
pub fn normalise(raw: &str) -> Result<Cow<'_, str>, Unsafe> {
    if is_normal(raw) {
        return Ok(Cow::Borrowed(raw));
    }
    Ok(Cow::Owned(Tokens::read(raw)?.text()))
}

/// What follows the first `prefix_len` bytes of the normal path, in the client's own encoding: `%2F`, `%20`
/// and `%C3%A9` stay as sent; dot segments are resolved and plain slashes merged.
///
/// A tail that could climb out of what it is appended to is refused: `..` after any number of decodings, with
/// `\` for a slash, with path parameters (`..;x`), in overlong UTF-8, or right behind a prefix that ends
/// inside a segment (`/aws*` and `/aws../x`).
pub fn tail(raw: &str, prefix_len: usize) -> Result<Cow<'_, str>, Unsafe> {
    let tail = if is_normal(raw) {
        Cow::Borrowed(raw.get(prefix_len..).ok_or(Unsafe::Climbs)?)
    } else {
        Cow::Owned(Tokens::read(raw)?.raw_from(prefix_len)?)
    };
    guard::check(&tail)?;
    Ok(tail)
}

/// A base path with a tail behind it: one slash between them, `/` for nothing at all. What cannot stand in a
/// request target is percent-encoded.
pub fn join(base: &str, tail: Option<&str>) -> String {
    let mut path = String::with_capacity(base.len() + tail.map_or(0, str::len) + 2);
    if !base.starts_with('/') {
        path.push('/');
    }
    push_target(&mut path, base);
    if let Some(tail) = tail {
        let tail = if path.ends_with('/') { tail.trim_start_matches('/') } else { tail };
        if !path.ends_with('/') && !tail.starts_with('/') {
            path.push('/');
        }
        push_target(&mut path, tail);
    }
    path
}

fn push_target(path: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            0..=b' ' | 0x7f.. | b'#' | b'?' => push_escape(path, byte),
            _ => path.push(char::from(byte)),
        }
    }
}

fn push_escape(text: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    text.push(char::from(DIGITS[usize::from(byte >> 4)]));
    text.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// Whether there is nothing to decode, merge or resolve. A path from the parser has no control character but
/// in escapes; one from elsewhere is looked at closely.
fn is_normal(raw: &str) -> bool {
    is_plain(raw.as_bytes()) || is_normal_by_byte(raw.as_bytes())
}

/// Whether there is nothing that could have to be resolved, looked at in eights: no escape, no control character, and
/// neither a dot nor a slash behind a slash. `false` says nothing.
fn is_plain(path: &[u8]) -> bool {
    let Some(end) = path.last_chunk() else { return false };
    let (mut found, mut before) = (0, 0);
    for eight in path.as_chunks().0 {
        let (marks, slashes) = marks(*eight, before);
        (found, before) = (found | marks, slashes >> 56);
    }
    // What comes before these was looked at, and so were some of them.
    found | marks(*end, 0).0 == 0
}

/// Marks what is not plain, and slashes; `before` has the mark of a slash in front.
fn marks(bytes: [u8; 8], before: u64) -> (u64, u64) {
    let word = u64::from_le_bytes(bytes);
    let slashes = equal(word, b'/');
    let behind_slash = slashes << 8 | before;
    (controls(word) | equal(word, b'%') | (slashes | equal(word, b'.')) & behind_slash, slashes)
}

fn is_normal_by_byte(bytes: &[u8]) -> bool {
    let mut before = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let is_plain = match byte {
            b'%' | 0..32 | 127 => false,
            b'/' => before != b'/',
            b'.' => before != b'/' || !is_dot_segment(&bytes[at..]),
            _ => true,
        };
        if !is_plain {
            return false;
        }
        before = byte;
    }
    true
}

fn is_dot_segment(rest: &[u8]) -> bool {
    matches!(rest, [b'.'] | [b'.', b'/', ..] | [b'.', b'.'] | [b'.', b'.', b'/', ..])
}

/// The byte that an escape at the start of `rest` stands for; `None` when it is no escape.
fn decode(rest: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match rest {
        [b'%', high, low, ..] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    }
}
