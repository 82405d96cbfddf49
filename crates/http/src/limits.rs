//! How large the parts of a message may be, and what is not passed on of it.

use std::cell::Cell;

/// Bounds of one message, beside those of its head and its body as a whole.
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

/// Bounds of what peers answer; an answer beyond them has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerLimits {
    /// The longest head, in bytes; at most 128 KiB, the default. By HTTP/2 it is told to peers.
    pub head: usize,
    /// The longest line of a header field, in bytes. Default: 16 KiB.
    pub field: usize,
    /// The most header fields, and trailer fields. Default: 100.
    pub fields: usize,
    /// As of requests: [`Limits::chunk_extensions`].
    pub chunk_extensions: usize,
    /// As of requests: [`Limits::trailers`].
    pub trailers: usize,
}

impl AnswerLimits {
    /// What holds without settings.
    pub const DEFAULT: Self = Self {
        head: 128 * 1024,
        field: Limits::DEFAULT.field,
        fields: Limits::DEFAULT.fields,
        chunk_extensions: Limits::DEFAULT.chunk_extensions,
        trailers: Limits::DEFAULT.trailers,
    };

    /// Sets the bounds of what is answered in this thread from now on: connections to peers are a thread's own.
    pub fn set(self) {
        ANSWERS.set(self.laid_out());
    }

    const fn laid_out(self) -> Answers {
        let message = Limits {
            field: self.field,
            fields: self.fields,
            chunk_extensions: self.chunk_extensions,
            trailers: self.trailers,
            // What an upstream says of itself is not the gateway's to doubt.
            lookalikes: true,
            ..Limits::DEFAULT
        };
        Answers { head: self.head, message }
    }
}

impl Default for AnswerLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// [`AnswerLimits`] as each answer asks for them.
#[derive(Clone, Copy)]
pub(crate) struct Answers {
    pub(crate) head: usize,
    pub(crate) message: Limits,
}

thread_local! {
    static ANSWERS: Cell<Answers> = const { Cell::new(AnswerLimits::DEFAULT.laid_out()) };
}

/// The bounds of what is answered in this thread.
#[inline]
pub(crate) fn of_answers() -> Answers {
    ANSWERS.get()
}
