//! Frames of HTTP/2: whatever comes, each request that is made of it is one request of HTTP/1.1, with nothing over.

use lockgate_http::fuzzing::{h2_sent_on, request_head};

const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Panics where that does not hold of this input.
pub(crate) fn check(input: &[u8]) {
    let connection = [BEGINNING, input].concat();
    let whole = h2_sent_on(&connection, connection.len());
    for head in &whole {
        let text = String::from_utf8_lossy(head);
        assert_eq!(request_head(head), Some(Ok(head.len())), "{text:?}");
    }
    for piece in [1, 9] {
        let pieces = h2_sent_on(&connection, piece);
        assert_eq!(whole, pieces, "in pieces of {piece}");
    }
}
