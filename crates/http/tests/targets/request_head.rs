//! Request heads: one reading, however they are delivered; what is sent on reads the same again.

use lockgate_http::fuzzing::{request_head, sent_on};

/// Panics where that does not hold of this input.
pub(crate) fn check(input: &[u8]) {
    let whole = request_head(input);
    // A head is looked at from its start with each piece: short ones say as much as long ones.
    for len in 0..input.len().min(512) {
        match request_head(&input[..len]) {
            None => {}
            Some(Ok(end)) => {
                assert_eq!(whole, Some(Ok(end)), "it ended with {len} bytes");
                break;
            }
            Some(Err(_)) => {
                assert!(matches!(whole, Some(Err(_))), "it was refused with {len} bytes");
                break;
            }
        }
    }
    let Some(sent) = sent_on(input) else { return };
    assert_eq!(request_head(&sent), Some(Ok(sent.len())), "what is sent on is not one head");
    assert_eq!(sent_on(&sent).as_deref(), Some(&*sent), "what is sent on reads differently");
}
