//! Chunked bodies, beside the letter of RFC 9112 §7.1 and httparse's chunk sizes.

use lockgate_http::fuzzing::chunked;

use crate::allowed;

/// Longer bodies may be refused for their overhead alone.
const SHORT: usize = 8 * 1024;

/// Holds a chunked body against the letter, delivered at once and in pieces.
pub(crate) fn body(input: &[u8]) {
    if input.len() > SHORT {
        return;
    }
    let letter = allowed::chunks(input);
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
