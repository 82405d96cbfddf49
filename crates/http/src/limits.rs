//! How large the parts of a message may be, and what is not passed on of it.

/// Bounds of one message, beside those of its head and its body as a whole. The defaults hold for what upstreams
/// send too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest request target, in bytes; a longer one is answered with 414. Default: 16 KiB.
    pub target: usize,
    /// The longest line of a header field, in bytes; a longer one is answered with 431. Default: 16 KiB.
    pub field: usize,
    /// The most header fields; more are answered with 431. So many trailer fields a body may have, too. Default: 100.
    pub fields: usize,
    /// Bytes of chunk extensions that a body may have beyond its data: each byte of a chunk makes up for one, so that a
    /// long body is not broken off for what its chunks say. Leading zeros of a size count too. Default: 16 KiB.
    pub chunk_extensions: usize,
    /// Bytes of trailers that a body may have. Default: 16 KiB.
    pub trailers: usize,
    /// Whether fields of requests are passed on that differ from framing, forwarding or proxy fields by no more than
    /// another mark in place of a hyphen, such as `Content_Length`. Default: no.
    pub lookalikes: bool,
}

impl Limits {
    /// What holds without settings.
    pub const DEFAULT: Self = Self {
        target: 16 * 1024,
        field: 16 * 1024,
        fields: 100,
        chunk_extensions: 16 * 1024,
        trailers: 16 * 1024,
        lookalikes: false,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
