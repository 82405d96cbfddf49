//! What paths become, by table, and against a model that decodes and resolves as often as it can.

use proptest::prelude::*;

use super::*;

#[test]
fn a_path_is_decoded_once_resolved_and_merged() {
    for (raw, normal) in [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/.well-known/x", "/.well-known/x"),
        ("/a..b/...", "/a..b/..."),
        ("/a//b///c", "/a/b/c"),
        ("/a/./b/.", "/a/b/"),
        ("/a/../b", "/b"),
        ("/a/b/..", "/a/"),
        ("/a/%2e%2E/b", "/b"),
        ("/a%2F..%2fb", "/b"),
        ("/a%2Fb", "/a/b"),
        ("/caf%C3%A9", "/café"),
        ("/caf%e9", "/caf%E9"),
        ("/a%252e", "/a%2e"),
        ("/a+b%20c", "/a+b c"),
        ("/x//../aws/y", "/aws/y"),
        ("*", "*"),
    ] {
        assert_eq!(normalise(raw).as_deref(), Ok(normal), "{raw}");
    }
}

#[test]
fn a_path_that_nobody_should_send_is_refused() {
    for (raw, reason) in [
        ("/%zz", Unsafe::Escape),
        ("/%4", Unsafe::Escape),
        ("/%", Unsafe::Escape),
        ("/%00", Unsafe::Control),
        ("/a%0ab", Unsafe::Control),
        ("/a%7F", Unsafe::Control),
        ("/a\nb", Unsafe::Control),
        ("/..", Unsafe::Climbs),
        ("/a/../../b", Unsafe::Climbs),
        ("/%2e%2e/b", Unsafe::Climbs),
        ("a/%20", Unsafe::Form),
    ] {
        assert_eq!(normalise(raw), Err(reason), "{raw}");
    }
}

#[test]
fn a_tail_keeps_the_encoding_of_the_client() {
    for (raw, prefix, rest) in [
        ("/aws/a/b", "/aws/", "a/b"),
        ("/aws/", "/aws/", ""),
        ("/aws/a%2Fb", "/aws/", "a%2Fb"),
        ("/aws/a%20b/caf%C3%A9", "/aws/", "a%20b/caf%C3%A9"),
        ("/aws/%e9/x", "/aws/", "%e9/x"),
        ("/azure///http////trigger", "/azure/", "http/trigger"),
        ("/aws/http:%2F%2Fh/x", "/aws/", "http:%2F%2Fh/x"),
        ("/aws/%2Fetc", "/aws/", "etc"),
        ("/aws%2Fx", "/aws", "%2Fx"),
        ("/%61ws/x%41", "/aws/", "x%41"),
        ("/aws/x/../y", "/aws/", "y"),
        ("/aws/x/%2e%2e/y", "/aws/", "y"),
        ("/q/../aws/a%2Fb/../c", "/aws/", "a%2Fc"),
        ("/aws/a;b=1", "/aws/", "a;b=1"),
        ("/aws/a%25b", "/aws/", "a%25b"),
        ("/aws/a..b/x..", "/aws/", "a..b/x.."),
    ] {
        assert!(normalise(raw).unwrap().starts_with(prefix), "{raw}");
        assert_eq!(tail(raw, prefix.len()).as_deref(), Ok(rest), "{raw}");
    }
}

#[test]
fn a_tail_that_could_climb_is_refused() {
    for (raw, len) in [
        ("/aws/%252e%252e%252fx", 5),
        ("/aws/%25252e%25252e/x", 5),
        ("/aws/..%5cx", 5),
        ("/aws/..\\x", 5),
        ("/aws/a\\..\\..\\x", 5),
        ("/aws/a%5C.%2e%5Cx", 5),
        ("/aws/..;/x", 5),
        ("/aws/%2e%2e;a=b/x", 5),
        ("/aws/%c0%ae%c0%ae/x", 5),
        ("/aws/%25c0%25ae/x", 5),
        ("/aws/%e0%80%ae", 5),
        ("/aws/%2500", 5),
        ("/aws../x", 4),
        ("/aws./x", 4),
        ("/aws%2e%2e%2fx", 4),
        ("/aws/%2525252525252e", 5),
        ("/caf%e9", 5),
        ("/aws", 9),
        ("/aws%20", 9),
    ] {
        assert_eq!(tail(raw, len), Err(Unsafe::Climbs), "{raw}");
    }
    assert_eq!(tail("/aws/../x%20", 5), Err(Unsafe::Climbs), "the prefix is gone, and the rest too short");
}

#[test]
fn base_and_tail_are_joined_with_one_slash() {
    for (base, tail, joined) in [
        ("/default/test-apisix", None, "/default/test-apisix"),
        ("", Some("default/test-apisix"), "/default/test-apisix"),
        ("/api", Some("http/trigger"), "/api/http/trigger"),
        ("/api", Some(""), "/api/"),
        ("/base/", Some("x/y"), "/base/x/y"),
        ("/base/", Some("/x"), "/base/x"),
        ("/base", Some("/x"), "/base/x"),
        ("/base", Some("a%2Fb"), "/base/a%2Fb"),
        ("", None, "/"),
        ("", Some(""), "/"),
        ("/", Some("x"), "/x"),
        ("st age", Some("é?#"), "/st%20age/%C3%A9%3F%23"),
    ] {
        assert_eq!(join(base, tail), joined, "{base} {tail:?}");
    }
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/", "/", "//", "a", "b", "aws", ".", "..", "%2e", "%2E", "%2f", "%2F", "%5c", "\\", "%25", "%252e",
        "%252f", "%25252e", "2e", ";", "%3b", "%20", "%C3%A9", "é", "%e9", "%c0%ae", "%", "%00", "%zz",
    ]);
    prop::collection::vec(piece, 0..14).prop_map(|pieces| format!("/{}", pieces.concat()))
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((&byte, more)) = rest.split_first() {
        match decode(rest) {
            Some(byte) => (out.push(byte), rest = &rest[3..]).1,
            None => (out.push(byte), rest = more).1,
        }
    }
    out
}

/// The segments of a path for a server that takes `\` for `/`; `None` when it climbs above the root.
fn resolved(path: &[u8]) -> Option<Vec<&[u8]>> {
    let mut segments = Vec::new();
    for segment in path.split(|byte| matches!(byte, b'/' | b'\\')) {
        match segment {
            b"" | b"." => {}
            b".." => drop(segments.pop()?),
            _ => segments.push(segment),
        }
    }
    Some(segments)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_path_that_is_plain_in_eights_is_normal_byte_by_byte(raw in "[a/.%\\x00-\\x21~é]{0,40}") {
        prop_assert!(!is_plain(raw.as_bytes()) || is_normal_by_byte(raw.as_bytes()), "{:?}", raw);
        let words = raw.replace(['%', '.', '\x7f', '/'], "a").replace(|letter| letter < ' ', "/a");
        prop_assert!(words.len() < 8 || is_plain(words.as_bytes()), "{:?}", words);
    }

    #[test]
    fn a_normal_path_has_nothing_left_to_resolve(raw in pieces()) {
        if let Ok(normal) = normalise(&raw) {
            prop_assert!(normal.starts_with('/') && !normal.contains("//"));
            prop_assert!(normal.split('/').all(|segment| segment != "." && segment != ".."));
        }
    }

    #[test]
    fn a_tail_stands_for_what_follows_the_prefix(raw in pieces()) {
        let Ok(normal) = normalise(&raw) else { return Ok(()) };
        for len in (0..=normal.len()).filter(|&len| normal.is_char_boundary(len)) {
            let Ok(tail) = tail(&raw, len) else { continue };
            let again = normalise(&format!("/{tail}")).map(|path| path[1..].to_owned());
            prop_assert_eq!(again.as_deref(), Ok(normal[len..].trim_start_matches('/')), "{} after {}", raw, len);
        }
    }

    #[test]
    fn no_tail_leaves_its_base_however_often_it_is_decoded(raw in pieces(), base in "/[a-z]{1,3}(/[a-z]{1,3})?/?") {
        let Ok(normal) = normalise(&raw) else { return Ok(()) };
        for len in 0..=normal.len() {
            let Ok(tail) = tail(&raw, len) else { continue };
            let mut path = join(&base, Some(&tail)).into_bytes();
            prop_assert!(path.iter().all(|byte| (b'!'..=b'~').contains(byte)));
            for round in 0..=4 {
                let inside = resolved(&path).is_some_and(|path| path.starts_with(&resolved(base.as_bytes()).unwrap()));
                prop_assert!(inside, "{} at {} leaves {} after {} decodings", raw, len, base, round);
                path = decoded(&path);
            }
        }
    }
}
