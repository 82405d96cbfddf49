//! PROXY headers: one reading, however they are delivered, and never of what follows them.

use lockgate_http::proxy_protocol::{Header, MAX_HEADER, parse};

/// What became of a header: `None` while it is not whole.
fn look(input: &[u8]) -> Option<Result<Header, String>> {
    parse(input).map_err(|error| error.to_string()).transpose()
}

/// Panics where that does not hold of this input.
pub(crate) fn check(input: &[u8]) {
    let whole = look(input);
    for len in 0..=input.len().min(512) {
        match look(&input[..len]) {
            None => {}
            Some(Ok(header)) => {
                assert!(header.len <= len.min(MAX_HEADER), "it has more bytes than there were");
                assert_eq!(whole, Some(Ok(header)), "it ended with {len} bytes");
                assert_eq!(look(&input[..header.len]), Some(Ok(header)), "it needs what follows it");
                break;
            }
            Some(Err(_)) => {
                assert!(matches!(whole, Some(Err(_))), "it was refused with {len} bytes");
                break;
            }
        }
    }
}
