//! Reads conditions from JSON, as lua-resty-expr does and in its words where it refuses.

use serde_json::Value;

use super::Rule;
use super::compare::Comparison;
use crate::Variable;

/// A whole condition: nothing at all always holds.
pub(super) fn condition(value: &Value) -> Result<Rule, String> {
    let Value::Array(items) = value else {
        return Err("missing argument rule".to_owned());
    };
    match items.first() {
        None => Ok(Rule::All(Box::default())),
        Some(Value::String(word)) if joins(word).is_none() => {
            Err("rule should be wrapped inside brackets".to_owned())
        }
        Some(_) => rule(items),
    }
}

fn rule(items: &[Value]) -> Result<Rule, String> {
    let too_short = || Err("rule too short".to_owned());
    match items.first() {
        None => too_short(),
        Some(Value::Array(_)) => Ok(Rule::All(rules(items)?)),
        Some(Value::String(word)) => match joins(word) {
            Some(_) if items.len() <= 2 => too_short(),
            Some(join) => Ok(join(rules(&items[1..])?)),
            None => comparison(word, items),
        },
        Some(_) => Err("invalid expression".to_owned()),
    }
}

fn rules(items: &[Value]) -> Result<Box<[Rule]>, String> {
    items.iter().map(|item| rule(item.as_array().ok_or("invalid expression")?)).collect()
}

type Join = fn(Box<[Rule]>) -> Rule;

/// What a logic operator makes of its rules.
fn joins(word: &str) -> Option<Join> {
    Some(match word.to_ascii_uppercase().as_str() {
        "AND" => Rule::All,
        "OR" => Rule::Any,
        "!AND" => |rules| Rule::Not(Box::new(Rule::All(rules))),
        "!OR" => |rules| Rule::Not(Box::new(Rule::Any(rules))),
        _ => return None,
    })
}

fn comparison(name: &str, items: &[Value]) -> Result<Rule, String> {
    let (is_reversed, rest) = match items {
        [_, Value::String(not), rest @ ..] if rest.len() == 2 && not == "!" => (true, rest),
        [_, _, _, _] => return Err("bad 'not' expression".to_owned()),
        _ => (false, &items[1..]),
    };
    let comparison = match rest {
        [Value::String(operator)] if Comparison::is_operator(operator) => {
            Comparison::parse(operator, &Value::Null)?
        }
        [value @ (Value::String(_) | Value::Number(_))] => Comparison::parse("==", value)?,
        [Value::String(operator), value, ..] => Comparison::parse(operator, value)?,
        _ => return Err("invalid expression".to_owned()),
    };
    let variable = Variable::parse(name);
    if variable.is_none() && name.starts_with("post_arg.") {
        return Err(format!("'{name}' is not supported: a path in a body is of names, [N], [*] and one .."));
    }
    let compare = Rule::Compare { variable, comparison };
    Ok(if is_reversed { Rule::Not(Box::new(compare)) } else { compare })
}
