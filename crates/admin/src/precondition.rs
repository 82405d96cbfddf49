//! `If-Match`: a change is made only to what its caller has seen (RFC 9110, section 13.1.1).

use http::{HeaderMap, HeaderValue, header};
use lockgate_resource::{Record, Revision};
use lockgate_store::Expect;

use crate::envelope::Refusal;

/// The tag of a revision of a resource.
pub(crate) fn tag(revision: Revision) -> String {
    format!("\"{revision}\"")
}

/// Whether `If-Match` holds for what there is, and what the store then has to find unchanged.
pub(crate) fn expect(headers: &HeaderMap, record: Option<&Record>) -> Result<Expect, Refusal> {
    let mut written = headers.get_all(header::IF_MATCH).iter().peekable();
    if written.peek().is_none() {
        return Ok(Expect::Anything);
    }
    let record = record.ok_or(Refusal::Changed)?;
    let tag = tag(record.modified);
    let lists = written.filter_map(|list: &HeaderValue| list.to_str().ok());
    let fits = lists.flat_map(|list| list.split(',')).any(|one| one.trim() == "*" || one.trim() == tag);
    if fits { Ok(Expect::Unchanged(record.modified)) } else { Err(Refusal::Changed) }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use lockgate_resource::{Id, Kind, Record, Revision};
    use lockgate_store::Expect;
    use serde_json::json;

    use super::expect;

    #[test]
    fn only_a_tag_that_was_given_out_fits() {
        let id = Id::new("1").unwrap();
        let modified = Revision(7);
        let record = Record { kind: Kind::Route, id, value: json!({}), created: Revision(1), modified };
        let check = |written: Option<&str>, record: Option<&Record>| {
            let headers: HeaderMap =
                written.into_iter().map(|tag| (http::header::IF_MATCH, tag.parse().unwrap())).collect();
            expect(&headers, record).ok()
        };
        assert_eq!(check(None, None), Some(Expect::Anything));
        assert_eq!(check(Some("\"7\""), Some(&record)), Some(Expect::Unchanged(modified)));
        assert_eq!(check(Some("\"6\", \"7\""), Some(&record)), Some(Expect::Unchanged(modified)));
        assert_eq!(check(Some("*"), Some(&record)), Some(Expect::Unchanged(modified)));
        for stale in ["\"6\"", "7", "W/\"7\"", ""] {
            assert_eq!(check(Some(stale), Some(&record)), None, "{stale}");
        }
        assert_eq!(check(Some("*"), None), None);
    }
}
