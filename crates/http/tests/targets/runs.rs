//! The runs: what each target is given.

use crate::mutate::Mutations;
use crate::{chunked, h2_frames, path, proxy_protocol, request_head, response_head};

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

/// Checks inputs that are made of these pieces.
fn run(rounds: u64, pieces: &[impl AsRef<[u8]>], most: usize, check: impl Fn(&[u8])) {
    let mut mutations = Mutations::new(number("SEED", 0x10C6_A7E0).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    for _ in 0..number("ROUNDS", rounds) {
        check(&mutations.input(pieces, most));
    }
}

const HEADS: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: h\r\n",
    "POST /a?b=c HTTP/1.1\r\nHost: h:80\r\n",
    "OPTIONS * HTTP/1.0\r\n",
    "GET http://h/a HTTP/1.1\r\nHost: i\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 204 No Content\r\n",
    "HTTP/1.1 101 X\r\n",
    "HTTP/1.0 304 \r\n",
    "Content-Length: 3\r\n",
    "Content_Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: upgrade, x, close\r\n",
    "Upgrade: websocket\r\n",
    "Expect: 100-continue\r\n",
    "X: \t y \r\n",
    "x:\u{e9}\r\n",
    "Cookie: a=b\r\n",
    "\r\n",
    "\r\n",
    "\r\n",
    "\n",
    "abc",
];

#[test]
fn request_heads_have_one_reading() {
    run(60_000, HEADS, 6, request_head::check);
}

#[test]
fn response_heads_have_one_reading() {
    run(60_000, HEADS, 6, response_head::check);
}

#[test]
fn chunked_bodies_have_one_reading() {
    let pieces = [
        "3\r\nabc\r\n",
        "a\r\n0123456789\r\n",
        "2;x=\"y\"\r\nab\r\n",
        "1;\r\na\r\n",
        "0\r\n",
        "X: y\r\n",
        "Content_Length: 3\r\n",
        "\r\n",
        "0\r\n\r\n",
        "fffffffffffffff\r\n",
        "000",
        "\n",
    ];
    run(200_000, &pieces, 8, chunked::check);
}

#[test]
fn proxy_headers_have_one_reading() {
    let v2 = |command: u8, family: u8, rest: &[u8]| {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[command, family], &length, rest].concat()
    };
    let address = [&[127, 0, 0, 1].repeat(2)[..], &[0, 80, 1, 187]].concat();
    let pieces = [
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65535\r\n".to_vec(),
        b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n".to_vec(),
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN ffff ffff 1 2\r\n".to_vec(),
        b"PROXY TCP4 ".to_vec(),
        b"GET / HTTP/1.1\r\n".to_vec(),
        v2(0x21, 0x11, &address),
        v2(0x21, 0x21, &[&[0; 32][..], &[0, 80, 1, 187]].concat()),
        v2(0x20, 0, b""),
        v2(0x21, 0x11, &[&address[..], &[4, 0, 1, 0]].concat()),
        v2(0x21, 0x31, &[0; 216]),
    ];
    run(60_000, &pieces, 2, proxy_protocol::check);
}

#[test]
fn a_path_keeps_to_its_place() {
    let pieces = [
        "a", "/", "/", "..", ".", "%2e", "%2E", "%2f", "%2F", "%5c", "\\", "%25", "%", ";x=1", "?", "#",
        "%c3%a9", "\u{e9}", "%00", "%zz", "b", "+", "%252e", "/../",
    ];
    let check = |input: &[u8]| {
        if let Ok(text) = std::str::from_utf8(input) {
            path::check(text);
        }
    };
    run(20_000, &pieces, 9, check);
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// A field by its text, which nobody is to remember.
fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [&[0][..], &text(name), &text(value)].concat()
}

#[test]
fn frames_make_whole_requests_of_http_1() {
    const END_STREAM: u8 = 1;
    const END_HEADERS: u8 = 4;
    let get = [&[0x82, 0x86, 0x84][..], &field(":authority", "h")].concat();
    let post = [&[0x83, 0x86, 0x84][..], &field(":authority", "h")].concat();
    let with = |block: &[u8], name: &str, value: &str| [block, &field(name, value)].concat();
    let blocks = [
        get.clone(),
        with(&get, "x", "y"),
        with(&get, "content_length", "3"),
        with(&get, "x", "a\r\nb"),
        with(&get, "host", "i"),
        with(&get, "cookie", "a=b"),
        with(&get, ":path", "/ HTTP/1.1"),
        with(&get, "transfer-encoding", "chunked"),
        with(&get, "te", "trailers"),
        get[..3].to_vec(),
    ];
    let mut pieces: Vec<_> = (0..=9_u8)
        .zip(&blocks)
        .map(|(at, block)| frame(1, END_HEADERS | END_STREAM, at % 4 * 2 + 1, block))
        .collect();
    pieces.extend((0..3_u8).map(|at| frame(1, END_HEADERS, at * 2 + 1, &with(&post, "content-length", "3"))));
    pieces.extend([
        frame(1, END_HEADERS, 5, &post),
        frame(1, 0, 7, &get[..5]),
        frame(9, END_HEADERS, 7, &get[5..]),
        frame(0, END_STREAM, 1, b"abc"),
        frame(0, 0, 3, b"ab"),
        frame(0, 8, 3, b"\x01c\0"),
        frame(2, 0, 1, &[0, 0, 0, 3, 9]),
        frame(3, 0, 1, &[0, 0, 0, 8]),
        frame(4, 0, 0, &[0, 4, 0, 0, 0, 9]),
        frame(4, 1, 0, b""),
        frame(6, 0, 0, b"12345678"),
        frame(7, 0, 0, &[0; 8]),
        frame(8, 0, 0, &[0, 0, 1, 0]),
        frame(8, 0, 1, &[0; 4]),
        frame(0x77, 3, 9, b"?"),
    ]);
    run(12_000, &pieces, 6, h2_frames::check);
}
