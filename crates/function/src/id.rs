//! Ids of calls: random, written as Lambda writes them.

use std::fmt;

use rustix::rand::{GetRandomFlags, getrandom};

/// The id of a call, a version 4 UUID.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RequestId([u8; 36]);

impl RequestId {
    /// A new one, which cannot be guessed.
    pub(crate) fn new() -> Self {
        let mut bytes = random();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let mut text = [b'-'; 36];
        let mut at = 0;
        for (index, byte) in bytes.into_iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                at += 1;
            }
            write(&mut text[at..at + 2], byte);
            at += 2;
        }
        Self(text)
    }

    /// The id as text.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits and dashes")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A new trace of X-Ray, as Lambda begins one where the caller brings none: unsampled.
pub(crate) fn trace_id(unix_seconds: u64) -> String {
    let mut hex = [0; 32];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(random()) {
        write(pair, byte);
    }
    let text = std::str::from_utf8(&hex).expect("digits");
    format!("Root=1-{unix_seconds:08x}-{};Parent={};Sampled=0", &text[..24], &text[16..])
}

fn write(pair: &mut [u8], byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    pair[0] = DIGITS[usize::from(byte >> 4)];
    pair[1] = DIGITS[usize::from(byte & 15)];
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    let mut filled = 0;
    while filled < bytes.len() {
        // An interrupted call is made again; the kernel has no other failure for 16 bytes.
        filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty()).unwrap_or_default();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{RequestId, trace_id};

    #[test]
    fn an_id_has_the_shape_of_a_uuid_and_is_never_the_same() {
        let id = RequestId::new();
        let lengths: Vec<usize> = id.as_str().split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(id.as_str().as_bytes()[14], b'4');
        assert_ne!(id, RequestId::new());
    }

    #[test]
    fn a_trace_begins_with_the_time() {
        let trace = trace_id(0x5f00_0001);
        assert!(trace.starts_with("Root=1-5f000001-") && trace.ends_with(";Sampled=0"), "{trace}");
    }
}
