//! Chunked bodies, beside the letter of RFC 9112 §7.1 and httparse's chunk sizes.

use lockgate_http::fuzzing::chunked;

use crate::allowed;

/// What a body may have of chunk extensions and leading zeros beyond its data, in bytes.
const OVERHEAD: usize = 16 * 1024;

/// Holds a chunked body against the letter, delivered at once and in pieces.
pub(crate) fn body(input: &[u8]) {
    let letter = allowed::chunks(input);
    if input.len() > OVERHEAD && has_overhead(input) {
        assert!(chunked(input, input.len()).is_err(), "more is said of chunks than in them");
        return;
    }
    for piece in [input.len().max(1), 1, 2, 7] {
        match (&letter, chunked(input, piece)) {
            (Ok(Some((data, used))), Ok(ours)) => assert_eq!((data, true, *used), (&ours.0, ours.1, ours.2)),
            (Ok(None), Ok((_, false, _))) | (Err(()), Err(_)) => {}
            // What can no longer become a body is refused before its line ends.
            (Ok(None), Err(_)) if !may_end(input) => {}
            (letter, ours) => panic!("{letter:?} and {ours:?} for {} by {piece}", input.escape_ascii()),
        }
    }
    first_size(input);
}

/// Whether somewhere more was said of chunks than the data before makes good for.
fn has_overhead(mut rest: &[u8]) -> bool {
    let mut left = OVERHEAD;
    loop {
        let line = rest.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count().min(digits.len().max(1) - 1);
        let extension = (line.len() - digits.len()).saturating_sub(1);
        let Some(less) = left.checked_sub(zeros + extension) else { return true };
        let size = std::str::from_utf8(digits).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let (Some(size @ 1..), Some(behind)) = (size, rest.get(line.len() + 2..)) else { return false };
        left = less.saturating_add(size).min(OVERHEAD);
        let Some(next) = size.checked_add(2).and_then(|past| behind.get(past..)) else { return false };
        rest = next;
    }
}

/// Whether some end makes a whole body of this.
fn may_end(input: &[u8]) -> bool {
    let ends: [&[u8]; 6] =
        [b"0\r\n\r\n", b"\r\n0\r\n\r\n", b"\n0\r\n\r\n", b"\r\n\r\n", b"\n\r\n", b":\r\n\r\n"];
    ends.iter().any(|end| matches!(allowed::chunks(&[input, end].concat()), Ok(Some(_))))
}

/// A size that is taken is the size that httparse reads.
fn first_size(input: &[u8]) {
    let Ok(httparse::Status::Complete((at, size))) = httparse::parse_chunk_size(input) else { return };
    let Ok((data, ..)) = chunked(&input[..at], at) else { return };
    assert!(data.is_empty(), "{}", input.escape_ascii());
    let Ok(count) = usize::try_from(size) else { return };
    if let Ok((data, ..)) = chunked(input, input.len()) {
        assert!(data.len() >= count.min(input.len() - at), "{}", input.escape_ascii());
    }
}
