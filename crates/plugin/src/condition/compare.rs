//! One comparison of a value with what a condition says.

use std::net::IpAddr;

use ipnet::IpNet;
use regex::bytes::{Regex, RegexBuilder};
use serde_json::Value;

use crate::variable::{Found, JsonPath};

/// A comparison, its operand understood.
#[derive(Clone, Debug)]
pub(super) enum Comparison {
    Equal(Operand),
    Unequal(Operand),
    /// A number that compares so with this one.
    Ordered(Order, f64),
    Matches(Regex),
    In(Box<[Operand]>),
    Has(Operand),
    InNetworks(Box<[IpNet]>),
    /// An order needs a number.
    Never,
}

/// What a variable is for one request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Given<'a> {
    Absent,
    Text(&'a [u8]),
    /// A part of a body that is no text.
    Json(&'a Value),
    /// A list of parts: what a path leads to below a root.
    Places(&'a JsonPath, &'a Value),
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
    Boolean(bool),
    /// An array or an object: nothing is equal to one.
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
            "has" => Self::Has(operand.into()),
            "ipmatch" => Self::InNetworks(networks(operand)?),
            _ => return Err(format!("invalid operator '{lower}'")),
        })
    }

    /// Whether it holds for what a variable is.
    pub(super) fn holds(&self, given: Given<'_>) -> bool {
        match self {
            Self::Equal(operand) => operand.equals(given),
            Self::Unequal(operand) => !operand.equals(given),
            Self::Ordered(order, limit) => given.number().is_some_and(|value| match order {
                Order::Greater => value > *limit,
                Order::GreaterEqual => value >= *limit,
                Order::Less => value < *limit,
                Order::LessEqual => value <= *limit,
            }),
            Self::Matches(regex) => match given {
                Given::Text(text) => regex.is_match(text),
                Given::Json(Value::Number(number)) => regex.is_match(number.to_string().as_bytes()),
                Given::Json(_) | Given::Places(..) | Given::Absent => false,
            },
            Self::In(operands) => operands.iter().any(|operand| operand.is(given)),
            Self::Has(operand) => match given {
                Given::Json(Value::Array(items)) => items.iter().any(|item| operand.is(item.into())),
                Given::Places(path, root) => path.any(root, |item| operand.is(item.into())),
                _ => false,
            },
            Self::InNetworks(networks) => {
                let address =
                    given.text().and_then(|text| std::str::from_utf8(text).ok()?.parse::<IpAddr>().ok());
                address.is_some_and(|address| networks.iter().any(|network| network.contains(&address)))
            }
            Self::Never => false,
        }
    }
}

impl<'a> From<Found<'a>> for Given<'a> {
    fn from(found: Found<'a>) -> Self {
        match found {
            Found::Text(text) => Self::Text(text.as_bytes()),
            Found::Value(value) => value.into(),
            Found::Places(path, root) => Self::Places(path, root),
        }
    }
}

impl<'a> From<&'a Value> for Given<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text.as_bytes()),
            other => Self::Json(other),
        }
    }
}

impl<'a> Given<'a> {
    fn text(self) -> Option<&'a [u8]> {
        match self {
            Self::Text(text) => Some(text),
            Self::Json(_) | Self::Places(..) | Self::Absent => None,
        }
    }

    fn number(self) -> Option<f64> {
        match self {
            Self::Text(text) => number(text),
            Self::Json(Value::Number(number)) => number.as_f64(),
            Self::Json(_) | Self::Places(..) | Self::Absent => None,
        }
    }
}

impl From<&Value> for Operand {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Absent,
            Value::String(text) => Self::Text(text.as_bytes().into()),
            Value::Number(number) => number.as_f64().map_or(Self::Other, Self::Number),
            Value::Bool(boolean) => Self::Boolean(*boolean),
            Value::Array(_) | Value::Object(_) => Self::Other,
        }
    }
}

impl Operand {
    /// Equality as `==` has it: a text is compared with a number as the number it spells, and what is absent
    /// is null.
    fn equals(&self, given: Given<'_>) -> bool {
        match (self, given) {
            (Self::Number(expected), Given::Text(text)) => {
                number(text).is_some_and(|value| is_same(value, *expected))
            }
            (Self::Absent, given) => matches!(given, Given::Absent),
            _ => self.is(given),
        }
    }

    /// Equality as `in` and `has` have it: only within one type.
    fn is(&self, given: Given<'_>) -> bool {
        match (self, given) {
            (Self::Text(expected), Given::Text(text)) => **expected == *text,
            (Self::Number(expected), Given::Json(Value::Number(number))) => {
                number.as_f64().is_some_and(|value| is_same(value, *expected))
            }
            (Self::Boolean(expected), Given::Json(Value::Bool(boolean))) => expected == boolean,
            _ => false,
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => number(text),
            Self::Absent | Self::Boolean(_) | Self::Other => None,
        }
    }
}

#[expect(clippy::float_cmp, reason = "equality of numbers as users wrote them is what == asks for")]
fn is_same(a: f64, b: f64) -> bool {
    a == b
}

/// A number in digits, or in hexadecimal ones behind `0x`; what Rust also reads (`inf`, `nan`) is none to users.
fn number(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii();
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1.0, digits),
        [b'+', digits @ ..] | digits => (1.0, digits),
    };
    if let [b'0', b'x' | b'X', digits @ ..] = digits {
        let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with(['+', '-']))?;
        return u32::from_str_radix(digits, 16).ok().map(|value| sign * f64::from(value));
    }
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
        .map_err(|error| format!("invalid regular expression '{pattern}': {}", reason(&error)))
}

/// The last line of what is wrong; those before it show the expression and where.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
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
