//! Between a stream and the `h3` crate: follows the frames of a request, so that none is buffered without bound and
//! none ends half-way.
//!
//! The crate reads a frame that is not data whole before it looks at it, however long it says it is, and takes a stream
//! that ends within data for one that has ended.

use std::fmt;

const DATA: u64 = 0;
const HEADERS: u64 = 1;
/// A stream of WebTransport, which is not offered: it would have no frames any more.
const WEB_TRANSPORT: u64 = 0x41;
/// Bytes of a frame that has no meaning here (RFC 9114 §9).
const MAX_OTHER: u64 = 16 * 1024;
/// Frames that move no message, which a frame of data makes good for.
const PER_DATA: u32 = 4;

/// What a stream may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes of a field section, encoded.
    pub(super) head: u64,
    /// Frames that move no message.
    pub(super) others: u32,
}

/// A stream that broke the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    TooLong,
    TooMany,
    Unexpected,
    Cut,
}

/// Where in the stream of frames the next byte stands.
#[derive(Debug)]
pub(super) struct Frames {
    bounds: Bounds,
    others: u32,
    at: At,
}

#[derive(Clone, Copy, Debug)]
enum At {
    Kind(Number),
    Length(u64, Number),
    Payload(u64),
}

/// A number of variable length that is being read (RFC 9000 §16).
#[derive(Clone, Copy, Debug, Default)]
struct Number {
    value: u64,
    left: u8,
    has_begun: bool,
}

impl Number {
    /// Takes a byte; the number, once it is whole.
    fn take(&mut self, byte: u8) -> Option<u64> {
        if self.has_begun {
            self.value = self.value << 8 | u64::from(byte);
            self.left -= 1;
        } else {
            *self = Self { value: u64::from(byte & 0x3F), left: (1 << (byte >> 6)) - 1, has_begun: true };
        }
        (self.left == 0).then_some(self.value)
    }
}

impl Frames {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, others: 0, at: At::Kind(Number::default()) }
    }

    /// Whether the stream may end here.
    pub(super) fn is_between(&self) -> bool {
        matches!(self.at, At::Kind(Number { has_begun: false, .. }))
    }

    /// Follows what came.
    pub(super) fn look(&mut self, mut bytes: &[u8]) -> Result<(), Broken> {
        while let Some((&byte, rest)) = bytes.split_first() {
            match &mut self.at {
                At::Kind(number) => {
                    bytes = rest;
                    if let Some(kind) = number.take(byte) {
                        self.at = At::Length(kind, Number::default());
                    }
                }
                At::Length(kind, number) => {
                    bytes = rest;
                    let kind = *kind;
                    if let Some(length) = number.take(byte) {
                        self.begin(kind, length)?;
                    }
                }
                At::Payload(left) => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = &bytes[count..];
                    *left -= count as u64;
                    if *left == 0 {
                        self.at = At::Kind(Number::default());
                    }
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, kind: u64, length: u64) -> Result<(), Broken> {
        let bound = match kind {
            DATA => u64::MAX,
            HEADERS => self.bounds.head,
            WEB_TRANSPORT => return Err(Broken::Unexpected),
            _ => MAX_OTHER,
        };
        if length > bound {
            return Err(Broken::TooLong);
        }
        if kind == DATA && length > 0 {
            self.others = self.others.saturating_sub(PER_DATA);
        } else {
            self.others += 1;
            if self.others > self.bounds.others {
                return Err(Broken::TooMany);
            }
        }
        self.at = if length == 0 { At::Kind(Number::default()) } else { At::Payload(length) };
        Ok(())
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "a frame is too long",
            Self::TooMany => "too many frames move no message",
            Self::Unexpected => "a frame of what is not offered",
            Self::Cut => "the stream ended within a frame",
        })
    }
}

impl std::error::Error for Broken {}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Frames {
        Frames::new(Bounds { head: 100, others: 3 })
    }

    #[test]
    fn frames_are_followed_however_they_are_delivered() {
        let bytes = [&[0, 3][..], b"abc", &[0x40, 0x21, 0, 1, 0x40, 2, 9, 9, 0x80, 0, 0, 0, 1, 7]].concat();
        for piece in 1..bytes.len() {
            let mut frames = frames();
            for part in bytes.chunks(piece) {
                frames.look(part).unwrap();
            }
            assert!(frames.is_between(), "{piece}");
        }
        for len in 1..5 {
            let mut frames = frames();
            frames.look(&bytes[..len]).unwrap();
            assert!(!frames.is_between(), "{len}");
        }
    }

    #[test]
    fn data_may_be_long_and_nothing_else() {
        assert!(frames().look(&[0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]).is_ok());
        assert!(frames().look(&[1, 0x40, 100]).is_ok());
        assert_eq!(frames().look(&[1, 0x40, 101]), Err(Broken::TooLong));
        assert_eq!(frames().look(&[0x21, 0x80, 0, 0x40, 1]), Err(Broken::TooLong));
        assert_eq!(frames().look(&[0x40, 0x41, 0]), Err(Broken::Unexpected));
    }

    #[test]
    fn frames_that_move_nothing_are_counted() {
        let mut frames = frames();
        frames.look(&[0, 0, 0x21, 0, 0, 0]).unwrap();
        frames.look(&[0, 1, 7]).unwrap();
        frames.look(&[0, 0, 0, 0, 0, 0]).unwrap();
        assert_eq!(frames.look(&[0, 0]), Err(Broken::TooMany));
    }
}
