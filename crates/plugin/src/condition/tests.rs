//! What conditions hold for one request, and the words with which bad ones are refused.

use serde_json::json;

use super::*;
use crate::variable::tests::request;

fn holds(condition: &Value) -> bool {
    let (request, cx) = request();
    Condition::parse(condition).unwrap_or_else(|error| panic!("{condition}: {error}")).holds(&request, &cx)
}

#[test]
fn what_holds() {
    for condition in [
        json!([]),
        json!([["arg_name", "==", "json"]]),
        json!([["arg_name", "json"]]),
        json!([["arg_name", "==", "json"], ["request_method", "==", "POST"]]),
        json!([["arg_name", "~=", "xml"]]),
        json!([["arg_nope", "~=", "xml"]]),
        json!([["arg_nope", "==", null]]),
        json!([["arg_nope", "=="]]),
        json!([["no_such_variable", "==", null]]),
        json!([["arg_num", "==", 7]]),
        json!([["arg_num", "==", "7"]]),
        json!([["arg_nope", "~=", 7]]),
        json!([["arg_num", ">", 6.5]]),
        json!([["arg_num", ">=", "7"]]),
        json!([["arg_num", "<", 8]]),
        json!([["arg_num", "<=", 7]]),
        json!([["uri", "~~", "^/a b/[a-z]$"]]),
        json!([["arg_name", "~*", "JSON"]]),
        json!([["arg_name", "in", ["xml", "json"]]]),
        json!([["arg_num", "IN", [7, "7"]]]),
        json!([["arg_hex", "==", 31]]),
        json!([["arg_hex", ">", "0x1E"]]),
        json!([["arg_name", "!", "in", ["xml"]]]),
        json!([["arg_name", "!", "has", "json"]]),
        json!([["remote_addr", "ipmatch", ["127.0.0.1", "10.0.0.0/8"]]]),
        json!([["remote_addr", "ipmatch", "10.1.2.3"]]),
        json!([["remote_addr", "!", "ipmatch", ["::1"]]]),
        json!(["OR", ["arg_name", "==", "xml"], ["arg_num", ">", 6]]),
        json!([
            "or",
            ["arg_name", "==", "xml"],
            ["AND", ["arg_num", ">", 6], ["host", "==", "api.example.com"]]
        ]),
        json!(["!AND", ["arg_name", "==", "json"], ["arg_num", ">", 8]]),
        json!(["!OR", ["arg_name", "==", "xml"], ["arg_num", ">", 8]]),
        json!([["http_x_api_key", "==", "k"], [["cookie_one", "==", "1"], ["scheme", "==", "http"]]]),
    ] {
        assert!(holds(&condition), "{condition}");
    }
}

#[test]
fn what_does_not_hold() {
    for condition in [
        json!([["arg_name", "==", "xml"]]),
        json!([["arg_name", "~=", "json"]]),
        json!([["arg_name", "==", "json"], ["arg_num", ">", 8]]),
        json!([["arg_name", "==", 7]]),
        json!([["arg_name", ">", 1]]),
        json!([["arg_num", ">", "x"]]),
        json!([["arg_nope", "<", 1]]),
        json!([["arg_nope", "~~", ".*"]]),
        json!([["arg_nope", "in", ["", null]]]),
        json!([["arg_name", "in", "json"]]),
        json!([["arg_num", "in", [7]]]),
        json!([["arg_name", "has", "json"]]),
        json!([["arg_name", "~~", "JSON"]]),
        json!([["arg_flag", "==", true]]),
        json!([["arg_name", "ipmatch", ["10.0.0.0/8"]]]),
        json!([["arg_name", "!", "==", "json"]]),
        json!(["OR", ["arg_name", "==", "xml"], ["arg_num", ">", 8]]),
        json!(["!OR", ["arg_name", "==", "json"], ["arg_num", ">", 8]]),
    ] {
        assert!(!holds(&condition), "{condition}");
    }
}

#[test]
fn a_bad_condition_is_refused_in_apisix_words() {
    for (condition, error) in [
        (json!([["x", "bad", "y"]]), "invalid operator 'bad'"),
        (json!([["x", "=", "y"]]), "invalid operator '='"),
        (json!([["x"]]), "invalid expression"),
        (json!([[]]), "rule too short"),
        (json!([["!", "x", "==", "1"]]), "bad 'not' expression"),
        (json!(["OR", ["x", ">", 1]]), "rule too short"),
        (json!([["!AND", ["x", ">", 1]]]), "rule too short"),
        (json!(["x", "==", "1"]), "rule should be wrapped inside brackets"),
        (json!([["x", "ipmatch", ""]]), "invalid ip address"),
        (json!([["x", "ipmatch", []]]), "invalid ip address"),
        (json!([["x", "ipmatch", ["nope"]]]), "invalid ip address: nope"),
        (json!([["x", {}, "y"]]), "invalid expression"),
        (json!([1]), "invalid expression"),
        (json!([["x", "==", "y"], "z"]), "invalid expression"),
        (json!("x"), "missing argument rule"),
        (json!(null), "missing argument rule"),
    ] {
        assert_eq!(Condition::parse(&condition).unwrap_err(), error, "{condition}");
    }
    let error = Condition::parse(&json!([["x", "~~", "("]])).unwrap_err();
    assert!(error.starts_with("invalid regular expression '('"), "{error}");
    for (pattern, reason) in [
        ("a(?=b)", "look-around, including look-ahead and look-behind, is not supported"),
        (r"(a)\1", "backreferences are not supported"),
    ] {
        let error = Condition::parse(&json!([["x", "~~", pattern]])).unwrap_err();
        assert_eq!(error, format!("invalid regular expression '{pattern}': {reason}"));
    }
}
