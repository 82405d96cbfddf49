//! Other readings of a path to match rules on, which operators ask for: without a slash at its end, without the
//! parameters of servlets, with an encoded slash kept as such.

use super::{Unsafe, decode};

/// Which other readings there are. None is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// A slash at the end is not looked at: `/a/` reads `/a`. The root stays what it is.
    pub delete_tail_slash: bool,
    /// What follows a `;` in a segment is not looked at, as by servlets: `/a;x=1/b` reads `/a/b`.
    pub like_servlet: bool,
    /// An encoded slash is no slash: `/a%2Fb` reads `/a%2Fb`. Only rules see that; a path that has anything to
    /// merge or to resolve besides is read as ever.
    pub keep_encoded_slash: bool,
}

/// A reading of a path that differs from the normal one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    text: String,
    /// For each byte of `text`, and for its end, where it stands in the normal path.
    origins: Vec<usize>,
    is_uri: bool,
}

impl Reading {
    /// The path as rules match on it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same as the path that variables and plugins see; `None` where they see the normal one.
    pub fn uri(&self) -> Option<&str> {
        Some(self.text.as_str()).filter(|_| self.is_uri)
    }

    /// How much of the normal path the first `len` bytes of this reading stand for.
    pub fn in_normal(&self, len: usize) -> usize {
        self.origins.get(len).or(self.origins.last()).copied().unwrap_or_default()
    }
}

impl Options {
    /// Whether there is any other reading than the normal one.
    pub fn is_any(self) -> bool {
        self.delete_tail_slash || self.like_servlet || self.keep_encoded_slash
    }

    /// Reads a path, whose normal form is known; `None` where that is how it reads.
    pub fn read(self, raw: &str, normal: &str) -> Result<Option<Reading>, Unsafe> {
        let mut kept: Vec<(usize, u8)> = normal.bytes().enumerate().collect();
        if self.delete_tail_slash && kept.len() > 1 && normal.ends_with('/') {
            kept.pop();
        }
        if self.like_servlet && normal.contains(';') {
            kept = without_parameters(&kept)?;
        }
        let is_same = kept.len() == normal.len();
        if is_same && !self.keep_encoded_slash {
            return Ok(None);
        }
        if is_same {
            return Ok(slashes_kept(raw, normal));
        }
        Ok(reading(kept, normal, true))
    }
}

fn reading(kept: Vec<(usize, u8)>, normal: &str, is_uri: bool) -> Option<Reading> {
    let (mut origins, text): (Vec<_>, Vec<_>) = kept.into_iter().unzip();
    origins.push(normal.len());
    Some(Reading { text: String::from_utf8(text).ok()?, origins, is_uri })
}

/// What servlets see of a path. A parameter on a segment that would mean something else without it is refused.
fn without_parameters(path: &[(usize, u8)]) -> Result<Vec<(usize, u8)>, Unsafe> {
    let mut seen = Vec::with_capacity(path.len());
    let mut segments = path.split(|(_, byte)| *byte == b'/').peekable();
    let mut at = 0;
    while let Some(segment) = segments.next() {
        let end = segment.iter().position(|(_, byte)| *byte == b';');
        let name = &segment[..end.unwrap_or(segment.len())];
        let text: Vec<u8> = name.iter().map(|(_, byte)| byte.to_ascii_lowercase()).collect();
        let is_last = segments.peek().is_none();
        let hides = match text.as_slice() {
            b"" => !is_last,
            b"." | b".." | b"%2e" | b"%2e%2e" => true,
            _ => false,
        };
        if end.is_some() && hides {
            return Err(Unsafe::Parameter);
        }
        seen.extend_from_slice(name);
        at += segment.len();
        seen.extend(path.get(at));
        at += 1;
    }
    Ok(seen)
}

/// The path with its encoded slashes kept, in upper case, where decoding is all there is to do.
fn slashes_kept(raw: &str, normal: &str) -> Option<Reading> {
    let bytes = raw.as_bytes();
    let (mut kept, mut plain) = (Vec::with_capacity(bytes.len()), Vec::with_capacity(bytes.len()));
    let (mut at, mut has_slash) = (0, false);
    while let Some(&first) = bytes.get(at) {
        let decoded = decode(&bytes[at..]);
        let origin = plain.len();
        if decoded == Some(b'/') {
            has_slash = true;
            // Inside the escape is nowhere in the normal path: before it is.
            kept.extend(b"%2F".iter().map(|byte| (origin, *byte)));
        } else {
            kept.push((origin, decoded.unwrap_or(first)));
        }
        plain.push(decoded.unwrap_or(first));
        at += if decoded.is_some() { 3 } else { 1 };
    }
    if !has_slash || plain != normal.as_bytes() {
        return None;
    }
    reading(kept, normal, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::normalise;

    fn read(options: Options, raw: &str) -> Result<String, Unsafe> {
        let normal = normalise(raw)?;
        let reading = options.read(raw, &normal)?;
        Ok(reading.map_or_else(|| normal.to_string(), |reading| reading.text().to_owned()))
    }

    #[test]
    fn a_slash_at_the_end_can_be_left_out() {
        let options = Options { delete_tail_slash: true, ..Options::default() };
        for (raw, text) in [("/a/", "/a"), ("/a", "/a"), ("/", "/"), ("/a//", "/a"), ("/a%2F", "/a")] {
            assert_eq!(read(options, raw).as_deref(), Ok(text), "{raw}");
        }
    }

    #[test]
    fn parameters_of_segments_can_be_left_out() {
        let options = Options { like_servlet: true, ..Options::default() };
        for (raw, text) in [
            ("/a;x=1/b", "/a/b"),
            ("/hello;a=b/world;a/;", "/hello/world/"),
            ("/a%3Bx/b;/", "/a/b/"),
            ("/a/b", "/a/b"),
            ("/é;ü/ö", "/é/ö"),
        ] {
            assert_eq!(read(options, raw).as_deref(), Ok(text), "{raw}");
        }
        for raw in ["/;/a", "/%2e;", "/.;", "/..;", "/b/;/c", "/%252e;", "/%252E%252e;x/a", "/a/..;/b"] {
            assert_eq!(read(options, raw), Err(Unsafe::Parameter), "{raw}");
        }
    }

    #[test]
    fn an_encoded_slash_can_be_kept() {
        let options = Options { keep_encoded_slash: true, ..Options::default() };
        for (raw, text) in [
            ("/v/te%2fst/x", "/v/te%2Fst/x"),
            ("/v/te%41st", "/v/teAst"),
            ("/a%2Fb/", "/a%2Fb/"),
            ("/x%2Fy/../..", "/"),
            ("/a%2F%2Fb", "/a/b"),
            ("/é%2Fü", "/é%2Fü"),
        ] {
            assert_eq!(read(options, raw).as_deref(), Ok(text), "{raw}");
        }
    }

    #[test]
    fn a_reading_knows_where_it_stands_in_the_normal_path() {
        let servlet = Options { like_servlet: true, ..Options::default() };
        let reading = servlet.read("/a;x/b", "/a;x/b").unwrap().unwrap();
        assert_eq!((reading.uri(), reading.in_normal(3), reading.in_normal(4)), (Some("/a/b"), 5, 6));
        let kept = Options { keep_encoded_slash: true, ..Options::default() };
        let reading = kept.read("/a%2Fb/c", "/a/b/c").unwrap().unwrap();
        assert_eq!((reading.uri(), reading.in_normal("/a%2Fb/".len())), (None, "/a/b/".len()));
    }
}
