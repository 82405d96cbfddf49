//! What is said in a conversation, by whom, in what pieces, and how it ends.

use proptest::collection::vec;
use proptest::prelude::*;

/// A conversation on one client's connection.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) turns: Vec<Turn>,
    /// Whether the client sends all requests before it has any answer.
    pub(crate) pipelines: bool,
    /// How many bytes the client writes at a time.
    pub(crate) piece: usize,
    pub(crate) end: End,
}

/// How it ends, behind the last turn or within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The client closes when it has the last answer.
    Whole,
    /// The last request says `Connection: close`.
    Asked,
    /// The client says that it sends no more as soon as it has sent all: it may be taken to have left.
    HalfClosed,
    /// The upstream closes within the body of its last answer.
    Cut,
    /// It resets there, which may take what it has said before with it.
    Reset,
    /// The client goes within its last request.
    Left { resets: bool },
}

impl End {
    /// Whether the client may not have sent all of its last request, or not for an answer.
    pub(crate) fn is_of_client(self) -> bool {
        matches!(self, Self::HalfClosed | Self::Left { .. })
    }

    /// Whether the upstream breaks off its last answer.
    pub(crate) fn is_of_upstream(self) -> bool {
        matches!(self, Self::Cut | Self::Reset)
    }
}

/// A request and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    pub(crate) method: &'static str,
    pub(crate) request: Body,
    pub(crate) expects: bool,
    pub(crate) status: u16,
    pub(crate) answer: Body,
    pub(crate) interims: usize,
    /// Whether the answer begins before the request's body was read.
    pub(crate) is_early: bool,
    /// Whether the upstream closes its connection behind the answer.
    pub(crate) closes: bool,
    /// How many bytes the upstream writes at a time.
    pub(crate) piece: usize,
}

/// A body and how it is framed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    None,
    Length(usize),
    Chunks {
        sizes: Vec<usize>,
        has_trailer: bool,
    },
    /// Answers only: the connection's end is its own.
    UntilClose(usize),
}

impl Body {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Length(len) | Self::UntilClose(len) => *len,
            Self::Chunks { sizes, .. } => sizes.iter().sum(),
        }
    }

    pub(crate) fn has_trailer(&self) -> bool {
        matches!(self, Self::Chunks { has_trailer: true, .. })
    }
}

impl Turn {
    /// Whether the answer has no body, whatever it says.
    pub(crate) fn is_bodiless(&self) -> bool {
        self.method == "HEAD" || matches!(self.status, 204 | 304)
    }
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![3 => 0..20_usize, 3 => 20..3_000_usize, 2 => 3_000..70_000_usize, 1 => 100_000..400_000_usize]
}

fn chunks() -> impl Strategy<Value = Body> {
    let chunk = prop_oneof![4 => 1..50_usize, 2 => 50..20_000_usize, 1 => 20_000..150_000_usize];
    (vec(chunk, 0..6), any::<bool>()).prop_map(|(sizes, has_trailer)| Body::Chunks { sizes, has_trailer })
}

fn piece() -> impl Strategy<Value = usize> {
    prop_oneof![1 => 1..4_usize, 2 => 4..200_usize, 4 => 200..20_000_usize, 3 => Just(usize::MAX)]
}

fn turn() -> impl Strategy<Value = Turn> {
    let request = prop_oneof![
        4 => Just(("GET", Body::None)),
        1 => Just(("HEAD", Body::None)),
        1 => Just(("DELETE", Body::None)),
        4 => size().prop_map(|len| ("POST", Body::Length(len))),
        4 => chunks().prop_map(|body| ("PUT", body)),
        1 => size().prop_map(|len| ("GET", Body::Length(len))),
    ];
    let answer = prop_oneof![
        4 => size().prop_map(Body::Length),
        4 => chunks(),
        1 => size().prop_map(Body::UntilClose),
    ];
    let status =
        prop_oneof![6 => Just(200_u16), 1 => Just(404), 1 => Just(204), 1 => Just(304), 1 => Just(500)];
    let more = (any::<bool>(), 0..3_usize, prop::bool::weighted(0.3), prop::bool::weighted(0.2), piece());
    (request, answer, status, more).prop_map(|((method, request), answer, status, more)| {
        let (expects, interims, is_early, closes, piece) = more;
        let expects = expects && request.len() > 0;
        let closes = closes || matches!(answer, Body::UntilClose(_));
        // One byte at a time is for what is small.
        let piece = if answer.len() > 5_000 { piece.max(100) } else { piece };
        Turn { method, request, expects, status, answer, interims, is_early, closes, piece }
    })
}

/// Any conversation of up to seven turns.
pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    let end = prop_oneof![
        5 => Just(End::Whole),
        2 => Just(End::Asked),
        1 => Just(End::HalfClosed),
        2 => Just(End::Cut),
        2 => Just(End::Reset),
        2 => any::<bool>().prop_map(|resets| End::Left { resets }),
    ];
    (vec(turn(), 1..8), any::<bool>(), piece(), end).prop_map(|(turns, pipelines, piece, end)| {
        let sent: usize = turns.iter().map(|turn| turn.request.len()).sum();
        let piece = if sent > 5_000 { piece.max(100) } else { piece };
        Plan { turns, pipelines, piece, end }
    })
}
