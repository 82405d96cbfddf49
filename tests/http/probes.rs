//! Ambiguous and broken requests: each is refused and the connection closed, or forwarded in one clear form.

use std::fmt::Write as _;

use lockgate_tests::{FakeUpstream, Gateway};
use serde_json::json;

struct Bench {
    gateway: Gateway,
    upstream: FakeUpstream,
}

impl Bench {
    fn new() -> Self {
        let (gateway, upstream) = (Gateway::start(), FakeUpstream::fixed("ok"));
        gateway.route("1", json!({"uri": "/*"}), &upstream.node());
        Self { gateway, upstream }
    }

    /// Sends bytes; wants one of these statuses, a closed connection, and nothing whole upstream.
    fn refuses(&self, what: &str, bytes: impl AsRef<[u8]>, statuses: &[u16]) {
        let mut connection = self.gateway.connect();
        connection.send(bytes).unwrap_or_else(|error| panic!("{what}: sending: {error}"));
        let reply = connection.try_reply_to("GET");
        let reply = reply.unwrap_or_else(|error| panic!("{what}: {error}"));
        let reply = reply.unwrap_or_else(|| panic!("{what}: closed without a response"));
        assert!(statuses.contains(&reply.status), "{what}: {} {}", reply.head.start, reply.text());
        let rest = connection.read_to_close();
        assert!(rest.is_empty(), "{what}: more after the refusal: {}", String::from_utf8_lossy(&rest));
        let arrived = self.upstream.pending();
        assert!(arrived.is_empty(), "{what}: forwarded {:?}", arrived[0].head.start);
    }

    /// Sends bytes and a GET behind them on the same connection; both must arrive as two clear requests.
    fn forwards(&self, what: &str, bytes: impl AsRef<[u8]>, target: &str, body: &str) {
        let mut connection = self.gateway.connect();
        connection.send(bytes).expect("the gateway reads");
        assert_eq!(connection.reply().status, 200, "{what}");
        connection.send("GET /after HTTP/1.1\r\nHost: h\r\n\r\n").expect("the gateway reads");
        assert_eq!(connection.reply().status, 200, "{what}: the request behind it");
        let (first, second) = (self.upstream.next(), self.upstream.next());
        assert_eq!((first.target(), first.text().as_str()), (target, body), "{what}");
        assert_eq!(second.target(), "/after", "{what}");
        self.leaves_nothing_over(what, &[first, second]);
    }

    /// What the upstream read is these requests and not a byte more; each has one framing and one Host.
    fn leaves_nothing_over(&self, what: &str, requests: &[lockgate_tests::Received]) {
        for request in requests {
            let lengths = request.head.all("content-length");
            let codings = request.head.all("transfer-encoding");
            assert!(lengths.len() + codings.len() <= 1, "{what}: {lengths:?} {codings:?}");
            assert_eq!(request.head.all("host").len(), 1, "{what}");
            if let [length] = lengths[..] {
                assert_eq!(length, request.body.len().to_string(), "{what}");
            }
        }
        let expected: usize = requests.iter().map(|r| r.head.raw.len() + r.raw_body.len()).sum();
        let seen: Vec<u8> = self.upstream.bytes().concat();
        let total = seen.len();
        assert!(total >= expected, "{what}");
        let tail: Vec<u8> =
            requests.iter().flat_map(|r| [r.head.raw.clone(), r.raw_body.clone()].concat()).collect();
        assert!(seen.ends_with(&tail), "{what}: bytes of no request: {}", String::from_utf8_lossy(&seen));
    }
}

/// A POST with these header lines and whatever follows the empty line.
fn post(lines: &str, rest: &str) -> String {
    format!("POST /p HTTP/1.1\r\nHost: h\r\n{lines}\r\n\r\n{rest}")
}

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";

#[test]
fn a_length_beside_a_transfer_coding_is_refused() {
    let bench = Bench::new();
    let body = format!("0\r\n\r\n{SMUGGLED}");
    bench.refuses("length first", post("Content-Length: 5\r\nTransfer-Encoding: chunked", &body), &[400]);
    bench.refuses("coding first", post("Transfer-Encoding: chunked\r\nContent-Length: 5", &body), &[400]);
    bench.refuses("length 0", post("Transfer-Encoding: chunked\r\nContent-Length: 0", &body), &[400]);
}

#[test]
fn a_length_that_is_not_one_plain_number_is_refused() {
    let bench = Bench::new();
    for length in [
        "3, 3",
        "+3",
        "-3",
        "3 3",
        "0x3",
        "3,",
        "",
        "three",
        "3.0",
        "18446744073709551616",
        "99999999999999999999999",
    ] {
        bench.refuses(
            length,
            post(&format!("Content-Length: {length}"), &format!("abc{SMUGGLED}")),
            &[400, 413],
        );
    }
    bench.refuses("twice, differing", post("Content-Length: 3\r\nContent-Length: 4", "abcd"), &[400]);
    bench.refuses("twice, the same", post("Content-Length: 3\r\nContent-Length: 3", "abc"), &[400]);
}

#[test]
fn a_transfer_coding_other_than_chunked_alone_is_refused() {
    let bench = Bench::new();
    let codings = [
        "gzip, chunked",
        "chunked, chunked",
        "identity",
        "xchunked",
        "chunked, identity",
        "\"chunked\"",
        "chunked;q=1",
        "\u{b}chunked",
        "",
    ];
    for coding in codings {
        let body = format!("3\r\nabc\r\n0\r\n\r\n{SMUGGLED}");
        bench.refuses(coding, post(&format!("Transfer-Encoding: {coding}"), &body), &[400, 501]);
    }
    let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked";
    bench.refuses("twice", post(twice, "0\r\n\r\n"), &[400, 501]);
    let mixed = "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity";
    bench.refuses("two kinds", post(mixed, "0\r\n\r\n"), &[400, 501]);
    let old = format!("POST /p HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}");
    bench.refuses("HTTP/1.0", old, &[400, 501]);
}

#[test]
fn a_broken_chunk_is_refused_and_never_completed_upstream() {
    let bench = Bench::new();
    let bodies = [
        ("garbage behind the data", "3\r\nabcXX0\r\n\r\n"),
        ("line feeds alone", "3\nabc\n0\n\n"),
        ("size line ends with a line feed", "3\nabc\r\n0\r\n\r\n"),
        ("data ends with a line feed", "3\r\nabc\n0\r\n\r\n"),
        ("negative size", "-3\r\nabc\r\n0\r\n\r\n"),
        ("signed size", "+3\r\nabc\r\n0\r\n\r\n"),
        ("prefixed size", "0x3\r\nabc\r\n0\r\n\r\n"),
        ("space before the size", " 3\r\nabc\r\n0\r\n\r\n"),
        ("no size", "\r\nabc\r\n0\r\n\r\n"),
        ("not a number", "g\r\nabc\r\n0\r\n\r\n"),
        ("overflowing size", "10000000000000003\r\nabc\r\n0\r\n\r\n"),
        ("carriage return in an extension", "3;a\rb\r\nabc\r\n0\r\n\r\n"),
        ("NUL in an extension", "3;a\0b\r\nabc\r\n0\r\n\r\n"),
    ];
    for (what, body) in bodies {
        bench.refuses(what, post("Transfer-Encoding: chunked", &format!("{body}{SMUGGLED}")), &[400, 413]);
    }
    let huge = format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(100_000));
    bench.refuses("huge extension", post("Transfer-Encoding: chunked", &huge), &[400, 413, 431]);
}

#[test]
fn a_broken_header_line_is_refused() {
    let bench = Bench::new();
    let lines: [&[u8]; 13] = [
        b"X: a\r\n b",
        b"X: a\r\n\tb",
        b"X: a\0b",
        b"X: a\rb",
        b"X : a",
        b"X\t: a",
        b": a",
        b" X: a",
        b"X",
        b"X\0: a",
        b"X(: a",
        b"X: a\x01b",
        b"X: a\x7fb",
    ];
    for line in lines {
        let request = [b"GET /p HTTP/1.1\r\nHost: h\r\n", line, b"\r\n\r\n"].concat();
        bench.refuses(&String::from_utf8_lossy(line), request, &[400]);
    }
    bench.refuses("folded length", post("Content-Length:\r\n 3", "abc"), &[400]);
    bench.refuses("space before the colon", post("Transfer-Encoding : chunked", "0\r\n\r\n"), &[400]);
    bench.refuses("first line folded", "GET /p HTTP/1.1\r\n Host: h\r\n\r\n", &[400]);
}

#[test]
fn a_request_without_exactly_one_well_formed_host_is_refused() {
    let bench = Bench::new();
    bench.refuses("none", "GET /p HTTP/1.1\r\n\r\n", &[400]);
    bench.refuses("two", "GET /p HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", &[400]);
    bench.refuses("two of the same", "GET /p HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", &[400]);
    for host in ["a b", "a/b", "user@a", "a, b", "a?b", "a#b", "a:x"] {
        bench.refuses(host, format!("GET /p HTTP/1.1\r\nHost: {host}\r\n\r\n"), &[400]);
    }
}

#[test]
fn a_broken_request_line_is_refused() {
    let bench = Bench::new();
    let lines = [
        "GET /a b HTTP/1.1",
        "GET  /a HTTP/1.1",
        "GET /a  HTTP/1.1",
        " GET /a HTTP/1.1",
        "GET\t/a HTTP/1.1",
        "GET /a",
        "GET /a HTTP/1.1 ",
        "GET /a http/1.1",
        "GET /a HTTP/1",
        "GET /a HTTP/11",
        "GET /a HTTP/1.2.3",
        "GET /a HTTP/0.9",
        "GET /a HTTP/2.0",
        "GET /a HTTP/3.0",
        "GET /a HTTQ/1.1",
        "G(T /a HTTP/1.1",
        "GET a HTTP/1.1",
        "GET /a\0 HTTP/1.1",
        "GET /a\u{7f} HTTP/1.1",
        "/a HTTP/1.1",
        "GET",
        "GET http:// HTTP/1.1",
        "GET ?x HTTP/1.1",
        "GET * HTTP/1.1",
    ];
    for line in lines {
        bench.refuses(line, format!("{line}\r\nHost: h\r\n\r\n"), &[400, 404, 501, 505]);
    }
    bench.refuses("CONNECT", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", &[400, 405, 501]);
    bench.refuses("a TLS handshake", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", &[400]);
}

#[test]
fn a_head_beyond_the_limits_is_refused_with_431_or_414() {
    let bench = Bench::new();
    let mut many = String::from("GET /p HTTP/1.1\r\nHost: h\r\n");
    for number in 0..2_000 {
        let _ = write!(many, "X-{number}: 1\r\n");
    }
    bench.refuses("2,000 headers", format!("{many}\r\n"), &[431]);
    let long = format!("GET /p HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "a".repeat(1 << 20));
    let mut connection = bench.gateway.connect();
    // The refusal may come before the last byte is taken.
    let _ = connection.send(long);
    assert_eq!(connection.reply().status, 431);
    let mut connection = bench.gateway.connect();
    let _ = connection.send(format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(1 << 20)));
    assert_eq!(connection.reply().status, 414);
    assert!(bench.upstream.pending().is_empty());
}

#[test]
fn naming_framing_headers_in_connection_does_not_take_them_away() {
    let bench = Bench::new();
    let request = post("Connection: content-length\r\nContent-Length: 3", "abc");
    bench.forwards("content-length", request, "/p", "abc");
    let request =
        post("Connection: transfer-encoding\r\nTransfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n");
    bench.forwards("transfer-encoding", request, "/p", "abc");
    bench.forwards("host", "GET /p HTTP/1.1\r\nHost: h\r\nConnection: host\r\n\r\n", "/p", "");
}

#[test]
fn a_body_that_looks_like_a_request_stays_a_body() {
    let bench = Bench::new();
    let length = SMUGGLED.len();
    bench.forwards("by length", post(&format!("Content-Length: {length}"), SMUGGLED), "/p", SMUGGLED);
    let chunk = format!("{length:x}\r\n{SMUGGLED}\r\n0\r\n\r\n");
    bench.forwards("by chunks", post("Transfer-Encoding: chunked", &chunk), "/p", SMUGGLED);
    let get = format!("GET /p HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}");
    bench.forwards("of a GET", get, "/p", SMUGGLED);
    bench.forwards(
        "mixed-case coding",
        post("Transfer-Encoding: CHUNKED", "3\r\nabc\r\n0\r\n\r\n"),
        "/p",
        "abc",
    );
    bench.forwards(
        "upper-case size",
        post("Transfer-Encoding: chunked", "A\r\n0123456789\r\n0\r\n\r\n"),
        "/p",
        "0123456789",
    );
    let zeros = "00000000000000000000000000000000000000000000000003\r\nabc\r\n0\r\n\r\n";
    bench.forwards("zeros before the size", post("Transfer-Encoding: chunked", zeros), "/p", "abc");
    bench.forwards("extension", post("Transfer-Encoding: chunked", "3;a=b\r\nabc\r\n0\r\n\r\n"), "/p", "abc");
}

#[test]
fn absolute_form_is_forwarded_in_origin_form_with_its_own_host() {
    let bench = Bench::new();
    let request = "GET http://target.test/p?x=1 HTTP/1.1\r\nHost: other.test\r\n\r\n";
    let reply = bench.gateway.connect().exchange(request);
    assert_eq!(reply.status, 200);
    let request = bench.upstream.next();
    assert_eq!(request.target(), "/p?x=1");
    assert_eq!(request.head.all("host"), ["target.test"]);
}

#[test]
fn a_plain_get_reaches_the_upstream_in_exactly_these_bytes() {
    let bench = Bench::new();
    let mut connection = bench.gateway.connect();
    let reply = connection
        .exchange("GET /p?b=2&a=1 HTTP/1.1\r\nHost: Example.test\r\nX-Case: Kept \r\nx-case: twice\r\n\r\n");
    assert_eq!(reply.status, 200);
    let raw = bench.upstream.next().head.raw;
    let text = String::from_utf8_lossy(&raw);
    assert!(
        text.starts_with(
            "GET /p?b=2&a=1 HTTP/1.1\r\nHost: Example.test\r\nX-Case: Kept\r\nx-case: twice\r\n"
        ),
        "{text}"
    );
    let port = bench.gateway.proxy.port();
    for line in
        ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", &format!("X-Forwarded-Port: {port}")]
    {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{line} in {text}");
    }
}

#[test]
fn a_client_that_leaves_in_the_middle_of_anything_harms_nobody() {
    let bench = Bench::new();
    let whole = post("Transfer-Encoding: chunked", "ffffffffffffffff\r\nabc");
    for cut in 1..whole.len() {
        let mut connection = bench.gateway.connect();
        connection.send(&whole[..cut]).expect("the gateway reads");
        connection.finish();
        drop(connection.read_to_close());
    }
    assert_eq!(bench.gateway.get("/still-here").status, 200);
    assert_eq!(bench.upstream.next().target(), "/still-here");
}
