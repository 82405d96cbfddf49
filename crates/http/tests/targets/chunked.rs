//! Chunked bodies: one reading, however they are delivered, and nothing taken of what follows them.

use lockgate_http::fuzzing::chunked;

/// Panics where that does not hold of this input.
pub(crate) fn check(input: &[u8]) {
    let whole = chunked(input, input.len());
    for piece in [1, 2, 7] {
        match (&whole, chunked(input, piece)) {
            (Ok(whole), Ok(pieces)) => assert_eq!(*whole, pieces, "in pieces of {piece}"),
            (Err(_), Err(_)) => {}
            (whole, pieces) => panic!("{whole:?} at once, {pieces:?} in pieces of {piece}"),
        }
    }
    if let Ok((data, true, used)) = whole {
        assert!(data.len() < used && used <= input.len());
        let (again, is_done, all) = chunked(&input[..used], used).expect("it was taken before");
        assert_eq!((again, is_done, all), (data, true, used));
    }
}
