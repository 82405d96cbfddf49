//! Heads that are taken, and heads that are refused.

use super::*;

fn refused(head: &str) -> u16 {
    request(head.as_bytes(), &Limits::DEFAULT).expect_err(head).status.as_u16()
}

fn accepted(head: &str) -> RequestHead {
    request(head.as_bytes(), &Limits::DEFAULT).expect(head).expect(head)
}

#[test]
fn a_head_in_pieces_is_whole_when_its_last_byte_is_there() {
    let head = b"POST /a?b=c HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n";
    for len in 0..head.len() {
        assert!(request(&head[..len], &Limits::DEFAULT).unwrap().is_none(), "{len}");
    }
    let head = request(head, &Limits::DEFAULT).unwrap().unwrap();
    assert_eq!((head.request.path(), head.request.query()), ("/a", Some("b=c")));
    assert_eq!(head.framing.length(), Some(3));
}

#[test]
fn ambiguous_framing_is_refused() {
    let start = "POST / HTTP/1.1\r\nHost: h\r\n";
    for fields in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: -3\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length:\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: 9999999999999999999\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        "X: a\r\n b\r\n",
        "X: a\0b\r\n",
        "X: a\rb\r\n",
        "X: a\nY: b\r\n",
        ": a\r\n",
        "X y: a\r\n",
        "X\r\n",
    ] {
        assert_eq!(refused(&format!("{start}{fields}\r\n")), 400, "{fields}");
    }
    assert_eq!(refused(&format!("{start}Transfer-Encoding: gzip, chunked\r\n\r\n")), 501);
    assert_eq!(refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
}

#[test]
fn a_request_names_one_host() {
    assert_eq!(refused("GET / HTTP/1.1\r\n\r\n"), 400);
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400);
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), 400);
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: a:x\r\n\r\n"), 400);
    for host in
        ["[::1]:x", "[::1]a", "[::1]80", "[::1", "[]", "::1]", "a]", "a[b]", "[[::1]]", "[::1]:[2]", "a:1:2"]
    {
        assert_eq!(refused(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")), 400, "{host}");
    }
    assert_eq!(accepted("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n").request.host(), "[::1]:80");
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), 400);
    assert_eq!(accepted("GET / HTTP/1.0\r\n\r\n").request.host(), "");
    let absolute = accepted("GET http://other:81?x HTTP/1.1\r\nHost: h\r\n\r\n").request;
    assert_eq!((absolute.host(), absolute.target()), ("other:81", "/?x"));
}

#[test]
fn request_lines_are_strict() {
    for line in [
        "GET /a b HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET / ",
        "GET /",
        "G(T / HTTP/1.1",
        "GET a HTTP/1.1",
        "GET * HTTP/1.1",
        "GET /#f HTTP/1.1",
        "get / http/1.1",
    ] {
        assert_eq!(refused(&format!("{line}\r\nHost: h\r\n\r\n")), 400, "{line}");
    }
    assert_eq!(refused("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), 505);
    assert_eq!(refused("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n"), 405);
    assert_eq!(
        refused(&format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(Limits::DEFAULT.target))),
        414
    );
    assert_eq!(
        refused(&format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: b\r\n".repeat(Limits::DEFAULT.fields))),
        431
    );
}

#[test]
fn headers_of_the_connection_stop_here() {
    let head = accepted(
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: close, X-Hop, host, content-length\r\nX-Hop: 1\r\n\
         X-Kept: 2\r\nKeep-Alive: 1\r\nTE: trailers\r\nProxy-Connection: a\r\nUpgrade: b\r\nContent-Length: 2\r\n\r\n",
    );
    let names: Vec<_> = head.request.headers.iter().map(|(_, name, _)| name.to_owned()).collect();
    assert_eq!(names, ["Host", "X-Kept"]);
    assert_eq!(head.framing.length(), Some(2), "naming Content-Length does not unframe the body");
    assert!(!head.keep_alive);
}

#[test]
fn responses_end_where_their_status_says() {
    let read = |head: &str, is_head| response(head.as_bytes(), is_head, &Limits::DEFAULT);
    let parse = |head: &str, is_head| read(head, is_head).unwrap().unwrap();
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(parse(length, false).framing.length(), Some(5));
    let to_head = parse(length, true);
    assert!(to_head.framing.is_done());
    assert_eq!(to_head.response.declared_length, Some(5));
    assert!(parse("HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n", false).framing.is_done());
    assert!(parse("HTTP/1.1 204 X\r\n\r\n", false).framing.is_done());
    let open = parse("HTTP/1.1 200\r\n\r\n", false);
    assert!(matches!(open.framing, Framing::UntilClose) && !open.keep_alive);
    assert!(
        read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", false).is_err()
    );
}

#[test]
fn a_head_that_trickles_is_read_again_only_where_a_line_has_ended() {
    let head = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    assert!(may_be_whole(b"G", 0), "the first bytes are always looked at");
    for end in 2..=head.len() {
        let is_line = head[end - 1] == b'\n';
        assert_eq!(may_be_whole(&head[..end], end - 1), is_line, "{}", head[..end].escape_ascii());
    }
    let long = vec![b'a'; 2 * LOOKED_AT];
    assert!(!may_be_whole(&long[..LOOKED_AT + 9], 9));
    assert!(may_be_whole(&long[..LOOKED_AT + 10], 9), "a line may have become too long");
}
