//! The table of frame sequences: what a client sends behind preface and settings, which section decides, and what has
//! to come of it. The gateway is held to it here, and `docs/strictness.md` has it beside nginx and HAProxy.

mod floods;
mod frames;
mod framing;
mod messages;
mod streams;
mod targets;

use crate::bench::Bench;

/// What has to come of a sequence.
#[derive(Clone, Debug)]
pub(crate) enum Then {
    /// The connection ends with one of these codes, or by being closed at once; not a byte goes upstream.
    Closed(&'static [u32]),
    /// A stream ends with one of these codes, or the connection does (RFC 9113 §5.4.1 allows the harder way);
    /// not a byte goes upstream.
    Reset(u32, &'static [u32]),
    /// A stream ends with `PROTOCOL_ERROR` or the connection does, or it is answered with 400 (RFC 9113 §8.1.1
    /// allows a server to say so); not a byte goes upstream.
    Malformed,
    /// A stream is answered with a refusal of ours; not a byte goes upstream.
    Refused(u32, u16),
    /// One of these, but the head, or more, is let through before the fault shows: what the upstream has seen at most,
    /// which is not whole.
    Begun(Box<Then>, String),
    /// Stream 1 is answered by the upstream, which has received exactly these bytes.
    Forwarded(String),
    /// The connection goes on as if nothing had been sent.
    Ignored,
}

/// A sequence: its section, its name, its bytes, what comes of it.
pub(crate) type Case = (&'static str, &'static str, Vec<u8>, Then);

/// A request as the upstream gets it: `@` stands for what the gateway says of the client.
fn forwarded(start: &str, fields: &str, body: &str) -> Then {
    Then::Forwarded(format!("{start} HTTP/1.1\r\n{fields}\r\n{body}"))
}

/// The head of a POST, or more of it, is let through before the fault shows.
fn begun(then: Then, fields: &str, body: &str) -> Then {
    Then::Begun(Box::new(then), format!("POST /p HTTP/1.1\r\nHost: h\r\n@\r\n{fields}\r\n{body}"))
}

/// The same with a body whose length nobody has said.
pub(crate) fn begun_in_chunks(then: Then, body: &str) -> Then {
    begun(then, "Transfer-Encoding: chunked\r\n", body)
}

/// The head of a GET is let through before the fault shows: as of a request whose end is to come.
pub(crate) fn begun_get(then: Then) -> Then {
    let head = "GET /p HTTP/1.1\r\nHost: h\r\n@\r\nTransfer-Encoding: chunked\r\n\r\n";
    Then::Begun(Box::new(then), head.to_owned())
}

/// The name of one of several rows that differ in a value.
fn with_value(name: &str, value: &str) -> &'static str {
    format!("{name}: {value:?}").leak()
}

/// Every row, group by group.
pub(crate) fn all() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("Frames and field blocks", [framing::unknown(), framing::sizes(), framing::field_blocks()].concat()),
        ("Heads in parts", framing::parts()),
        ("Streams", [streams::idle(), streams::dependencies()].concat()),
        ("Kinds of frames", [frames::forms(), frames::others()].concat()),
        ("Settings and windows", [frames::settings_values(), frames::windows()].concat()),
        ("Where a message ends", [messages::lengths(), messages::trailers_and_ends()].concat()),
        ("Fields", [messages::names_and_values(), messages::connection_fields()].concat()),
        ("Pseudo-headers", [messages::pseudo_headers(), targets::methods_and_paths()].concat()),
        ("Hosts and CONNECT", [targets::hosts(), targets::extended_connect()].concat()),
        (
            "More than is good",
            [floods::idle_frames(), floods::heads_without_end(), floods::large_heads()].concat(),
        ),
    ]
}

#[test]
fn frames_of_unknown_kinds_and_flags_are_passed_over() {
    Bench::new().play(framing::unknown());
}

#[test]
fn frames_keep_to_the_largest_size() {
    Bench::new().play(framing::sizes());
}

#[test]
fn a_broken_field_block_ends_the_connection() {
    Bench::new().play(framing::field_blocks());
}

#[test]
fn nothing_comes_between_the_parts_of_a_field_block() {
    Bench::new().play(framing::parts());
}

#[test]
fn an_idle_stream_takes_heads_and_priorities_only() {
    Bench::new().play(streams::idle());
}

#[test]
fn a_stream_that_depends_on_itself_is_refused() {
    Bench::new().play(streams::dependencies());
}

#[test]
fn data_and_heads_keep_to_their_form() {
    Bench::new().play(frames::forms());
}

#[test]
fn priorities_resets_and_pings_have_one_length() {
    Bench::new().play(frames::others());
}

#[test]
fn settings_are_within_their_bounds() {
    Bench::new().play(frames::settings_values());
}

#[test]
fn windows_only_grow_within_bounds() {
    Bench::new().play(frames::windows());
}

#[test]
fn a_body_is_as_long_as_it_says() {
    Bench::new().play(messages::lengths());
}

#[test]
fn a_message_ends_once_and_trailers_end_it() {
    Bench::new().play(messages::trailers_and_ends());
}

#[test]
fn names_and_values_cannot_split_a_message() {
    Bench::new().play(messages::names_and_values());
}

#[test]
fn fields_of_a_connection_are_malformed() {
    Bench::new().play(messages::connection_fields());
}

#[test]
fn pseudo_headers_come_first_once_and_are_known() {
    Bench::new().play(messages::pseudo_headers());
}

#[test]
fn methods_and_paths_cannot_split_a_request_line() {
    Bench::new().play(targets::methods_and_paths());
}

#[test]
fn a_request_is_for_one_host() {
    Bench::new().play(targets::hosts());
}

#[test]
fn an_extended_connect_is_well_formed_or_refused() {
    Bench::new().play(targets::extended_connect());
}

#[test]
fn frames_that_move_nothing_are_counted() {
    Bench::new().play(floods::idle_frames());
}

#[test]
fn a_head_has_an_end() {
    Bench::new().play(floods::heads_without_end());
}

#[test]
fn a_head_has_a_largest_size() {
    Bench::new().play(floods::large_heads());
}
