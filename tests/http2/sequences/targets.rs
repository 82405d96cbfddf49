//! RFC 9113 §8.3.1 and §8.5: what is asked for, of which host, and by which method.

use lockgate_tests::wire::*;

use super::messages::{MALFORMED, extra, get_with, only};
use super::{Case, Then, forwarded, with_value};

const BAD: Then = Then::Refused(1, 400);

/// A GET with another value for one of its own fields.
fn instead(name: &str, value: &str) -> Vec<u8> {
    let fields: Vec<_> =
        GET.iter().map(|(own, old)| (*own, if *own == name { value } else { *old })).collect();
    only(&fields)
}

pub(crate) fn methods_and_paths() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for method in [
        "GET /evil HTTP/1.1\r\nX: y",
        "GET ",
        " GET",
        "G\tET",
        "G\r\n",
        "GET\n",
        "G\0T",
        "",
        "G(T",
        "G\u{e9}T",
    ] {
        cases.push((
            "9113 §8.3.1",
            with_value("a method that is no token", method),
            instead(":method", method),
            MALFORMED,
        ));
    }
    for path in ["", "/a b", "/ HTTP/1.1\r\nX: y\r\n\r\n", "/a\nb", "/a\rb", "/a\0b", "/\x7f", "/\t"] {
        cases.push((
            "9113 §8.3.1",
            with_value("a path that would end the request line", path),
            instead(":path", path),
            MALFORMED,
        ));
    }
    for path in ["a", "http://evil/", "evil:80", "?a", "*", "*?a", "\\a"] {
        cases.push((
            "9113 §8.3.1",
            with_value("a path that does not begin with a slash", path),
            instead(":path", path),
            MALFORMED,
        ));
    }
    cases.push((
        "9113 §8.3.1",
        "a path of two slashes",
        instead(":path", "//evil/p"),
        forwarded("GET //evil/p", "Host: h\r\n@\r\n", ""),
    ));
    cases.push((
        "9113 §8.3.1",
        "a path kept as it is",
        instead(":path", "/%2F/%20?q=a+b&%0d"),
        forwarded("GET /%2F/%20?q=a+b&%0d", "Host: h\r\n@\r\n", ""),
    ));
    cases.push((
        "3986 §4.1",
        "a fragment",
        instead(":path", "/a#b"),
        forwarded("GET /a", "Host: h\r\n@\r\n", ""),
    ));
    cases
}

pub(crate) fn hosts() -> Vec<Case> {
    let mut cases: Vec<Case> = vec![
        ("9113 §8.3.1", "another host than the authority", extra(&[("host", "evil")]), BAD),
        ("9113 §8.3.1", "the same host twice", extra(&[("host", "h"), ("host", "h")]), BAD),
        ("9113 §8.3.1", "the host of the authority", extra(&[("host", "h")]), get_with("")),
        ("9113 §8.3.1", "a host alone", only(&[GET[0], GET[1], GET[2], ("host", "h")]), get_with("")),
        ("9113 §8.3.1", "neither", only(&GET[..3]), BAD),
        ("9113 §8.3.1", "an empty host", only(&[GET[0], GET[1], GET[2], ("host", "")]), BAD),
        (
            "9113 §8.3.1",
            "a port",
            instead(":authority", "h:81"),
            forwarded("GET /p", "Host: h:81\r\n@\r\n", ""),
        ),
        ("9113 §8.3.1", "another scheme than the connection's", instead(":scheme", "https"), get_with("")),
        ("9113 §8.3.1", "a scheme that is not HTTP's", instead(":scheme", "ftp"), BAD),
        ("9113 §8.3.1", "a scheme that is none", instead(":scheme", "ht tp"), MALFORMED),
        (
            "9113 §8.5",
            "CONNECT",
            only(&[(":method", "CONNECT"), (":authority", "h:443")]),
            Then::Refused(1, 405),
        ),
        ("9113 §8.5", "CONNECT with a path", instead(":method", "CONNECT"), MALFORMED),
        (
            "9110 §7.1",
            "a star for all",
            only(&[(":method", "OPTIONS"), GET[1], (":path", "*"), GET[3]]),
            Then::Refused(1, 404),
        ),
    ];
    for authority in [
        "user@h",
        "user:pw@h",
        "h/p",
        "h?q",
        "h#f",
        "h\\p",
        "h h",
        "h\r\nX: y",
        "h\n",
        "h\0",
        "h:80:80",
        "h:x",
        "[::1",
        "::1",
        "",
        "h,evil",
        "h\u{e9}",
    ] {
        cases.push((
            "9113 §8.3.1",
            with_value("an authority that is none", authority),
            instead(":authority", authority),
            MALFORMED,
        ));
    }
    cases
}

pub(crate) fn extended_connect() -> Vec<Case> {
    let protocol = (":protocol", "websocket");
    let connect = (":method", "CONNECT");
    vec![
        (
            "8441 §4",
            "CONNECT for WebSocket by a route that does not allow it",
            headers(1, END_HEADERS, block(&[connect, protocol, GET[1], GET[2], GET[3]])),
            Then::Refused(1, 403),
        ),
        (
            "8441 §4",
            "CONNECT for WebSocket without a path",
            headers(1, END_HEADERS, block(&[connect, protocol, GET[1], GET[3]])),
            Then::Malformed,
        ),
        (
            "8441 §4",
            "a protocol for another method than CONNECT",
            headers(1, WHOLE, with(&[protocol], &GET)),
            Then::Malformed,
        ),
    ]
}
