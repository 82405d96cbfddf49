//! What the target of a call says: the segments of its path after `/apisix/admin`, and its query.

use axum::extract::Query;
use http::Uri;

/// The path of the Admin API.
const ROOT: &str = "/apisix/admin";

/// What the target of a call says, percent-decoded.
pub(crate) struct Address {
    /// The segments of the path after `/apisix/admin`; empty ones are left out.
    pub(crate) segments: Vec<String>,
    query: Vec<(String, String)>,
}

impl Address {
    /// `None` where the path is not below the root of the Admin API.
    pub(crate) fn of(uri: &Uri) -> Option<Self> {
        let path = uri.path().strip_prefix(ROOT).filter(|path| path.is_empty() || path.starts_with('/'))?;
        let segments = path.split('/').filter(|segment| !segment.is_empty()).map(decode).collect();
        let query =
            Query::try_from_uri(uri).map_or(Vec::new(), |query: Query<Vec<(String, String)>>| query.0);
        Some(Self { segments, query })
    }

    /// The first value of a query argument.
    pub(crate) fn argument(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Percent-decodes. What is not UTF-8 becomes the replacement character, which no id has.
fn decode(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let is_hex = |two: &&str| two.bytes().all(|digit| digit.is_ascii_hexdigit());
        let byte = digits.filter(is_hex).and_then(|two| u8::from_str_radix(two, 16).ok());
        let escaped = byte.filter(|_| first == b'%');
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Address, decode};

    #[test]
    fn segments_are_decoded_after_the_path_is_split() {
        let address =
            Address::of(&"/apisix/admin/routes/a%2Fb//c%20d/?x=1%262&y=&x=3".parse().unwrap()).unwrap();
        assert_eq!(address.segments, ["routes", "a/b", "c d"]);
        assert_eq!(address.argument("x"), Some("1&2"));
        assert_eq!(address.argument("y"), Some(""));
        assert_eq!(address.argument("z"), None);
        assert!(Address::of(&"/apisix/administer".parse().unwrap()).is_none());
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(decode("%"), "%");
        assert_eq!(decode("%4"), "%4");
        assert_eq!(decode("%zz%41"), "%zzA");
        assert_eq!(decode("%+1"), "%+1");
        assert_eq!(decode("%ff"), "\u{fffd}");
    }
}
