//! How PATCH changes a value: JSON merge patch (RFC 7386), or one place of it.

use serde_json::{Map, Value};

/// Merges a patch into a value: objects field by field, `null` removes, all else replaces.
pub(crate) fn merge(value: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *value = patch;
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Some(fields) = value.as_object_mut() else {
        return;
    };
    for (name, patch) in patch {
        if patch.is_null() {
            fields.shift_remove(&name);
        } else {
            merge(fields.entry(name).or_insert(Value::Null), patch);
        }
    }
}

/// Replaces what is at a path, or removes it by `null`. Objects on the way are made where there are none.
pub(crate) fn set(value: &mut Value, path: &[&str], new: Value) -> Result<(), String> {
    let Some((last, way)) = path.split_last() else {
        *value = new;
        return Ok(());
    };
    let mut place = value;
    for (depth, name) in way.iter().enumerate() {
        let fields = place.as_object_mut().ok_or_else(|| invalid(&path[..depth]))?;
        place = fields.entry(*name).or_insert_with(|| Value::Object(Map::new()));
        if !place.is_object() {
            return Err(invalid(&path[..=depth]));
        }
    }
    let fields = place.as_object_mut().ok_or_else(|| invalid(path))?;
    if new.is_null() {
        fields.shift_remove(*last);
    } else {
        fields.insert((*last).to_owned(), new);
    }
    Ok(())
}

fn invalid(path: &[&str]) -> String {
    format!("invalid sub-path: /{}", path.join("/"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{merge, set};

    #[test]
    fn a_merge_follows_rfc_7386() {
        let cases = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ];
        for (mut value, patch, result) in cases {
            merge(&mut value, patch);
            assert_eq!(value, result);
        }
    }

    #[test]
    fn a_place_is_replaced_made_or_removed() {
        let mut value = json!({"upstream": {"nodes": {"a": 1}}});
        set(&mut value, &["upstream", "nodes"], json!({"b": 2})).unwrap();
        set(&mut value, &["plugins", "cors"], json!({})).unwrap();
        set(&mut value, &["upstream", "type"], json!("ewma")).unwrap();
        set(&mut value, &["upstream", "type"], Value::Null).unwrap();
        assert_eq!(value, json!({"upstream": {"nodes": {"b": 2}}, "plugins": {"cors": {}}}));
    }

    #[test]
    fn a_path_through_what_is_no_object_is_refused() {
        let mut value = json!({"uris": ["/a"], "name": "n"});
        assert_eq!(set(&mut value, &["uris", "0"], json!("/b")).unwrap_err(), "invalid sub-path: /uris");
        assert_eq!(set(&mut value, &["name", "a", "b"], json!(1)).unwrap_err(), "invalid sub-path: /name");
    }
}
