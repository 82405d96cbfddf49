//! Paths: a tail stands for what follows its prefix and never leaves its base, decoded up to four times; nor does
//! one whose prefix was matched on another reading of the path.

use lockgate_http::path::{Options, join, normalise, tail};

/// Panics where that does not hold of this text behind a slash.
pub(crate) fn check(text: &str) {
    let raw = format!("/{text}");
    let Ok(normal) = normalise(&raw) else { return };
    assert!(normal.starts_with('/') && !normal.contains("//"), "{raw:?} is not normal: {normal:?}");
    assert!(normal.split('/').all(|segment| segment != "." && segment != ".."), "{raw:?} is not resolved");
    // A few prefixes are enough: short inputs reach all the others.
    // Prefixes are text, and so end between two characters.
    for len in (0..=normal.len()).filter(|len| normal.is_char_boundary(*len)).take(32) {
        let Ok(tail) = tail(&raw, len) else { continue };
        stands_for(&raw, &tail, &normal, len);
        for base in ["", "/a", "/a/b/"] {
            stays_inside(base, &tail);
        }
    }
    for bits in 1..8 {
        let options = Options {
            delete_tail_slash: bits & 1 != 0,
            like_servlet: bits & 2 != 0,
            keep_encoded_slash: bits & 4 != 0,
        };
        reads_otherwise(options, &raw, &normal);
    }
}

fn reads_otherwise(options: Options, raw: &str, normal: &str) {
    let Ok(Some(reading)) = options.read(raw, normal) else {
        return;
    };
    let text = reading.text();
    assert!(text.starts_with('/'), "{raw:?} reads {text:?}");
    assert!(
        text.split('/').all(|segment| segment != "." && segment != ".."),
        "{raw:?} reads {text:?}, which is not resolved"
    );
    if options.delete_tail_slash && !options.like_servlet {
        assert!(text == "/" || !text.ends_with('/'), "{raw:?} reads {text:?}");
    }
    let mut last = 0;
    for len in (0..=text.len()).take(32) {
        let prefix = reading.in_normal(len);
        assert!(
            last <= prefix && prefix <= normal.len(),
            "{raw:?}: {len} of {text:?} is {prefix} of {normal:?}"
        );
        last = prefix;
        let Ok(tail) = tail(raw, prefix) else {
            continue;
        };
        stays_inside("/a", &tail);
    }
}

fn stands_for(raw: &str, tail: &str, normal: &str, len: usize) {
    let again = normalise(&format!("/{tail}")).map(|path| path[1..].to_owned());
    let expected = normal.get(len..).map(|rest| rest.trim_start_matches('/').to_owned());
    assert_eq!(again.ok(), expected, "{raw:?} after {len}");
}

fn stays_inside(base: &str, tail: &str) {
    let mut path = join(base, Some(tail)).into_bytes();
    let inside: Vec<_> = base.split('/').filter(|segment| !segment.is_empty()).map(str::as_bytes).collect();
    for round in 0..=4 {
        let is_inside = resolved(&path).is_some_and(|path| path.starts_with(&inside));
        assert!(is_inside, "{tail:?} leaves {base:?} after {round} decodings");
        path = decoded(&path);
    }
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

fn decoded(text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((&first, more)) = rest.split_first() {
        let escape = match rest {
            [b'%', high, low, ..] => digit(*high).zip(digit(*low)),
            _ => None,
        };
        out.push(escape.map_or(first, |(high, low)| high << 4 | low));
        rest = if escape.is_some() { &rest[3..] } else { more };
    }
    out
}
