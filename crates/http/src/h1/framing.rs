//! Where a body ends (RFC 9112 §6, §7): by length, by chunks, by the end of the connection.

use crate::headers::{Headers, is_value};
use crate::limits::Limits;
use crate::name::{self, Id, Reading, id_of, is_token_byte};

/// How the end of a body is told.
#[derive(Debug, Default)]
pub(crate) enum Framing {
    /// There is no more of it.
    #[default]
    Done,
    /// So many bytes are still to come.
    Length(u64),
    /// Chunks, then perhaps trailers.
    Chunked(Box<Chunked>),
    /// It ends with the connection: responses only.
    UntilClose,
}

/// What the bytes in hand are: framing to be skipped, then data.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Bytes of framing to skip.
    pub(crate) skip: usize,
    /// Bytes of data that follow them.
    pub(crate) data: usize,
}

#[derive(Debug)]
pub(crate) struct Chunked {
    state: State,
    /// Bytes of chunk extensions and leading zeros that it may have beyond its data: all of them, and those left.
    most_overhead: usize,
    overhead: usize,
    /// Trailer fields that it may still have, and bytes of them.
    trailer_fields: usize,
    trailer_bytes: usize,
    line: Vec<u8>,
    trailers: Option<Headers>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size {
        value: u64,
        has_digit: bool,
    },
    Extension {
        value: u64,
    },
    SizeLf {
        value: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    Trailer,
    TrailerLf,
    End,
    /// It broke the grammar: nothing that follows can be trusted to be anything.
    Broken,
}

impl Framing {
    pub(crate) fn chunked(limits: &Limits) -> Self {
        Self::Chunked(Box::new(Chunked {
            state: State::Size { value: 0, has_digit: false },
            most_overhead: limits.chunk_extensions,
            overhead: limits.chunk_extensions,
            trailer_fields: limits.fields,
            trailer_bytes: limits.trailers,
            line: Vec::new(),
            trailers: None,
        }))
    }

    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Done | Self::Length(0) => true,
            Self::Chunked(chunked) => chunked.state == State::End,
            _ => false,
        }
    }

    /// Bytes still to come, where the framing says so.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::Done => Some(0),
            Self::Length(left) => Some(*left),
            Self::Chunked(chunked) if chunked.state == State::End => Some(0),
            _ => None,
        }
    }

    /// Reads the framing at the front of `input`.
    pub(crate) fn step(&mut self, input: &[u8]) -> Result<Step, &'static str> {
        match self {
            Self::Done => Ok(Step { skip: 0, data: 0 }),
            Self::Length(left) => Ok(Step { skip: 0, data: at_most(*left, input.len()) }),
            Self::UntilClose => Ok(Step { skip: 0, data: input.len() }),
            Self::Chunked(chunked) => chunked.step(input),
        }
    }

    /// Says that `count` bytes of data were used.
    pub(crate) fn consume(&mut self, count: usize) {
        match self {
            Self::Length(left) => *left = left.saturating_sub(count as u64),
            Self::Chunked(chunked) => chunked.consume(count),
            Self::Done | Self::UntilClose => {}
        }
    }

    /// The trailer fields, once.
    pub(crate) fn trailers(&mut self) -> Option<Headers> {
        match self {
            Self::Chunked(chunked) => chunked.trailers.take(),
            _ => None,
        }
    }
}

fn at_most(left: u64, have: usize) -> usize {
    usize::try_from(left).map_or(have, |left| left.min(have))
}

impl Chunked {
    fn step(&mut self, input: &[u8]) -> Result<Step, &'static str> {
        for (at, &byte) in input.iter().enumerate() {
            if let State::Data { left } = self.state {
                return Ok(Step { skip: at, data: at_most(left, input.len() - at) });
            }
            if self.state == State::End {
                return Ok(Step { skip: at, data: 0 });
            }
            // A byte is never looked at again once it was refused: from another state it might be accepted.
            let next = self.next(byte);
            self.state = *next.as_ref().unwrap_or(&State::Broken);
            next?;
        }
        Ok(Step { skip: input.len(), data: 0 })
    }

    fn consume(&mut self, count: usize) {
        if let State::Data { left } = &mut self.state {
            *left = left.saturating_sub(count as u64);
            if *left == 0 {
                self.state = State::DataCr;
            }
        }
    }

    /// The chunk grammar of RFC 9112 §7.1, with CRLF and nothing else as a line end.
    fn next(&mut self, byte: u8) -> Result<State, &'static str> {
        Ok(match (self.state, byte) {
            (State::Size { value, has_digit: true } | State::Extension { value }, b'\r') => {
                State::SizeLf { value }
            }
            (State::Size { value, has_digit: true }, b';') => State::Extension { value },
            (State::Size { value, has_digit }, digit) => {
                let digit = char::from(digit).to_digit(16).ok_or("chunk size is not hexadecimal")?;
                if value >> 56 != 0 {
                    return Err("chunk size is too large");
                }
                if value == 0 && has_digit {
                    // Leading zeros would be a body that never begins.
                    self.overhead()?;
                }
                State::Size { value: value << 4 | u64::from(digit), has_digit: true }
            }
            (State::Extension { value }, byte) if byte == b'\t' || (byte >= b' ' && byte != 127) => {
                self.overhead()?;
                State::Extension { value }
            }
            (State::SizeLf { value: 0 }, b'\n') => State::Trailer,
            (State::SizeLf { value }, b'\n') => {
                // A body that goes on for long may have many chunks, each with a little of it.
                let earned = usize::try_from(value).unwrap_or(usize::MAX);
                self.overhead = self.overhead.saturating_add(earned).min(self.most_overhead);
                State::Data { left: value }
            }
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size { value: 0, has_digit: false },
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::Trailer, byte) if byte == b'\t' || (byte >= b' ' && byte != 127) => {
                self.trailer_bytes = self.trailer_bytes.checked_sub(1).ok_or("trailers are too long")?;
                self.line.push(byte);
                State::Trailer
            }
            (State::TrailerLf, b'\n') if self.line.is_empty() => State::End,
            (State::TrailerLf, b'\n') => {
                self.end_trailer()?;
                State::Trailer
            }
            _ => return Err("chunk is malformed"),
        })
    }

    /// Takes one byte that is neither data nor what each chunk needs.
    fn overhead(&mut self) -> Result<(), &'static str> {
        self.overhead = self.overhead.checked_sub(1).ok_or("chunk extensions are too long")?;
        Ok(())
    }

    fn end_trailer(&mut self) -> Result<(), &'static str> {
        self.trailer_fields = self.trailer_fields.checked_sub(1).ok_or("too many trailers")?;
        let line = std::mem::take(&mut self.line);
        let colon = memchr::memchr(b':', &line).ok_or("trailer has no colon")?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.is_empty() || !name.iter().all(|byte| is_token_byte(*byte)) || !is_value(value) {
            return Err("trailer is malformed");
        }
        let name = std::str::from_utf8(name).map_err(|_| "trailer is malformed")?;
        if may_be_trailer(id_of(name.as_bytes()), name.as_bytes()) {
            let trailers = self.trailers.get_or_insert_with(Headers::new);
            trailers.append(name, value).map_err(|_| "trailer is malformed")?;
        }
        Ok(())
    }
}

/// RFC 9110 §6.5.1: fields that frame, route or authenticate a message, or say what its content is or how long it
/// keeps, have no meaning in a trailer; passing them on could give them one.
pub(crate) fn may_be_trailer(id: Id, name: &[u8]) -> bool {
    let is_head_only = |known: &&str| known.as_bytes().eq_ignore_ascii_case(name);
    match id {
        Id::Date | Id::Server | Id::Via => true,
        Id::Other => !HEAD_ONLY.iter().any(is_head_only) && name::read(name) != Reading::Lookalike,
        _ => false,
    }
}

/// Such fields that have no id.
const HEAD_ONLY: [&str; 16] = [
    "set-cookie",
    "www-authenticate",
    "location",
    "cache-control",
    "expires",
    "age",
    "vary",
    "retry-after",
    "content-encoding",
    "content-range",
    "content-location",
    "content-disposition",
    "content-security-policy",
    "range",
    "max-forwards",
    "forwarded",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes `wire`, delivered `piece` bytes at a time.
    fn decode(wire: &[u8], piece: usize) -> Result<(Vec<u8>, bool, usize), &'static str> {
        let mut framing = Framing::chunked(&Limits::DEFAULT);
        let (mut body, mut input, mut used) = (Vec::new(), Vec::new(), 0);
        for bytes in wire.chunks(piece) {
            input.extend_from_slice(bytes);
            loop {
                let step = framing.step(&input)?;
                body.extend_from_slice(&input[step.skip..step.skip + step.data]);
                framing.consume(step.data);
                input.drain(..step.skip + step.data);
                used += step.skip + step.data;
                if step.skip + step.data == 0 || framing.is_done() {
                    break;
                }
            }
        }
        Ok((body, framing.is_done(), used))
    }

    #[test]
    fn chunks_are_joined_however_they_are_delivered() {
        let wire = b"4\r\nWiki\r\n6;a=b\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\n\r\nGET";
        for piece in 1..=wire.len() {
            let (body, is_done, used) = decode(wire, piece).unwrap();
            assert_eq!(body, b"Wikipedia in \r\n\r\nchunks.");
            assert!(is_done);
            assert_eq!(used, wire.len() - 3, "what follows the body is not touched");
        }
    }

    #[test]
    fn what_is_not_the_grammar_is_refused() {
        for wire in [
            "x\r\n",
            "\r\n",
            ";a\r\n",
            "3 \r\nabc\r\n",
            "3\nabc\r\n",
            "3\r\nabcXX",
            "3\r\nabc\n0\r\n\r\n",
            "+3\r\nabc\r\n",
            "0x3\r\nabc\r\n",
            "-1\r\n",
            "11112222333344445\r\n",
            "3;\0\r\nabc\r\n",
            "3;a\nb\r\nabc\r\n",
            "0\r\nbad\r\n\r\n",
            "0\r\na b: c\r\n\r\n",
            "0\r\na: b\nc: d\r\n\r\n",
            "0\r\n: x\r\n\r\n",
        ] {
            for piece in 1..=wire.len() {
                assert!(decode(wire.as_bytes(), piece).is_err(), "{wire:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn trailers_are_kept_but_not_those_that_frame_or_route() {
        let mut framing = Framing::chunked(&Limits::DEFAULT);
        let wire = b"0\r\nX-Sum: 1\r\nContent-Length: 5\r\nHost: h\r\nSET-cookie: a\r\nx-sum:2 \r\n\r\n";
        assert_eq!(framing.step(wire).unwrap().skip, wire.len());
        let trailers = framing.trailers().unwrap();
        let all: Vec<_> = trailers.iter().map(|(_, name, value)| (name, value)).collect();
        assert_eq!(all, [("X-Sum", &b"1"[..]), ("x-sum", &b"2"[..])]);
    }

    #[test]
    fn there_may_be_as_many_chunks_as_a_body_needs() {
        let mut sizes = ["1", "01", "1;e", "0000000000000005;an=\"extension\""].into_iter().cycle();
        let chunk = |size: &str| {
            let length = usize::from(*size.split(';').next().unwrap().as_bytes().last().unwrap() - b'0');
            format!("{size}\r\n{}\r\n", "x".repeat(length))
        };
        for size in sizes.by_ref().take(4) {
            let wire = chunk(size).repeat(50_000) + "0\r\n\r\n";
            for piece in [wire.len(), 7] {
                let decoded = decode(wire.as_bytes(), piece);
                if size.len() > 10 {
                    assert_eq!(
                        decoded,
                        Err("chunk extensions are too long"),
                        "more is said of chunks than in them"
                    );
                } else {
                    assert!(
                        matches!(decoded, Ok((_, true, used)) if used == wire.len()),
                        "{size} by {piece}"
                    );
                }
            }
        }
    }

    #[test]
    fn extensions_and_trailers_have_an_end() {
        let long = format!("1;{}\r\n", "x".repeat(Limits::DEFAULT.chunk_extensions + 1));
        assert!(decode(long.as_bytes(), 999).is_err());
        let long = format!("0\r\na: {}\r\n", "x".repeat(Limits::DEFAULT.trailers));
        assert_eq!(decode(long.as_bytes(), 999), Err("trailers are too long"));
        let trailers = |count| format!("0\r\n{}\r\n", "a:\r\n".repeat(count));
        let most = decode(trailers(Limits::DEFAULT.fields).as_bytes(), 999);
        assert!(matches!(most, Ok((_, true, _))), "{most:?}");
        let many = decode(trailers(Limits::DEFAULT.fields + 1).as_bytes(), 999);
        assert_eq!(many, Err("too many trailers"));
    }
}
