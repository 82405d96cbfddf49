//! Bytes looked at in eights: one word tells what would take eight looks.
//!
//! What is found is marked by the high bit of its byte. From a word that was read little-endian the first mark is
//! exact; bytes behind it may be marked too.

/// The same byte eight times.
pub(crate) const fn eight(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Marks bytes that are this one, which must be one of ASCII.
pub(crate) const fn equal(word: u64, byte: u8) -> u64 {
    let zero = word ^ eight(byte);
    zero.wrapping_sub(eight(1)) & !zero & eight(0x80)
}

/// Marks control characters: what is below a space, or 127.
pub(crate) const fn controls(word: u64) -> u64 {
    (word.wrapping_sub(eight(b' ')) & !word & eight(0x80)) | equal(word, 127)
}
