//! Heads, beside httparse: what both take they read alike, and what only one takes has its reason.

use lockgate_http::fuzzing::{BodyEnd, Head, read_request, read_response};

use crate::allowed::{self, Difference, Theirs};

/// Fields that are the connection's own: read here, and not passed on.
const OWN: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "upgrade",
    "proxy-authorization",
    "proxy-authenticate",
    "content-length",
    "transfer-encoding",
    "expect",
];

/// Holds a request's head against httparse; the reason where only httparse takes it.
pub(crate) fn request(input: &[u8]) -> Option<Difference> {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut theirs = httparse::Request::new(&mut fields);
    let len = match theirs.parse(input) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) | Err(_) => {
            let ours = read_request(input);
            assert!(!matches!(ours, Some(Ok(_))), "only this engine takes {}", input.escape_ascii());
            return None;
        }
    };
    let (method, target) = (theirs.method.expect("it is whole"), theirs.path.expect("it is whole"));
    let is_old = theirs.version == Some(0);
    let read = Theirs { head: &input[..len], is_old, fields: theirs.headers };
    let difference = allowed::of_request(&read, method, target);
    match (read_request(input), difference) {
        (Some(Ok(head)), None) => {
            assert_eq!(head.len, len, "{}", input.escape_ascii());
            let version = if is_old { "HTTP/1.0" } else { "HTTP/1.1" };
            let (path, authority) = origin(target);
            assert_eq!(head.start, format!("{method} {path} {version}"), "{}", input.escape_ascii());
            is_same(&head, &read, authority.as_deref(), true);
            assert_eq!(head.body, body(&read, BodyEnd::None), "{}", input.escape_ascii());
            assert_eq!(head.keep_alive, keeps(&read), "{}", input.escape_ascii());
            None
        }
        (Some(Err(_)), Some(difference)) => Some(difference),
        (ours, difference) => panic!("{ours:?} and {difference:?} for {}", input.escape_ascii()),
    }
}

/// Holds a response's head against httparse; the reason where only httparse takes it.
pub(crate) fn response(input: &[u8], is_head: bool) -> Option<Difference> {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut theirs = httparse::Response::new(&mut fields);
    let len = match theirs.parse(input) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) | Err(_) => {
            let ours = read_response(input, is_head);
            assert!(!matches!(ours, Some(Ok(_))), "only this engine takes {}", input.escape_ascii());
            return None;
        }
    };
    let code = theirs.code.expect("it is whole");
    let is_old = theirs.version == Some(0);
    let read = Theirs { head: &input[..len], is_old, fields: theirs.headers };
    let difference = allowed::of_response(&read, code);
    match (read_response(input, is_head), difference) {
        (Some(Ok(head)), None) => {
            assert_eq!(head.len, len, "{}", input.escape_ascii());
            let version = if is_old { "HTTP/1.0" } else { "HTTP/1.1" };
            assert_eq!(head.start, format!("{version} {code}"), "{}", input.escape_ascii());
            is_same(&head, &read, None, false);
            let has_none = is_head || code < 200 || code == 204 || code == 304;
            let expected = if has_none { BodyEnd::None } else { body(&read, BodyEnd::Close) };
            assert_eq!(head.body, expected, "{}", input.escape_ascii());
            assert!(!head.keep_alive || (keeps(&read) && head.body != BodyEnd::Close));
            None
        }
        (Some(Err(_)), Some(difference)) => Some(difference),
        (ours, difference) => panic!("{ours:?} and {difference:?} for {}", input.escape_ascii()),
    }
}

/// A target in origin form, and the authority that an absolute one has.
fn origin(target: &str) -> (String, Option<String>) {
    if target.starts_with('/') || target == "*" {
        return (target.to_owned(), None);
    }
    let rest = &target[target.find("//").expect("it is absolute") + 2..];
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    (path, Some(authority.to_owned()))
}

/// Names that upstreams may take for framing or for what the gateway says, where they make variables of fields.
const TAKEN_FOR: [&str; 11] = [
    "keep-alive",
    "x-real-ip",
    "content-length",
    "x-forwarded-for",
    "proxy-connection",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "transfer-encoding",
    "proxy-authenticate",
    "proxy-authorization",
];

/// Whether a name becomes another one with each mark made a hyphen, and that is one of those.
fn is_lookalike(name: &str) -> bool {
    let folded = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    folded != name && TAKEN_FOR.contains(&folded.as_str())
}

/// The same fields in the same order, but for those that are the connection's own and, in a request, their like.
fn is_same(ours: &Head, theirs: &Theirs<'_>, authority: Option<&str>, is_request: bool) {
    let nominated = theirs.nominated();
    let is_kept = |name: &str| {
        let name = name.to_ascii_lowercase();
        let is_named = nominated.iter().any(|option| option == name.as_bytes()) && name != "host";
        let is_dropped = OWN.contains(&name.as_str()) || (is_request && is_lookalike(&name));
        !is_named && !is_dropped
    };
    let mut expected: Vec<(String, Vec<u8>)> = theirs
        .fields
        .iter()
        .filter(|field| is_kept(field.name))
        .map(|field| (field.name.to_owned(), field.value.trim_ascii().to_vec()))
        .collect();
    if let Some(authority) = authority {
        match expected.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("host")) {
            Some((_, value)) => *value = authority.as_bytes().to_vec(),
            None => expected.push(("Host".to_owned(), authority.as_bytes().to_vec())),
        }
    }
    assert_eq!(ours.fields, expected);
}

fn body(theirs: &Theirs<'_>, otherwise: BodyEnd) -> BodyEnd {
    if theirs.values("transfer-encoding").next().is_some() {
        return BodyEnd::Chunked;
    }
    let length = theirs.values("content-length").next();
    length.map_or(otherwise, |value| {
        BodyEnd::Length(std::str::from_utf8(value).expect("digits").parse().expect("digits"))
    })
}

fn keeps(theirs: &Theirs<'_>) -> bool {
    let options = theirs.values("connection").flat_map(|value| value.split(|byte| *byte == b','));
    let options: Vec<_> = options.map(|option| option.trim_ascii().to_ascii_lowercase()).collect();
    let has = |option: &[u8]| options.iter().any(|one| one == option);
    !has(b"close") && (!theirs.is_old || has(b"keep-alive"))
}

/// However a head is delivered, it is one head, or refused.
pub(crate) fn delivered(input: &[u8]) {
    let whole = read_request(input);
    for len in 0..input.len() {
        match read_request(&input[..len]) {
            None => {}
            Some(Ok(head)) => {
                assert!(whole.is_some_and(|whole| whole == Ok(head)), "{}", input.escape_ascii());
                return;
            }
            Some(Err(_)) => {
                assert!(matches!(whole, Some(Err(_))), "{} at {len}", input.escape_ascii());
                return;
            }
        }
    }
}
