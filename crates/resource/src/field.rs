//! Fields that several kinds of resource have, and how the schema shows them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};

use crate::Id;

/// Plugins by name, each with the JSON that its user wrote.
pub type Plugins = Map<String, Value>;

/// Words to find resources by.
pub type Labels = BTreeMap<String, String>;

/// The longest time that can be written: a year. What is longer is taken as a year.
const LONGEST: f64 = 31_536_000.0;

/// How long to wait, in seconds, for an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Timeout {
    /// Seconds for making a connection.
    #[serde(deserialize_with = "seconds")]
    #[schemars(schema_with = "positive")]
    pub connect: Duration,
    /// Seconds between two writes of the request.
    #[serde(deserialize_with = "seconds")]
    #[schemars(schema_with = "positive")]
    pub send: Duration,
    /// Seconds between two reads of the answer.
    #[serde(deserialize_with = "seconds")]
    #[schemars(schema_with = "positive")]
    pub read: Duration,
}

/// Reads a time in seconds.
pub(crate) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?.min(LONGEST);
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| D::Error::custom(format!("{seconds} is no time in seconds")))
}

/// Reads a time in seconds, where there is one.
pub(crate) fn maybe_seconds<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    seconds(deserializer).map(Some)
}

/// Reads an address or a network: an address is a network of one.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Reads one address or network.
pub(crate) fn maybe_network<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IpNet>, D::Error> {
    let text = String::deserialize(deserializer)?;
    network(&text).map(Some).ok_or_else(|| D::Error::custom(format!("{text} is no address and no CIDR")))
}

/// Reads several addresses or networks.
pub(crate) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let read = |text: String| {
        network(&text).ok_or_else(|| D::Error::custom(format!("{text} is no address and no CIDR")))
    };
    texts.into_iter().map(read).collect()
}

impl<'de> Deserialize<'de> for Id {
    /// A text, or a whole number above 0, which is its digits.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            Value::Number(number) if is_id(&number) => number.to_string(),
            other => return Err(D::Error::custom(format!("{other} is no id"))),
        };
        Self::new(&text).map_err(D::Error::custom)
    }
}

fn is_id(number: &Number) -> bool {
    number.as_u64().is_some_and(|number| number > 0)
}

impl JsonSchema for Id {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Id".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[a-zA-Z0-9-_.]+$"},
                {"type": "integer", "minimum": 1},
            ],
        })
    }
}

pub(crate) fn positive(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "number", "exclusiveMinimum": 0})
}

pub(crate) fn not_negative(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "number", "minimum": 0})
}

pub(crate) fn timestamp(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer"})
}

pub(crate) fn labels(_: &mut SchemaGenerator) -> Schema {
    let value = json_schema!({"type": "string", "pattern": r"^\S+$", "minLength": 1, "maxLength": 256});
    json_schema!({"type": "object", "patternProperties": {".*": value}})
}

pub(crate) fn plugins(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object"})
}

pub(crate) fn one_plugin(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "maxProperties": 1})
}

pub(crate) fn status(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "enum": [1, 0], "default": 1})
}

pub(crate) fn object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object"})
}

pub(crate) fn host(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": r"^\*$|^\*?[0-9a-zA-Z-._\[\]:]+$"})
}

pub(crate) fn hosts(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "minItems": 1, "uniqueItems": true, "items": host(generator)})
}

pub(crate) fn address(_: &mut SchemaGenerator) -> Schema {
    let byte = "([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])";
    let four = [byte; 4].join(r"\.");
    let six = "([a-fA-F0-9]{0,4}:){1,8}(:[a-fA-F0-9]{0,4}){0,8}([a-fA-F0-9]{0,4})?";
    json_schema!({
        "type": "string",
        "anyOf": [
            {"title": "IPv4", "type": "string", "format": "ipv4"},
            {"title": "IPv4/CIDR", "type": "string", "pattern": format!("^{four}/([12]?[0-9]|3[0-2])$")},
            {"title": "IPv6", "type": "string", "format": "ipv6"},
            {"title": "IPv6/CIDR", "type": "string", "pattern": format!("^{six}/[0-9]{{1,3}}$")},
        ],
    })
}

pub(crate) fn addresses(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "minItems": 1, "uniqueItems": true, "items": address(generator)})
}
