//! What is said of a value that does not fit.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Schema;

fn said(schema: Value, value: &Value) -> String {
    Schema::compile(schema).unwrap().check(value).unwrap_err()
}

/// A schema, a value that does not fit it, and what is said.
const MISTAKES: [(&str, &str, &str); 23] = [
    (r#"{"type": "integer"}"#, r#""x""#, "wrong type: expected integer, got string"),
    (r#"{"type": "object"}"#, "[]", "wrong type: expected object, got array"),
    (r#"{"type": ["integer", "boolean"]}"#, "null", "wrong type: expected one of boolean, integer, got null"),
    (r#"{"minimum": 100}"#, "99", "expected 99 to be at least 100"),
    (r#"{"exclusiveMinimum": 0}"#, "0.0", "expected 0 to be greater than 0"),
    (r#"{"maximum": 1.5}"#, "2", "expected 2 to be at most 1.5"),
    (r#"{"exclusiveMaximum": 2}"#, "2", "expected 2 to be smaller than 2"),
    (r#"{"multipleOf": 5}"#, "7", "expected 7 to be a multiple of 5"),
    (r#"{"minLength": 64}"#, r#""y""#, "string too short, expected at least 64, got 1"),
    (r#"{"maxLength": 1}"#, r#""éé""#, "string too long, expected at most 1, got 2"),
    (r#"{"minItems": 1}"#, "[]", "expect array to have at least 1 items"),
    (r#"{"maxItems": 1}"#, "[1, 2]", "expect array to have at most 1 items"),
    (r#"{"minProperties": 1}"#, "{}", "expect object to have at least 1 properties"),
    (r#"{"maxProperties": 0}"#, r#"{"a": 1}"#, "expect object to have at most 0 properties"),
    (r#"{"uniqueItems": true}"#, "[1, 2, 1]", "expected unique items but items 1 and 3 are equal"),
    (r#"{"items": {"enum": [1]}}"#, "[2]", "failed to validate item 1: matches none of the enum values"),
    (r#"{"additionalProperties": false}"#, r#"{"bogus": 1}"#, "additional properties forbidden, found bogus"),
    (r#"{"required": ["send"]}"#, "{}", "property \"send\" is required"),
    (r#"{"not": {"type": "null"}}"#, "null", "value wasn't supposed to match schema"),
    (r#"{"const": 1}"#, "2", "failed to check const value"),
    (r#"{"format": "ipv4"}"#, r#""x""#, "expect valid ipv4 format but got: x"),
    (r#"{"if": true, "then": {"minimum": 1}}"#, "0", "then clause did not match"),
    (
        r#"{"properties": {"a": false}}"#,
        r#"{"a": 0}"#,
        "property \"a\" validation failed: expect false always",
    ),
];

#[test]
fn mistakes_are_named_in_the_words_of_apisix() {
    for (schema, value, words) in MISTAKES {
        let schema = serde_json::from_str(schema).unwrap();
        assert_eq!(said(schema, &serde_json::from_str(value).unwrap()), words, "{value}");
    }
}

#[test]
fn the_place_of_a_mistake_is_told_from_the_outside_in() {
    let schema = json!({"properties": {"a": {"items": {"properties": {"b": {"type": "string"}}}}}});
    let words = "property \"a\" validation failed: failed to validate item 2: \
                 property \"b\" validation failed: wrong type: expected string, got number";
    assert_eq!(said(schema, &json!({"a": [{}, {"b": 1}]})), words);
    let schema = json!({"patternProperties": {"^/x": {"minimum": 0}}});
    assert_eq!(
        said(schema, &json!({"/x~1": -1})),
        "failed to validate /x~1 (matching \"^/x\"): expected -1 to be at least 0"
    );
    let schema = json!({"additionalProperties": {"type": "string"}});
    assert_eq!(
        said(schema, &json!({"1": 2})),
        "failed to validate additional property 1: wrong type: expected string, got number"
    );
}

#[test]
fn a_pattern_is_quoted_as_lua_does() {
    let words = r#"failed to match pattern "^[a-zA-Z0-9_\\-]+$" with "a b""#;
    assert_eq!(said(json!({"pattern": r"^[a-zA-Z0-9_\-]+$"}), &json!("a b")), words);
}

#[test]
fn choices_say_how_many_fit() {
    let one = json!({"oneOf": [{"required": ["a"]}, {"required": ["b"]}, {"required": ["c"]}]});
    assert_eq!(said(one.clone(), &json!({})), "value should match only one schema, but matches none");
    assert_eq!(
        said(one.clone(), &json!({"b": 1, "c": 1})),
        "value should match only one schema, but matches both schemas 2 and 3"
    );
    assert_eq!(
        said(json!({"allOf": [one]}), &json!({})),
        "allOf 1 failed: value should match only one schema, but matches none"
    );
    let any = json!({"anyOf": [{"required": ["a", "b"]}, {"required": ["c"]}]});
    assert_eq!(said(any, &json!({})), r#"object matches none of the required: ["a","b"] or ["c"]"#);
    let any = json!({"anyOf": [{"type": "string"}, {"type": "integer"}]});
    assert_eq!(said(any, &json!({})), "object matches none of the required");
}

#[test]
fn of_several_mistakes_the_first_in_the_schema_is_named() {
    let schema = json!({
        "properties": {"connect": {}, "send": {"minimum": 1}, "read": {}},
        "required": ["read", "connect", "send"],
        "additionalProperties": false,
        "anyOf": [{"required": ["never"]}],
    });
    assert_eq!(said(schema.clone(), &json!({"zzz": 1, "send": 0})), "property \"connect\" is required");
    assert_eq!(
        said(schema.clone(), &json!({"read": 1, "send": 0, "connect": 1})),
        "property \"send\" validation failed: expected 0 to be at least 1"
    );
    assert_eq!(
        said(schema.clone(), &json!({"zzz": 1, "read": 1, "send": 1, "connect": 1})),
        "additional properties forbidden, found zzz"
    );
    assert_eq!(
        said(schema, &json!({"read": 1, "send": 1, "connect": 1})),
        "object matches none of the required: [\"never\"]"
    );
}

#[test]
fn a_reference_is_followed() {
    let schema = json!({
        "properties": {"a": {"$ref": "#/definitions/word"}},
        "definitions": {"word": {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]}},
    });
    assert_eq!(
        said(schema, &json!({"a": {}})),
        "property \"a\" validation failed: property \"b\" is required"
    );
}

#[test]
fn what_is_no_schema_is_refused() {
    assert!(Schema::compile(json!({"type": "nosuch"})).is_err());
    assert!(Schema::compile(json!({"pattern": "("})).is_err());
    assert!(Schema::compile(json!({"pattern": "(?=a)b"})).is_err());
}

proptest! {
    #[test]
    fn the_same_mistake_gets_the_same_words(numbers in proptest::collection::vec(-5i64..5, 0..6)) {
        let schema = json!({"items": {"minimum": 0}, "maxItems": 4, "uniqueItems": true});
        let check = || Schema::compile(schema.clone()).unwrap().check(&json!(numbers));
        prop_assert_eq!(check(), check());
        let fits = numbers.iter().all(|number| *number >= 0) && numbers.len() <= 4
            && numbers.iter().collect::<std::collections::HashSet<_>>().len() == numbers.len();
        prop_assert_eq!(check().is_ok(), fits);
    }
}
