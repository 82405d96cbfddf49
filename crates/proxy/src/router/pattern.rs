//! The uris of routes: literals, `:name` for one segment, `*` for whatever follows.

/// One part of a uri.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Itself.
    Literal(&'a str),
    /// `:name`: one segment that is not empty.
    Parameter(&'a str),
    /// `*` or `*name`: everything up to `rest`, which the path must end with.
    Tail { name: &'a str, rest: &'a str },
}

/// The parts of a uri. `:`, where it means something at all, and `*name` do so at the start of a segment only.
pub(super) fn parts(uri: &str, has_parameters: bool) -> impl Iterator<Item = Part<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = uri.get(at..).filter(|rest| !rest.is_empty())?;
        let is_start = at == 0 || uri.as_bytes()[at - 1] == b'/';
        if let Some(text) = rest.strip_prefix('*') {
            at = uri.len();
            let is_name = is_start && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let (name, rest) = if is_name { (text, "") } else { ("", text) };
            return Some(Part::Tail { name, rest });
        }
        if let Some(name) = parameter(rest).filter(|_| is_start && has_parameters) {
            at += 1 + name.len();
            return Some(Part::Parameter(name));
        }
        let is_end = |(index, _): &(usize, &str)| {
            let starts_segment = *index > 0 && rest.as_bytes()[index - 1] == b'/';
            rest.as_bytes()[*index] == b'*'
                || (has_parameters && starts_segment && parameter(&rest[*index..]).is_some())
        };
        let len = rest.match_indices(['*', ':']).find(is_end).map_or(rest.len(), |(index, _)| index);
        at += len;
        Some(Part::Literal(&rest[..len]))
    })
}

/// The name at the start of `:name`.
fn parameter(text: &str) -> Option<&str> {
    let text = text.strip_prefix(':')?;
    let len = text.find(['/', '*']).unwrap_or(text.len());
    text.get(..len).filter(|name| !name.is_empty())
}

/// A uri, split for the tree.
pub(super) struct Pattern<'a> {
    /// What stands before the first parameter, between two, and after the last.
    pub(super) literals: Vec<&'a str>,
    /// What the path must end with behind a `*`; `None` without one.
    pub(super) tail: Option<&'a str>,
    pub(super) names: Names,
}

/// Which parts of a uri have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    None,
    /// The `*name` at its end: a `:` means itself.
    Tail,
    /// Segments too.
    Segments,
}

impl<'a> Pattern<'a> {
    /// `None` for a second wildcard behind a `*`.
    pub(super) fn parse(uri: &'a str, has_parameters: bool) -> Option<Self> {
        let mut pattern = Self { literals: vec![""], tail: None, names: Names::None };
        let named = if has_parameters { Names::Segments } else { Names::Tail };
        for part in parts(uri, has_parameters) {
            match part {
                Part::Literal(text) => *pattern.literals.last_mut()? = text,
                Part::Parameter(_) => {
                    pattern.literals.push("");
                    pattern.names = named;
                }
                Part::Tail { name, rest } => {
                    pattern.tail = Some(rest);
                    if !name.is_empty() {
                        pattern.names = named;
                    }
                }
            }
        }
        let is_clear =
            pattern.tail.is_none_or(|rest| !rest.contains('*') && (!has_parameters || !rest.contains("/:")));
        is_clear.then_some(pattern)
    }
}

/// What the `:name` parts of a uri, and a named tail, stand for in a path that it matches.
pub(super) fn parameters<'a>(
    uri: &'a str,
    path: &'a str,
    has_parameters: bool,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let mut rest = path;
    parts(uri, has_parameters).filter_map(move |part| match part {
        Part::Literal(text) => {
            rest = rest.get(text.len()..).unwrap_or_default();
            None
        }
        Part::Parameter(name) => {
            let (value, after) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            rest = after;
            Some((name, value))
        }
        Part::Tail { name, .. } => Some((name, rest)).filter(|_| !name.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_falls_into_its_parts() {
        use Part::{Literal, Parameter, Tail};
        for (uri, expected) in [
            ("/a/b", vec![Literal("/a/b")]),
            ("/a/:id/b", vec![Literal("/a/"), Parameter("id"), Literal("/b")]),
            ("/:a/:b", vec![Literal("/"), Parameter("a"), Literal("/"), Parameter("b")]),
            ("/v1/x:batch", vec![Literal("/v1/x:batch")]),
            ("/w/:", vec![Literal("/w/:")]),
            ("/a/*", vec![Literal("/a/"), Tail { name: "", rest: "" }]),
            ("/a*", vec![Literal("/a"), Tail { name: "", rest: "" }]),
            ("/a/*rest", vec![Literal("/a/"), Tail { name: "rest", rest: "" }]),
            ("/a/*/b", vec![Literal("/a/"), Tail { name: "", rest: "/b" }]),
            ("/a/*.js", vec![Literal("/a/"), Tail { name: "", rest: ".js" }]),
            ("/a/:x*", vec![Literal("/a/"), Parameter("x"), Tail { name: "", rest: "" }]),
            ("*", vec![Tail { name: "", rest: "" }]),
            ("/é/:ü/*", vec![Literal("/é/"), Parameter("ü"), Literal("/"), Tail { name: "", rest: "" }]),
        ] {
            assert_eq!(parts(uri, true).collect::<Vec<_>>(), expected, "{uri}");
        }
    }

    #[test]
    fn a_colon_may_mean_itself() {
        use Part::{Literal, Tail};
        assert_eq!(parts("/a/:id/b", false).collect::<Vec<_>>(), [Literal("/a/:id/b")]);
        let expected = [Literal("/:a/"), Tail { name: "rest", rest: "" }];
        assert_eq!(parts("/:a/*rest", false).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn parameters_are_read_from_the_path() {
        let read = |uri, path| parameters(uri, path, true).collect::<Vec<_>>();
        assert_eq!(read("/a/:id/b/:n", "/a/é 1/b/2"), [("id", "é 1"), ("n", "2")]);
        assert_eq!(read("/a/:id/*rest", "/a/1/x/y"), [("id", "1"), ("rest", "x/y")]);
        assert_eq!(read("/a/*", "/a/1"), []);
    }
}
