//! One comparison of a value with what a condition says.

use std::net::IpAddr;

use ipnet::IpNet;
use regex::bytes::{Regex, RegexBuilder};
use serde_json::Value;

/// A comparison, its operand understood.
#[derive(Clone, Debug)]
pub(super) enum Comparison {
    Equal(Operand),
    Unequal(Operand),
    /// A number that compares so with this one.
    Ordered(Order, f64),
    Matches(Regex),
    In(Box<[Operand]>),
    InNetworks(Box<[IpNet]>),
    /// `has` asks for an element of a list, and no variable is a list; an order needs a number.
    Never,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
}

/// What a value may be equal to.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Text(Box<[u8]>),
    Number(f64),
    Absent,
    /// A boolean, an array or an object: no variable is one.
    Other,
}

const OPERATORS: [&str; 11] = ["==", "~=", ">", ">=", "<", "<=", "~~", "~*", "in", "has", "ipmatch"];

impl Comparison {
    pub(super) fn is_operator(word: &str) -> bool {
        OPERATORS.iter().any(|operator| operator.eq_ignore_ascii_case(word))
    }

    pub(super) fn parse(operator: &str, operand: &Value) -> Result<Self, String> {
        let ordered = |order| match Operand::from(operand).number() {
            Some(number) => Self::Ordered(order, number),
            None => Self::Never,
        };
        let lower = operator.to_ascii_lowercase();
        Ok(match lower.as_str() {
            "==" => Self::Equal(operand.into()),
            "~=" => Self::Unequal(operand.into()),
            ">" => ordered(Order::Greater),
            ">=" => ordered(Order::GreaterEqual),
            "<" => ordered(Order::Less),
            "<=" => ordered(Order::LessEqual),
            "~~" => Self::Matches(regex(operand, false)?),
            "~*" => Self::Matches(regex(operand, true)?),
            "in" => Self::In(operand.as_array().into_iter().flatten().map(Operand::from).collect()),
            "has" => Self::Never,
            "ipmatch" => Self::InNetworks(networks(operand)?),
            _ => return Err(format!("invalid operator '{lower}'")),
        })
    }

    /// Whether it holds for a value; `None` for a variable that is not present.
    pub(super) fn holds(&self, value: Option<&Vec<u8>>) -> bool {
        let value = value.map(Vec::as_slice);
        match self {
            Self::Equal(operand) => operand.is(value),
            Self::Unequal(operand) => !operand.is(value),
            Self::Ordered(order, limit) => value.and_then(number).is_some_and(|value| match order {
                Order::Greater => value > *limit,
                Order::GreaterEqual => value >= *limit,
                Order::Less => value < *limit,
                Order::LessEqual => value <= *limit,
            }),
            Self::Matches(regex) => value.is_some_and(|value| regex.is_match(value)),
            Self::In(operands) => value.is_some() && operands.iter().any(|operand| operand.is(value)),
            Self::InNetworks(networks) => {
                let address = value.and_then(|value| std::str::from_utf8(value).ok()?.parse::<IpAddr>().ok());
                address.is_some_and(|address| networks.iter().any(|network| network.contains(&address)))
            }
            Self::Never => false,
        }
    }
}

impl From<&Value> for Operand {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Absent,
            Value::String(text) => Self::Text(text.as_bytes().into()),
            Value::Number(number) => number.as_f64().map_or(Self::Other, Self::Number),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => Self::Other,
        }
    }
}

impl Operand {
    #[expect(clippy::float_cmp, reason = "equality of numbers as users wrote them is what == asks for")]
    fn is(&self, value: Option<&[u8]>) -> bool {
        match self {
            Self::Text(text) => value == Some(text),
            Self::Number(expected) => value.and_then(number).is_some_and(|value| value == *expected),
            Self::Absent => value.is_none(),
            Self::Other => false,
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => number(text),
            Self::Absent | Self::Other => None,
        }
    }
}

/// A number in digits; what Rust also reads (`inf`, `nan`) is none to users.
fn number(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii();
    let has_digits_only = text.iter().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte));
    has_digits_only.then(|| std::str::from_utf8(text).ok()?.parse().ok())?
}

/// nginx's regular expressions match bytes; one that is not ASCII may need to match characters.
fn regex(operand: &Value, ignores_case: bool) -> Result<Regex, String> {
    let pattern = match operand {
        Value::String(pattern) => pattern.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err("invalid regular expression".to_owned()),
    };
    let build = |unicode| RegexBuilder::new(&pattern).unicode(unicode).case_insensitive(ignores_case).build();
    build(!pattern.is_ascii())
        .or_else(|_| build(pattern.is_ascii()))
        .map_err(|error| format!("invalid regular expression '{pattern}': {error}"))
}

fn networks(operand: &Value) -> Result<Box<[IpNet]>, String> {
    let items = match operand {
        Value::Array(items) => items.as_slice(),
        single => std::slice::from_ref(single),
    };
    if items.is_empty() {
        return Err("invalid ip address".to_owned());
    }
    items
        .iter()
        .map(|item| {
            let text = item.as_str().filter(|text| !text.is_empty()).ok_or("invalid ip address")?;
            let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|_| format!("invalid ip address: {text}"))
        })
        .collect()
}
