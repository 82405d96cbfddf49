//! Bounds that are no matter of time: how many, how long, how large.

use lockgate_http::{AnswerLimits, Limits as MessageLimits};

use super::read::{Place, Readable, Section};
use super::value::Size;

/// A head is never longer than this, in bytes.
const LONGEST_HEAD: usize = 128 << 10;
/// No other part of a message may be set to more, in bytes.
const LONGEST_PART: u64 = 1 << 20;
/// No more than this is read ahead of pipelined requests, in bytes.
const LONGEST_AHEAD: u64 = 64 << 10;

/// Bounds of connections and of what comes on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// `nginx_config.event.worker_connections`: connections of clients at most, of each worker. Default: 10620.
    pub(crate) worker_connections: usize,
    /// `lockgate.limits.connections`: connections of clients at most, of all workers; `None` (0) is as many as they
    /// have together. Default: 0.
    pub(crate) connections: Option<usize>,
    /// `nginx_config.http.keepalive_requests`: requests on one connection; `None` (0) is any. Default: 0.
    pub(crate) keepalive_requests: Option<u64>,
    /// `nginx_config.http.large_client_header_buffers`, its count times its size: the longest head. Default: 64k.
    pub(crate) head: usize,
    /// `nginx_config.http.large_client_header_buffers`, its size: the longest target and field, 16k by default;
    /// `lockgate.limits.headers`, `chunk_extensions` and `trailers`: 100, 16k, 16k; `lockgate.pass_lookalike_headers`:
    /// false.
    pub(crate) message: MessageLimits,
    /// `lockgate.limits.pipelined`: bytes of later requests read while one is answered. Default: 8k.
    pub(crate) pipelined: usize,
    /// `lockgate.limits.upstream_head`, `upstream_header` and `upstream_headers`: 128k, 16k, 100. What is bounded behind
    /// heads is so both ways: [`Limits::answers`].
    pub(crate) upstream: AnswerLimits,
}

impl Limits {
    /// Of what upstreams and functions answer.
    pub(crate) fn answers(&self) -> AnswerLimits {
        let MessageLimits { chunk_extensions, trailers, .. } = self.message;
        AnswerLimits { chunk_extensions, trailers, ..self.upstream }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            worker_connections: 10_620,
            connections: None,
            keepalive_requests: None,
            head: 64 << 10,
            message: MessageLimits::DEFAULT,
            pipelined: 8 << 10,
            upstream: AnswerLimits::DEFAULT,
        }
    }
}

/// Reads `nginx_config.event`.
pub(super) fn read_event(section: &mut Section<'_>, limits: &mut Limits) {
    set_count(section, "worker_connections", &mut limits.worker_connections);
}

/// Reads what is of these bounds in `nginx_config.http`.
pub(super) fn read_http(section: &mut Section<'_>, limits: &mut Limits) {
    if let Some(count) = section.get::<u64>("keepalive_requests") {
        limits.keepalive_requests = (count > 0).then_some(count);
    }
    if let Some(Buffers { count, size }) = section.get("large_client_header_buffers") {
        limits.head = count * size;
        (limits.message.target, limits.message.field) = (size, size);
    }
}

/// Reads `lockgate.limits`.
pub(super) fn read_own(section: &mut Section<'_>, limits: &mut Limits) {
    if let Some(count) = section.get::<u64>("connections") {
        limits.connections = usize::try_from(count).ok().filter(|count| *count > 0);
    }
    set_count(section, "headers", &mut limits.message.fields);
    set_size(section, "chunk_extensions", 0..=LONGEST_PART, &mut limits.message.chunk_extensions);
    set_size(section, "trailers", 0..=LONGEST_PART, &mut limits.message.trailers);
    set_size(section, "pipelined", 1..=LONGEST_AHEAD, &mut limits.pipelined);
    set_size(section, "upstream_head", 1..=LONGEST_HEAD as u64, &mut limits.upstream.head);
    set_size(section, "upstream_header", 1..=LONGEST_HEAD as u64, &mut limits.upstream.field);
    set_count(section, "upstream_headers", &mut limits.upstream.fields);
}

/// A count that is not zero.
pub(super) fn set_count(section: &mut Section<'_>, key: &'static str, field: &mut usize) {
    let Some(place) = section.place(key) else { return };
    match u64::read(&place) {
        Some(0) => place.refuse("a count from 1 on").unwrap_or_default(),
        Some(count) => *field = usize::try_from(count).unwrap_or(usize::MAX),
        None => {}
    }
}

fn set_size(
    section: &mut Section<'_>,
    key: &'static str,
    range: std::ops::RangeInclusive<u64>,
    field: &mut usize,
) {
    let Some(place) = section.place(key) else { return };
    match Size::read(&place).map(|Size(size)| (range.contains(&size), usize::try_from(size))) {
        Some((true, Ok(size))) => *field = size,
        Some(_) => {
            let (from, to) = (range.start(), range.end() >> 10);
            place.refuse::<()>(format_args!("a size from {from} to {to}k")).unwrap_or_default();
        }
        None => {}
    }
}

/// nginx's pair of a count and a size.
struct Buffers {
    count: usize,
    size: usize,
}

impl Readable for Buffers {
    fn read(place: &Place<'_>) -> Option<Self> {
        let pair = place.text().and_then(|text| text.trim().split_once(' ')).and_then(|(count, size)| {
            let size = usize::try_from(super::value::size(size)?).ok()?;
            Some(Self { count: count.parse().ok()?, size })
        });
        match pair {
            Some(pair) if pair.count.checked_mul(pair.size).is_none_or(|head| head > LONGEST_HEAD) => {
                place.complain("is more than 128k together")
            }
            Some(pair) if pair.count > 0 && pair.size > 0 => Some(pair),
            _ => place.refuse("a count and a size such as 4 16k"),
        }
    }
}
