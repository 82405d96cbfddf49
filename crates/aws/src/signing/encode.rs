//! Paths and queries: as the canonical request has them, and as they are sent so that both sides agree.

use std::borrow::Cow;

/// What stands for itself in a canonical request (RFC 3986 §2.3); every other byte is percent-encoded.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

const UNRESERVED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0u8;
    while byte < 128 {
        table[byte as usize] = is_unreserved(byte);
        byte += 1;
    }
    table
};

/// The path as it should be sent: dot segments and doubled slashes resolved as the canonical request has them,
/// every escape kept. An empty path becomes `/`.
///
/// Signers disagree on whether `/a/.` is `/a/` (RFC 3986 §5.2.4, and here) or `/a`; a path that was resolved
/// before it is sent leaves nothing to disagree on. Not for S3, where each of them is part of a key.
pub fn wire_path(path: &str) -> Cow<'_, str> {
    if path.starts_with('/') && !path.contains("//") && !path.contains("/.") {
        return Cow::Borrowed(path);
    }
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let mut resolved = String::with_capacity(path.len() + 1);
    for segment in &segments {
        resolved.push('/');
        resolved.push_str(segment);
    }
    if segments.is_empty() || ends_in_slash(path) {
        resolved.push('/');
    }
    Cow::Owned(resolved)
}

/// The query as it must be sent: a raw `+`, which some verifiers read as a space and others as itself, becomes
/// `%20`. Every other byte and the order stay.
pub fn wire_query(query: &str) -> Cow<'_, str> {
    if query.contains('+') { Cow::Owned(query.replace('+', "%20")) } else { Cow::Borrowed(query) }
}

fn ends_in_slash(path: &str) -> bool {
    matches!(path.rsplit('/').next(), Some("" | "." | ".."))
}

/// Writes a path resolved, each byte of what remains encoded once more.
pub(super) fn push_resolved_path(out: &mut Vec<u8>, path: &str) {
    let start = out.len();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                let parent = out[start..].iter().rposition(|byte| *byte == b'/');
                out.truncate(start + parent.unwrap_or(0));
            }
            segment => {
                out.push(b'/');
                push_encoded(out, segment.as_bytes());
            }
        }
    }
    if out.len() == start || ends_in_slash(path) {
        out.push(b'/');
    }
}

/// Writes a path with its segments as they are, strictly encoded once in all, as S3 has it.
pub(super) fn push_kept_path(out: &mut Vec<u8>, path: &str) {
    let mut rest = path.as_bytes();
    if rest.first() != Some(&b'/') {
        out.push(b'/');
    }
    while let [byte, after @ ..] = rest {
        let (decoded, length) = decode(rest);
        // An escaped slash is part of a segment and stays escaped.
        if *byte == b'/' {
            out.push(b'/');
            rest = after;
        } else {
            push_byte(out, decoded);
            rest = &rest[length..];
        }
    }
}

/// Writes a name or value of a query decoded and strictly encoded again.
pub(super) fn push_parameter(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let plain = plain_length(rest);
        out.extend_from_slice(&rest[..plain]);
        rest = &rest[plain..];
        if !rest.is_empty() {
            let (byte, length) = if rest[0] == b'+' { (b' ', 1) } else { decode(rest) };
            push_byte(out, byte);
            rest = &rest[length..];
        }
    }
}

fn push_encoded(out: &mut Vec<u8>, mut rest: &[u8]) {
    loop {
        let plain = plain_length(rest);
        out.extend_from_slice(&rest[..plain]);
        let Some(byte) = rest.get(plain) else { return };
        push_byte(out, *byte);
        rest = &rest[plain + 1..];
    }
}

fn plain_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !UNRESERVED[usize::from(*byte)]).unwrap_or(bytes.len())
}

fn push_byte(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if UNRESERVED[usize::from(byte)] {
        out.push(byte);
    } else {
        out.extend_from_slice(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

/// The byte that a text which is not empty begins with, and how many bytes it is written in. A `%` without two
/// hexadecimal digits stands for itself.
fn decode(text: &[u8]) -> (u8, usize) {
    let digit = |index: usize| match text.get(index)? {
        byte @ b'0'..=b'9' => Some(byte - b'0'),
        byte @ b'A'..=b'F' => Some(byte - b'A' + 10),
        byte @ b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    match (text[0], digit(1), digit(2)) {
        (b'%', Some(high), Some(low)) => (high << 4 | low, 3),
        (byte, ..) => (byte, 1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{push_kept_path, push_parameter, push_resolved_path, wire_path, wire_query};

    fn written(push: fn(&mut Vec<u8>, &str), text: &str) -> String {
        // What is there already must not be taken for a part of the path.
        let mut out = b"GET\n/kept".to_vec();
        push(&mut out, text);
        String::from_utf8(out).unwrap().strip_prefix("GET\n/kept").unwrap().to_owned()
    }

    #[test]
    fn the_canonical_path_is_resolved_and_encoded_once_more() {
        for (path, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("a", "/a"),
            ("/a/", "/a/"),
            ("//a///b//", "/a/b/"),
            ("/./a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/../../b", "/b"),
            ("/a/.", "/a/"),
            ("/a/b/..", "/a/"),
            ("/a/..", "/"),
            ("/..", "/"),
            ("/a%20b", "/a%2520b"),
            ("/a%2fb%2F..", "/a%252fb%252F.."),
            ("/a@b:c", "/a%40b%3Ac"),
            ("/é", "/%C3%A9"),
            ("/...", "/..."),
        ] {
            assert_eq!(written(push_resolved_path, path), canonical, "{path}");
        }
    }

    #[test]
    fn a_path_for_s3_keeps_its_segments_and_is_encoded_once() {
        for (path, canonical) in [
            ("", "/"),
            ("/a//b/./../c", "/a//b/./../c"),
            ("/a%20b@c", "/a%20b%40c"),
            ("/caf%c3%a9/é", "/caf%C3%A9/%C3%A9"),
            ("/a%2Fb", "/a%2Fb"),
            ("/a%7Eb%zz%", "/a~b%25zz%25"),
        ] {
            assert_eq!(written(push_kept_path, path), canonical, "{path}");
        }
    }

    #[test]
    fn parameters_are_decoded_and_strictly_encoded() {
        for (text, canonical) in [
            ("a%20b", "a%20b"),
            ("a+b", "a%20b"),
            ("a%2Bb", "a%2Bb"),
            ("%c3%a9é", "%C3%A9%C3%A9"),
            ("%7e%41", "~A"),
            ("100%", "100%25"),
            ("%zz%4", "%25zz%254"),
            ("%+1", "%25%201"),
            ("a:b/c?d", "a%3Ab%2Fc%3Fd"),
        ] {
            assert_eq!(written(push_parameter, text), canonical, "{text}");
        }
    }

    #[test]
    fn the_wire_query_changes_nothing_but_a_raw_plus() {
        assert_eq!(wire_query("b=2&a=x+y&a=%2B&flag&é=:/"), "b=2&a=x%20y&a=%2B&flag&é=:/");
        assert_eq!(wire_query(""), "");
    }

    #[test]
    fn the_wire_path_keeps_escapes() {
        for (path, wire) in [
            ("", "/"),
            ("/a%2F..%2fb/%2e%2e", "/a%2F..%2fb/%2e%2e"),
            ("/a//b/../c%20d/.", "/a/c%20d/"),
            ("/.well-known/x", "/.well-known/x"),
        ] {
            assert_eq!(wire_path(path), wire, "{path}");
        }
    }

    proptest! {
        #[test]
        fn resolving_before_sending_leaves_the_canonical_path_as_it_is(path in "/?([a%.]{0,3}/){0,6}[a.]{0,3}") {
            let wire = wire_path(&path);
            prop_assert_eq!(written(push_resolved_path, &path), written(push_resolved_path, &wire));
            prop_assert_eq!(wire_path(&wire), wire.clone());
            prop_assert!(wire.split('/').all(|segment| segment != "." && segment != ".."), "{}", wire);
        }
    }
}
