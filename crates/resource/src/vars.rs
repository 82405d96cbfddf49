//! The grammar of `vars`: conditions on what is known of a request, as lua-resty-expr reads them.

use serde_json::Value;

/// The operators of a condition.
const OPERATORS: [&str; 11] = [
    "==", "~=", ">", ">=", "<", "<=", "~~", "~*", "in", "has", "ipmatch",
];

/// The words that join conditions.
const JOINTS: [&str; 4] = ["OR", "!OR", "AND", "!AND"];

/// How deep conditions may stand in conditions.
const DEPTH: usize = 32;

/// Whether `vars` can be read: a list of conditions that must all hold, or one that begins with a word that
/// joins them. A condition is `[name, operator, value]`, `[name, "!", operator, value]` or, short for `==`,
/// `[name, value]`. Regular expressions and addresses inside are not looked at. The error is in APISIX's words.
pub fn check_vars(vars: &[Value]) -> Result<(), String> {
    let Some(first) = vars.first() else { return Ok(()) };
    if !first.is_array() && !joins(first) {
        return Err("rule should be wrapped inside brackets".to_owned());
    }
    check_rules(vars, DEPTH)
}

fn joins(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|word| JOINTS.contains(&word.to_ascii_uppercase().as_str()))
}

fn check_rules(rules: &[Value], depth: usize) -> Result<(), String> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(format!("more than {DEPTH} rules inside each other"));
    };
    let rules = match rules.first() {
        None => return Err("rule too short".to_owned()),
        Some(first) if joins(first) && rules.len() <= 2 => return Err("rule too short".to_owned()),
        Some(first) if joins(first) => &rules[1..],
        Some(first) if first.is_array() => rules,
        Some(_) => return check_condition(rules),
    };
    rules.iter().try_for_each(|rule| match rule {
        Value::Array(rule) => check_rules(rule, depth),
        _ => Err("rule should be wrapped inside brackets".to_owned()),
    })
}

fn check_condition(condition: &[Value]) -> Result<(), String> {
    let operator = match condition {
        [_, not, operator, _] if not == "!" => operator,
        [_, _, _, _] => return Err("bad 'not' expression".to_owned()),
        [_, operator, _] => operator,
        [Value::String(_), _] => return Ok(()),
        _ => return Err("invalid expression".to_owned()),
    };
    if !condition[0].is_string() {
        return Err("invalid expression".to_owned());
    }
    let Some(operator) = operator.as_str() else {
        return Err(format!("invalid operator '{operator}'"));
    };
    let operator = operator.to_ascii_lowercase();
    if !OPERATORS.contains(&operator.as_str()) {
        return Err(format!("invalid operator '{operator}'"));
    }
    let value = condition.last().unwrap_or(&Value::Null);
    let is_empty = value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty);
    if operator == "ipmatch" && is_empty {
        return Err("invalid ip address".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::check_vars;

    fn check(vars: &Value) -> Result<(), String> {
        check_vars(vars.as_array().unwrap())
    }

    #[test]
    fn what_apisix_reads_passes() {
        let cases = [
            json!([]),
            json!([["arg_a", "==", "1"]]),
            json!([["arg_a", "1"], ["http_x", "!", "~~", "^a"]]),
            json!([
                "OR",
                ["arg_a", "==", 1],
                ["and", ["arg_b", "IN", [1]], ["remote_addr", "ipmatch", "::1"]]
            ]),
            json!([[["arg_a", ">", 1], ["arg_b", "<=", 2]]]),
        ];
        for vars in cases {
            assert_eq!(check(&vars), Ok(()), "{vars}");
        }
    }

    #[test]
    fn what_apisix_refuses_is_refused_in_its_words() {
        let mut deep = json!(["a", "==", 1]);
        for _ in 0..40 {
            deep = json!([deep]);
        }
        let cases = [
            (json!([["x", "bad", "y"]]), "invalid operator 'bad'"),
            (json!([["x", 1, "y"]]), "invalid operator '1'"),
            (json!(["x", "==", "y"]), "rule should be wrapped inside brackets"),
            (json!(["AND", "x", "y"]), "rule should be wrapped inside brackets"),
            (json!(["OR", ["x", "y"]]), "rule too short"),
            (json!([[]]), "rule too short"),
            (json!([["x", "not", "==", "y"]]), "bad 'not' expression"),
            (json!([["x"]]), "invalid expression"),
            (json!([[1, "==", 2]]), "invalid expression"),
            (json!([["x", "ipmatch", []]]), "invalid ip address"),
            (deep, "more than 32 rules inside each other"),
        ];
        for (vars, why) in cases {
            assert_eq!(check(&vars).unwrap_err(), why, "{vars}");
        }
    }
}
