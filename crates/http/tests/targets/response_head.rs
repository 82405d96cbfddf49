//! Response heads: one reading, however they are delivered.

use lockgate_http::fuzzing::response_head;

/// Panics where that does not hold of this input.
pub(crate) fn check(input: &[u8]) {
    for is_head in [false, true] {
        let whole = response_head(input, is_head);
        for len in 0..input.len().min(512) {
            match response_head(&input[..len], is_head) {
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
    }
}
