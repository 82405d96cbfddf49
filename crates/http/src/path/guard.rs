//! Whether a tail stays below what it is appended to, whoever decodes it how often.

use super::{Unsafe, decode};

/// How often a tail is decoded to see what it hides; one that would go on decoding is refused.
const DECODINGS: usize = 5;

/// Refuses a tail that has a dot segment in any encoding.
pub(super) fn check(tail: &str) -> Result<(), Unsafe> {
    let bytes = tail.as_bytes();
    let has_signs = memchr::memchr2(b'%', b'\\', bytes).is_some();
    if !has_signs && !bytes.starts_with(b".") && memchr::memmem::find(bytes, b"..").is_none() {
        return Ok(());
    }
    let mut text = bytes.to_vec();
    for _ in 0..DECODINGS {
        if has_dot_segment(&text) || has_overlong(&text) || text.contains(&0) {
            return Err(Unsafe::Climbs);
        }
        if !decode_all(&mut text) {
            return Ok(());
        }
    }
    Err(Unsafe::Climbs)
}

/// Whether a segment is `.` or `..`; some servers take `\` for a slash, and some cut a segment at `;`.
fn has_dot_segment(text: &[u8]) -> bool {
    text.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| {
        let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        matches!(name, b"." | b"..")
    })
}

/// Whether there is a character in more bytes than it needs, which careless decoders take for `.` or `/`.
fn has_overlong(text: &[u8]) -> bool {
    text.windows(2)
        .any(|pair| matches!(pair, [0xc0 | 0xc1, 0x80..=0xbf] | [0xe0, 0x80..=0x9f] | [0xf0, 0x80..=0x8f]))
}

/// Decodes every escape once; says whether there was one.
fn decode_all(text: &mut Vec<u8>) -> bool {
    let (mut from, mut to) = (0, 0);
    while from < text.len() {
        let (byte, len) = decode(&text[from..]).map_or((text[from], 1), |byte| (byte, 3));
        text[to] = byte;
        to += 1;
        from += len;
    }
    text.truncate(to);
    from != to
}
