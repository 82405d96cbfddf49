//! What fuzz targets look at: parsers that are no part of the interface.

use crate::h1::{Framing, parse, write};
use crate::headers::Headers;
use crate::limits::{Limits, of_answers};
use crate::message::Version;
use crate::outgoing::Outgoing;

/// What became of a head: `None` while it is not whole, its length, or the status it is refused with.
pub fn request_head(input: &[u8]) -> Option<Result<usize, u16>> {
    match parse::request(input, &Limits::DEFAULT) {
        Ok(head) => head.map(|head| Ok(head.len)),
        Err(refusal) => Some(Err(refusal.status.as_u16())),
    }
}

/// Where the body behind a head ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    /// There is none.
    None,
    /// After so many bytes.
    Length(u64),
    /// After its last chunk.
    Chunked,
    /// With the connection.
    Close,
}

impl From<&Framing> for BodyEnd {
    fn from(framing: &Framing) -> Self {
        match framing {
            Framing::Done => Self::None,
            Framing::Length(length) => Self::Length(*length),
            Framing::Chunked(_) => Self::Chunked,
            Framing::UntilClose => Self::Close,
        }
    }
}

/// A head as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Method, target and version, or version and status, one space between.
    pub start: String,
    /// The fields that are passed on, in order.
    pub fields: Vec<(String, Vec<u8>)>,
    /// Where the body ends.
    pub body: BodyEnd,
    /// Whether the connection may go on behind it.
    pub keep_alive: bool,
    /// Bytes of the head.
    pub len: usize,
}

/// What became of a request's head in full: `None` while it is not whole, or why it is refused.
pub fn read_request(input: &[u8]) -> Option<Result<Head, &'static str>> {
    let head = match parse::request(input, &Limits::DEFAULT) {
        Ok(head) => head?,
        Err(refusal) => return Some(Err(refusal.reason)),
    };
    let request = &head.request;
    let version = version(request.version);
    Some(Ok(Head {
        start: format!("{} {} {version}", request.method, request.target()),
        fields: fields(&request.headers),
        body: BodyEnd::from(&head.framing),
        keep_alive: head.keep_alive,
        len: head.len,
    }))
}

/// The heads of the requests that a connection of HTTP/2 makes, delivered `piece` bytes at a time, as they are sent
/// on by HTTP/1.1.
pub fn h2_sent_on(input: &[u8], piece: usize) -> Vec<Vec<u8>> {
    crate::h2::fuzzing::sent_on(input, piece)
}

/// What became of a response's head in full: `None` while it is not whole, or why it is refused.
pub fn read_response(input: &[u8], is_head: bool) -> Option<Result<Head, &'static str>> {
    let head = match parse::response(input, is_head, &of_answers().message) {
        Ok(head) => head?,
        Err(reason) => return Some(Err(reason)),
    };
    Some(Ok(Head {
        start: format!("{} {}", version(head.response.version), head.response.status.as_str()),
        fields: fields(&head.response.headers),
        body: BodyEnd::from(&head.framing),
        keep_alive: head.keep_alive,
        len: head.len,
    }))
}

fn version(version: Version) -> &'static str {
    if version == Version::Http11 { "HTTP/1.1" } else { "HTTP/1.0" }
}

fn fields(headers: &Headers) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(_, name, value)| (name.to_owned(), value.to_vec())).collect()
}

/// A request head as it is sent on; `None` where there is none.
pub fn sent_on(input: &[u8]) -> Option<Vec<u8>> {
    let head = parse::request(input, &Limits::DEFAULT).ok()??;
    let framing = match head.framing {
        Framing::Length(length) => write::BodyFraming::Length(length),
        Framing::Chunked(_) => write::BodyFraming::Chunked,
        Framing::Done | Framing::UntilClose => write::BodyFraming::None,
    };
    let mut out = Vec::new();
    write::request(&mut out, &head.request, &Outgoing::default(), framing, true);
    Some(out)
}

/// What became of a response's head: `None` while it is not whole, its length, or why it is refused.
pub fn response_head(input: &[u8], is_head: bool) -> Option<Result<usize, &'static str>> {
    match parse::response(input, is_head, &of_answers().message) {
        Ok(head) => head.map(|head| Ok(head.len)),
        Err(reason) => Some(Err(reason)),
    }
}

/// A chunked body, delivered `piece` bytes at a time: its data, whether it has ended, and how many bytes of
/// `input` it took; or why it is refused.
pub fn chunked(input: &[u8], piece: usize) -> Result<(Vec<u8>, bool, usize), &'static str> {
    let mut framing = Framing::chunked(&Limits::DEFAULT);
    let (mut data, mut waiting, mut used) = (Vec::new(), Vec::new(), 0);
    for bytes in input.chunks(piece.max(1)) {
        waiting.extend_from_slice(bytes);
        loop {
            let step = framing.step(&waiting)?;
            let end = step.skip + step.data;
            data.extend_from_slice(&waiting[step.skip..end]);
            framing.consume(step.data);
            waiting.drain(..end);
            used += end;
            if end == 0 || framing.is_done() {
                break;
            }
        }
    }
    Ok((data, framing.is_done(), used))
}
