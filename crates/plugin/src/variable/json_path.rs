//! Paths that lead to several places of a JSON body: `messages[*].content[0].type`, `..name`.

use serde_json::Value;

/// The part of `JSONPath` that conditions know: names, `[N]` counted from 0, `[*]` and `.*`, `['name']`, and `..` once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath(Box<[Step]>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(Box<str>),
    Index(usize),
    All,
    /// Here, and everywhere below.
    Below,
}

impl JsonPath {
    /// Reads what follows `$.`; `None` for what is no such path.
    pub(super) fn parse(text: &str) -> Option<Self> {
        // A dot in front is the second one of two.
        let below = text.strip_prefix('.').filter(|rest| !rest.starts_with('.'));
        let mut steps: Vec<_> = below.map(|_| Step::Below).into_iter().collect();
        let (mut rest, mut may_be_name) = (below.unwrap_or(text), true);
        while !rest.is_empty() {
            if let Some(more) = rest.strip_prefix("..") {
                // Each level of a second one would be walked again for each of the first.
                if steps.contains(&Step::Below) {
                    return None;
                }
                steps.push(Step::Below);
                (rest, may_be_name) = (more, true);
            } else if let Some(more) = rest.strip_prefix('.').filter(|_| !may_be_name) {
                (rest, may_be_name) = (more, true);
            } else if let Some(more) = rest.strip_prefix('[') {
                let (inside, more) = more.split_once(']')?;
                steps.push(bracket(inside)?);
                (rest, may_be_name) = (more, false);
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                let name = Some(&rest[..end]).filter(|name| may_be_name && !name.is_empty())?;
                steps.push(if name == "*" { Step::All } else { Step::Name(name.into()) });
                (rest, may_be_name) = (&rest[end..], false);
            }
        }
        // A dot at the end leads nowhere.
        (!may_be_name).then(|| Self(steps.into()))
    }

    /// Whether `is_it` says so of any of the places it leads to.
    pub(crate) fn any(&self, root: &Value, mut is_it: impl FnMut(&Value) -> bool) -> bool {
        walk(&self.0, root, &mut is_it)
    }
}

fn bracket(inside: &str) -> Option<Step> {
    if inside == "*" {
        return Some(Step::All);
    }
    let quoted = |quote| inside.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(name) = quoted('\'').or_else(|| quoted('"')) {
        return (!name.is_empty()).then(|| Step::Name(name.into()));
    }
    let is_number = inside.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| inside.parse().ok().map(Step::Index))?
}

/// The depth of a body is bounded by its parser, so this is.
fn walk(steps: &[Step], value: &Value, is_it: &mut dyn FnMut(&Value) -> bool) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        return is_it(value);
    };
    let mut each = |steps: &[Step]| match value {
        Value::Array(items) => items.iter().any(|item| walk(steps, item, is_it)),
        Value::Object(fields) => fields.values().any(|field| walk(steps, field, is_it)),
        _ => false,
    };
    match step {
        Step::All => each(rest),
        Step::Below => each(steps) || walk(rest, value, is_it),
        Step::Name(name) => value
            .as_object()
            .and_then(|fields| fields.get(&**name))
            .is_some_and(|field| walk(rest, field, is_it)),
        Step::Index(index) => {
            value.as_array().and_then(|items| items.get(*index)).is_some_and(|item| walk(rest, item, is_it))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(path: &str, root: &Value) -> Vec<Value> {
        let mut all = Vec::new();
        JsonPath::parse(path).unwrap().any(root, |value| {
            all.push(value.clone());
            false
        });
        all
    }

    #[test]
    fn a_path_leads_to_all_its_places() {
        let root = json!({
            "messages": [
                {"content": [{"type": "text"}, {"type": "image"}]},
                {"content": [{"type": "file"}], "type": "last"},
                7
            ],
            "a.b": {"x": 1, "y": 2}
        });
        for (path, expected) in [
            ("messages[*].content[*].type", json!(["text", "image", "file"])),
            ("messages[0].content[1].type", json!(["image"])),
            ("messages[9].content", json!([])),
            ("messages[2]", json!([7])),
            ("['a.b'].x", json!([1])),
            ("[\"a.b\"][*]", json!([1, 2])),
            ("messages.*.type", json!(["last"])),
            ("..x", json!([1])),
            (".x", json!([1])),
            ("messages..type", json!(["text", "image", "file", "last"])),
            ("messages[*][0]", json!([])),
        ] {
            assert_eq!(Value::from(found(path, &root)), expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in
            ["", ".", "a.", "a[", "a[-1]", "a[1:2]", "a[?(@.b)]", "a[]", "a]b[", "a..b..c", "[*]a", "a[1,2]"]
        {
            assert_eq!(JsonPath::parse(path), None, "{path}");
        }
    }
}
