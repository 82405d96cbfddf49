//! What fuzz targets look at: parsers that are no part of the interface.

use crate::h1::{Framing, parse, write};
use crate::limits::Limits;
use crate::outgoing::Outgoing;

/// What became of a head: `None` while it is not whole, its length, or the status it is refused with.
pub fn request_head(input: &[u8]) -> Option<Result<usize, u16>> {
    match parse::request(input, &Limits::DEFAULT) {
        Ok(head) => head.map(|head| Ok(head.len)),
        Err(refusal) => Some(Err(refusal.status.as_u16())),
    }
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
    match parse::response(input, is_head) {
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
