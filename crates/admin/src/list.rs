//! Lists of resources: which are shown, in which order, and which page.

use std::sync::Arc;

use lockgate_resource::{Kind, Record, read_id};
use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::address::Address;
use crate::envelope::Refusal;

/// How large a compiled filter may become, in bytes.
const FILTER_SIZE: usize = 1 << 20;

/// The fields that `filter` looks at, as in APISIX; it ignores others.
const FILTERED: [&str; 2] = ["service_id", "upstream_id"];

/// What a list asks for.
pub(crate) struct Query {
    name: Option<Regex>,
    uri: Option<Regex>,
    label: Option<String>,
    fields: Vec<(&'static str, String)>,
    page: Option<(usize, usize)>,
}

impl Query {
    /// Everything.
    pub(crate) const ALL: Self = Self { name: None, uri: None, label: None, fields: Vec::new(), page: None };

    /// Reads the arguments `name` and `uri` (regular expressions), `label`, `filter`, `page` and `page_size`.
    pub(crate) fn of(kind: Kind, address: &Address) -> Result<Self, Refusal> {
        let regex = |argument: &str| {
            let Some(pattern) = address.argument(argument) else {
                return Ok(None);
            };
            let compiled = RegexBuilder::new(pattern).size_limit(FILTER_SIZE).build();
            compiled
                .map(Some)
                .map_err(|_| Refusal::Invalid(format!("{argument} {pattern} is no regular expression")))
        };
        let filter = address.argument("filter").filter(|_| kind == Kind::Route).unwrap_or_default();
        let written = |name: &&str| {
            let pair =
                filter.split('&').filter_map(|pair| pair.split_once('=')).rfind(|(field, _)| field == name);
            pair.map(|(_, value)| value.to_owned())
        };
        let fields = FILTERED.into_iter().filter_map(|name| Some((name, written(&name)?))).collect();
        // As documented; APISIX itself finds nothing by an empty label.
        let label = address.argument("label").filter(|label| !label.is_empty()).map(str::to_owned);
        Ok(Self { name: regex("name")?, uri: regex("uri")?, label, fields, page: page(address)? })
    }

    /// Which records are shown, and how many fit on all pages. They come in the order of their ids; on pages, in
    /// that of their creation, so that a new one does not move the others.
    pub(crate) fn pick(&self, mut records: Vec<Arc<Record>>) -> (Vec<Arc<Record>>, usize) {
        records.retain(|record| self.shows(&record.value));
        let total = records.len();
        if let Some((page, size)) = self.page {
            records.sort_by_key(|record| record.created);
            records = records.into_iter().skip((page - 1).saturating_mul(size)).take(size).collect();
        }
        (records, total)
    }

    fn shows(&self, value: &Value) -> bool {
        let fits = |regex: &Regex, text: Option<&Value>| {
            text.and_then(Value::as_str).is_some_and(|text| regex.is_match(text))
        };
        let has_name = self.name.as_ref().is_none_or(|name| fits(name, value.get("name")));
        let has_label = self.label.as_ref().is_none_or(|label| value["labels"].get(label).is_some());
        let has_uri = self.uri.as_ref().is_none_or(|uri| {
            let many = value.get("uris").and_then(Value::as_array).into_iter().flatten();
            many.chain(value.get("uri")).any(|text| fits(uri, Some(text)))
        });
        let refers = |(field, id): &(&str, String)| {
            value.get(field).and_then(read_id).is_some_and(|found| found.as_str() == id)
        };
        has_name && has_label && has_uri && self.fields.iter().all(refers)
    }
}

/// Which page is asked for; all of them are one without `page` and `page_size`, as in APISIX.
fn page(address: &Address) -> Result<Option<(usize, usize)>, Refusal> {
    let number = |name| address.argument(name).and_then(|text| text.parse::<i64>().ok());
    let (Some(page), Some(size)) = (number("page"), number("page_size")) else {
        return Ok(None);
    };
    if !(10..=500).contains(&size) {
        return Err(Refusal::PageSize);
    }
    let natural = |number: i64| usize::try_from(number.max(1)).unwrap_or(usize::MAX);
    Ok(Some((natural(page), natural(size))))
}
