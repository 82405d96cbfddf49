//! Compiled conditions decide as one that is read anew from its JSON for each request.

use http::Method;
use lockgate_http::Request;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::Condition;
use crate::variable::tests::request;

/// What the query says; `None` for an argument that is not there.
type Arguments = [(&'static str, Option<&'static str>); 3];

/// Reads a condition and decides at once.
fn decide(rule: &[Value], arguments: &Arguments) -> bool {
    let nested = |rules: &[Value]| -> Vec<bool> {
        rules.iter().map(|rule| decide(rule.as_array().unwrap(), arguments)).collect()
    };
    match rule.first() {
        None => true,
        Some(Value::Array(_)) => nested(rule).into_iter().all(|holds| holds),
        Some(word) => match word.as_str().unwrap().to_uppercase().as_str() {
            "AND" => nested(&rule[1..]).into_iter().all(|holds| holds),
            "OR" => nested(&rule[1..]).into_iter().any(|holds| holds),
            "!AND" => !nested(&rule[1..]).into_iter().all(|holds| holds),
            "!OR" => !nested(&rule[1..]).into_iter().any(|holds| holds),
            _ => compare(rule, arguments),
        },
    }
}

fn compare(rule: &[Value], arguments: &Arguments) -> bool {
    let name = rule[0].as_str().unwrap().strip_prefix("arg_").unwrap();
    let given = arguments.iter().find(|(own, _)| *own == name).and_then(|(_, value)| *value);
    if rule.len() == 4 {
        return !apply(rule[2].as_str().unwrap(), given, &rule[3]);
    }
    apply(rule[1].as_str().unwrap(), given, &rule[2])
}

fn apply(operator: &str, given: Option<&str>, operand: &Value) -> bool {
    let number = given.and_then(spelt);
    let is_equal = match operand {
        Value::Null => given.is_none(),
        Value::String(text) => given == Some(text.as_str()),
        Value::Number(expected) => number == expected.as_f64() && number.is_some(),
        _ => false,
    };
    let limit = operand.as_f64().or_else(|| spelt(operand.as_str()?));
    let ordered = |holds: fn(f64, f64) -> bool| number.zip(limit).is_some_and(|(a, b)| holds(a, b));
    match operator {
        "==" => is_equal,
        "~=" => !is_equal,
        ">" => ordered(|a, b| a > b),
        ">=" => ordered(|a, b| a >= b),
        "<" => ordered(|a, b| a < b),
        "<=" => ordered(|a, b| a <= b),
        "~~" => given.is_some_and(|given| given.contains(operand.as_str().unwrap())),
        "~*" => given
            .is_some_and(|given| given.to_lowercase().contains(&operand.as_str().unwrap().to_lowercase())),
        "in" | "IN" => operand.as_array().is_some_and(|items| {
            items.iter().any(|item| item.as_str().is_some_and(|text| given == Some(text)))
        }),
        "has" | "HAS" => false,
        _ => unreachable!("{operator}"),
    }
}

/// The few spellings of numbers that these tests use.
fn spelt(text: &str) -> Option<f64> {
    match text {
        "0x10" => Some(16.0),
        _ => text.trim().parse().ok(),
    }
}

const VALUES: [&str; 9] = ["", "a", "A", "ab", "7", "7.0", "10", "-1", "0x10"];

fn operand() -> impl Strategy<Value = Value> {
    let text = select(VALUES.to_vec()).prop_map(Value::from);
    let list = prop::collection::vec(select(vec![json!("a"), json!("7"), json!(7), json!(null)]), 0..3);
    prop_oneof![
        text,
        select(vec![json!(7), json!(10), json!(-1), json!(16), json!(null), json!(true), json!({})]),
        list.prop_map(Value::from),
    ]
}

fn comparison() -> impl Strategy<Value = Value> {
    let name = select(vec!["arg_x", "arg_y", "arg_z"]);
    let plain = select(vec!["==", "~=", ">", ">=", "<", "<=", "in", "IN", "has", "HAS"]);
    let regex = (select(vec!["~~", "~*"]), select(VALUES.to_vec()).prop_map(Value::from));
    let either = prop_oneof![4 => (plain, operand()), 1 => regex];
    (name, either, any::<bool>()).prop_map(|(name, (operator, operand), is_reversed)| {
        if is_reversed { json!([name, "!", operator, operand]) } else { json!([name, operator, operand]) }
    })
}

fn condition() -> impl Strategy<Value = Value> {
    let nested = comparison().prop_recursive(4, 24, 4, |inner| {
        let word = select(vec!["AND", "OR", "!AND", "!OR", "and", "or"]);
        let joined = (word, prop::collection::vec(inner.clone(), 2..4)).prop_map(|(word, rules)| {
            let mut all = vec![json!(word)];
            all.extend(rules);
            Value::from(all)
        });
        prop_oneof![joined, prop::collection::vec(inner, 1..4).prop_map(Value::from)]
    });
    prop::collection::vec(nested, 0..4).prop_map(Value::from)
}

fn argument() -> impl Strategy<Value = Option<&'static str>> {
    prop::option::of(select(VALUES.to_vec()))
}

proptest! {
    #[test]
    fn a_compiled_condition_decides_as_its_text_does(
        condition in condition(),
        x in argument(),
        y in argument(),
    ) {
        let arguments = [("x", x), ("y", y), ("z", None)];
        let query: Vec<_> = arguments
            .iter()
            .filter_map(|(name, value)| value.map(|value| format!("{name}={value}")))
            .collect();
        let request_of_it = Request::new(Method::GET, &format!("/?{}", query.join("&"))).unwrap();
        let (_, cx) = request();
        let compiled = Condition::parse(&condition).unwrap();
        let expected = decide(condition.as_array().unwrap(), &arguments);
        prop_assert_eq!(compiled.holds(&request_of_it, &cx), expected, "{} for {:?}", condition, arguments);
    }
}
