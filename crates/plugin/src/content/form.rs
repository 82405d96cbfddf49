//! The fields of a body: a form, urlencoded or in parts, or JSON.

use memchr::memmem;
use serde_json::{Map, Value};

use crate::variable::form_bytes;

/// Further fields of a form are not looked at.
const MOST_FIELDS: usize = 1000;

pub(super) fn is_urlencoded(content_type: &str) -> bool {
    is(content_type, "application/x-www-form-urlencoded")
}

pub(super) fn is_json(content_type: &str) -> bool {
    is(content_type, "application/json")
}

fn is(content_type: &str, name: &str) -> bool {
    content_type.split(';').next().is_some_and(|own| own.trim().eq_ignore_ascii_case(name))
}

fn is_multipart(content_type: &str) -> bool {
    is(content_type, "multipart/form-data")
}

/// Whether a body of this type has fields at all.
pub(super) fn has_fields(content_type: &str) -> bool {
    is_json(content_type) || is_urlencoded(content_type) || is_multipart(content_type)
}

/// The fields; `None` where there are none to read.
pub(super) fn fields(content_type: &str, body: &[u8]) -> Option<Value> {
    if is_json(content_type) {
        return serde_json::from_slice(body).ok();
    }
    if is_urlencoded(content_type) {
        return std::str::from_utf8(body).ok().map(urlencoded);
    }
    if is_multipart(content_type) {
        return boundary(content_type).map(|boundary| parts(boundary, body));
    }
    None
}

/// A name that is there several times has a list.
fn urlencoded(body: &str) -> Value {
    let mut fields = Map::new();
    for pair in body.split('&').filter(|pair| !pair.is_empty()).take(MOST_FIELDS) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let text = |part| String::from_utf8_lossy(&form_bytes(part).collect::<Vec<_>>()).into_owned();
        let value = Value::from(text(value));
        match fields.entry(text(name)) {
            serde_json::map::Entry::Vacant(vacant) => drop(vacant.insert(value)),
            serde_json::map::Entry::Occupied(mut own) => match own.get_mut() {
                Value::Array(several) => several.push(value),
                one => *one = vec![one.take(), value].into(),
            },
        }
    }
    fields.into()
}

fn boundary(content_type: &str) -> Option<&str> {
    parameter(content_type, "boundary").filter(|boundary| !boundary.is_empty())
}

/// A parameter of a header's value: `; name=value` or `; name="value"`.
fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    value.split(';').skip(1).find_map(|part| {
        let (own, value) = part.split_once('=')?;
        own.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

/// The parts of a form (RFC 7578) by their names; of one name the last.
fn parts(boundary: &str, body: &[u8]) -> Value {
    let mut fields = Map::new();
    let delimiter = format!("--{boundary}");
    let starts: Vec<usize> = memmem::find_iter(body, delimiter.as_bytes())
        .filter(|at| *at == 0 || body[..*at].ends_with(b"\r\n"))
        .take(MOST_FIELDS)
        .collect();
    for pair in starts.windows(2) {
        let part = &body[pair[0] + delimiter.len()..pair[1]];
        let Some(part) = part.strip_prefix(b"\r\n").and_then(|part| part.strip_suffix(b"\r\n")) else {
            continue;
        };
        let Some(end) = memmem::find(part, b"\r\n\r\n") else { continue };
        let heads = String::from_utf8_lossy(&part[..end]);
        let disposition = heads.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
        });
        if let Some(name) = disposition.and_then(|value| parameter(value, "name")) {
            let value = String::from_utf8_lossy(&part[end + 4..]);
            fields.insert(name.to_owned(), value.into_owned().into());
        }
    }
    fields.into()
}
