//! How large the parts of a message may be.

/// Bounds of one message, beside those of its head and its body as a whole. The defaults hold for what upstreams
/// send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest request target, in bytes; a longer one is answered with 414. Default: 16 KiB.
    pub target: usize,
    /// The longest line of a header field, in bytes; a longer one is answered with 431. Default: 16 KiB.
    pub field: usize,
    /// The most header fields; more are answered with 431. Default: 100.
    pub fields: usize,
    /// Bytes of chunk extensions that a whole body may have. Default: 16 KiB.
    pub chunk_extensions: usize,
    /// Bytes of trailers that a body may have. Default: 16 KiB.
    pub trailers: usize,
}

impl Limits {
    /// What holds without settings.
    pub const DEFAULT: Self = Self {
        target: 16 * 1024,
        field: 16 * 1024,
        fields: 100,
        chunk_extensions: 16 * 1024,
        trailers: 16 * 1024,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
