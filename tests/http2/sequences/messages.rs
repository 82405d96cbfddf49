//! RFC 9113 §8: messages. What is malformed never reaches the upstream; what is not arrives in one clear form.

use lockgate_tests::wire::*;

use super::{Case, Then, begun, begun_in_chunks, forwarded, with_value};

pub(super) const MALFORMED: Then = Then::Malformed;
const BAD: Then = Then::Refused(1, 400);

/// A GET with these fields behind what it needs.
pub(super) fn extra(fields: &[(&str, &str)]) -> Vec<u8> {
    headers(1, WHOLE, with(&GET, fields))
}

/// A request of exactly these fields.
pub(super) fn only(fields: &[(&str, &str)]) -> Vec<u8> {
    headers(1, WHOLE, block(fields))
}

/// A POST with fields, and its body in frames; the last one ends it.
fn upload(fields: &[(&str, &str)], pieces: &[&str]) -> Vec<u8> {
    let mut bytes = headers(1, END_HEADERS, with(&POST, fields));
    for (at, piece) in pieces.iter().enumerate() {
        bytes.extend(data(1, if at + 1 == pieces.len() { END_STREAM } else { 0 }, piece));
    }
    bytes
}

pub(super) fn get_with(fields: &str) -> Then {
    forwarded("GET /p", &format!("Host: h\r\n{fields}@\r\n"), "")
}

pub(crate) fn lengths() -> Vec<Case> {
    let length = |value| [("content-length", value)];
    let mut cases: Vec<Case> = vec![
        ("9113 §8.1.1", "fewer bytes than declared", upload(&length("5"), &["ab"]), MALFORMED),
        (
            "9113 §8.1.1",
            "more bytes than declared",
            upload(&length("1"), &["ab"]),
            begun(MALFORMED, "Content-Length: 1\r\n", ""),
        ),
        (
            "9113 §8.1.1",
            "more bytes in a second frame",
            upload(&length("2"), &["ab", "c"]),
            begun(MALFORMED, "Content-Length: 2\r\n", ""),
        ),
        ("9113 §8.1.1", "no body where one was declared", extra(&length("5")), MALFORMED),
        (
            "9113 §8.1.1",
            "trailers in place of the declared body",
            [headers(1, END_HEADERS, with(&POST, &length("2"))), headers(1, WHOLE, block(&[("a", "b")]))]
                .concat(),
            begun(MALFORMED, "Content-Length: 2\r\n", ""),
        ),
        (
            "9113 §8.1.1",
            "two lengths",
            upload(&[("content-length", "2"), ("content-length", "3")], &["ab"]),
            MALFORMED,
        ),
        (
            "9113 §8.1.1",
            "exactly what was declared",
            upload(&length("4"), &["ab", "cd"]),
            forwarded("POST /p", "Host: h\r\n@\r\nContent-Length: 4\r\n", "abcd"),
        ),
        (
            "9113 §8.1.1",
            "an empty body that is declared",
            upload(&length("0"), &[""]),
            forwarded("POST /p", "Host: h\r\n@\r\nContent-Length: 0\r\n", ""),
        ),
    ];
    for value in ["-1", "+2", "0x2", "2,2", "", "two", "99999999999999999999999", "2 "] {
        // A length of no digit shows late; what goes out until then says that its end is to come.
        let then = if value.is_empty() { begun_in_chunks(MALFORMED, "") } else { MALFORMED };
        let name = with_value("a length that is no number", value);
        cases.push(("9113 §8.1.1", name, upload(&length(value), &["ab"]), then));
    }
    cases
}

pub(crate) fn trailers_and_ends() -> Vec<Case> {
    let chunked = "Host: h\r\n@\r\nTransfer-Encoding: chunked\r\n";
    let trailers =
        |fields: &[(&str, &str)]| [post(1), data(1, 0, "ab"), headers(1, WHOLE, block(fields))].concat();
    vec![
        (
            "9113 §8.1",
            "a second head that ends nothing",
            [post(1), headers(1, END_HEADERS, block(&[("a", "b")]))].concat(),
            begun_in_chunks(MALFORMED, ""),
        ),
        (
            "9113 §8.1",
            "trailers",
            trailers(&[("x-sum", "2")]),
            forwarded("POST /p", chunked, "2\r\nab\r\n0\r\nx-sum: 2\r\n\r\n"),
        ),
        (
            "9110 §6.5.1",
            "trailers that would be fields of the head",
            trailers(&[("host", "evil"), ("content-length", "99"), ("authorization", "x"), ("x-sum", "2")]),
            forwarded("POST /p", chunked, "2\r\nab\r\n0\r\nx-sum: 2\r\n\r\n"),
        ),
        // The section calls these malformed; the `h2` crate takes them off without a word. None goes on.
        (
            "9113 §8.1",
            "pseudo-headers in the trailers",
            trailers(&[(":path", "/evil"), (":method", "GET"), ("x-sum", "2")]),
            forwarded("POST /p", chunked, "2\r\nab\r\n0\r\nx-sum: 2\r\n\r\n"),
        ),
        (
            "9113 §8.3",
            "a pseudo-header behind a trailer",
            trailers(&[("a", "b"), (":method", "GET")]),
            begun_in_chunks(MALFORMED, "2\r\nab\r\n"),
        ),
        (
            "9113 §8.2.2",
            "a connection field in the trailers",
            trailers(&[("transfer-encoding", "chunked")]),
            begun_in_chunks(MALFORMED, "2\r\nab\r\n"),
        ),
        (
            "9113 §8.2.1",
            "a line break in the trailers",
            trailers(&[("a", "b\r\n\r\nGET /evil HTTP/1.1")]),
            begun_in_chunks(MALFORMED, "2\r\nab\r\n"),
        ),
    ]
}

pub(crate) fn names_and_values() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for name in [
        "X-A", "a b", "a:b", "a\r\nb", "a\nb", "a\0b", "", " a", "a ", "a\t", "\u{e9}", "a\x7f", "(a)",
        "a,b", "a\"b",
    ] {
        cases.push((
            "9113 §8.2.1",
            with_value("a name that is none", name),
            extra(&[(name, "v")]),
            MALFORMED,
        ));
    }
    for value in ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "\r\n\r\nGET /evil HTTP/1.1", "a\n", "\0"] {
        cases.push((
            "9113 §8.2.1",
            with_value("a value with a line break or NUL", value),
            extra(&[("x", value)]),
            MALFORMED,
        ));
    }
    for value in [" a", "a ", "\ta", "a\t", " "] {
        cases.push((
            "9113 §8.2.1",
            with_value("a value between white space", value),
            extra(&[("x", value)]),
            BAD,
        ));
    }
    cases.push((
        "9113 §8.2.1",
        "a value with a tab and bytes above ASCII",
        extra(&[("x", "a\tb \u{fc}")]),
        get_with("x: a\tb \u{fc}\r\n"),
    ));
    cases.push(("9113 §8.2.1", "an empty value", extra(&[("x", "")]), get_with("x: \r\n")));
    cases
}

pub(crate) fn connection_fields() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (name, value) in [
        ("connection", "close"),
        ("connection", "x-a"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("transfer-encoding", "chunked"),
        ("transfer-encoding", "identity"),
        ("upgrade", "websocket"),
        ("upgrade", "h2c"),
        ("te", "gzip"),
        ("te", "trailers, gzip"),
    ] {
        cases.push(("9113 §8.2.2", with_value(name, value), extra(&[(name, value)]), MALFORMED));
    }
    cases.push(("9113 §8.2.2", "te: trailers", extra(&[("te", "trailers")]), get_with("")));
    cases.push((
        "9113 §8.2.3",
        "crumbs of a cookie",
        extra(&[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")]),
        get_with("x: y\r\nCookie: a=1; b=2\r\n"),
    ));
    cases.push((
        "9110 §11.7.1",
        "credentials for a proxy",
        extra(&[("proxy-authorization", "x")]),
        get_with(""),
    ));
    for (section, name, fields) in [
        (
            "7239 §8.1",
            "what a client says of its caller and host is replaced",
            &[("x-forwarded-host", "evil"), ("x-real-ip", "1.2.3.4")],
        ),
        (
            "7239 §8.1",
            "what a client says twice of its host is replaced",
            &[("x-forwarded-host", "h"), ("x-forwarded-host", "evil")],
        ),
        (
            "9110 §7.6",
            "names that look like them do not pass",
            &[("x_forwarded_host", "evil"), ("x.real.ip", "1.2.3.4")],
        ),
        (
            "9110 §7.6",
            "names that look like framing do not pass",
            &[("content_length", "5"), ("transfer_encoding", "chunked")],
        ),
    ] {
        cases.push((section, name, extra(fields), get_with("")));
    }
    cases
}

pub(crate) fn pseudo_headers() -> Vec<Case> {
    vec![
        (
            "9113 §8.3",
            "a pseudo-header behind a field",
            only(&[
                (":method", "GET"),
                (":scheme", "http"),
                ("a", "b"),
                (":path", "/p"),
                (":authority", "h"),
            ]),
            MALFORMED,
        ),
        ("9113 §8.3", "an unknown pseudo-header", extra_first(":unknown", "x"), MALFORMED),
        ("9113 §8.3", "a pseudo-header of responses", extra_first(":status", "200"), MALFORMED),
        ("9113 §8.3", "two methods", extra_first(":method", "POST"), MALFORMED),
        ("9113 §8.3", "two paths", extra_first(":path", "/evil"), MALFORMED),
        ("9113 §8.3", "two authorities", extra_first(":authority", "evil"), MALFORMED),
        ("9113 §8.3", "two schemes", extra_first(":scheme", "https"), MALFORMED),
        ("9113 §8.3.1", "no method", only(&GET[1..]), MALFORMED),
        ("9113 §8.3.1", "no scheme", only(&[GET[0], GET[2], GET[3]]), MALFORMED),
        ("9113 §8.3.1", "no path", only(&[GET[0], GET[1], GET[3]]), MALFORMED),
        ("9113 §8.3.1", "nothing at all", only(&[]), MALFORMED),
    ]
}

/// A GET with one more pseudo-header behind its own.
fn extra_first(name: &str, value: &str) -> Vec<u8> {
    extra(&[(name, value)])
}
