//! The nodes of an upstream: written as a map or as a list, read as one.

use std::net::Ipv6Addr;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// One node of an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// A name or an address; an IPv6 address without brackets.
    pub host: String,
    /// Its port. `None` is the default port of the upstream's scheme.
    pub port: Option<u16>,
    /// How much of the traffic it gets, in relation to the others. 0 is none.
    pub weight: u32,
    /// Nodes with the highest priority are asked first, others where none of those is left.
    pub priority: i64,
}

#[derive(Deserialize)]
struct Written {
    host: String,
    port: Option<u16>,
    weight: u32,
    #[serde(default)]
    priority: i64,
}

/// Reads nodes in either form.
pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Node>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Object(weights) => {
            weights.iter().map(|(address, weight)| from_pair(address, weight)).collect()
        }
        Value::Array(nodes) => nodes.iter().map(from_object).collect(),
        other => Err(format!("nodes are an object or an array, not {}", crate::schema::type_of(&other))),
    }
    .map_err(D::Error::custom)
}

fn from_pair(address: &str, weight: &Value) -> Result<Node, String> {
    let (host, port) = split(address)?;
    let weight = weight.as_u64().and_then(|weight| weight.try_into().ok());
    let weight = weight
        .ok_or_else(|| format!("the weight of node {address} is no whole number from 0 to {}", u32::MAX))?;
    Ok(Node { host, port, weight, priority: 0 })
}

fn from_object(node: &Value) -> Result<Node, String> {
    let node = Written::deserialize(node).map_err(|error| format!("a node cannot be read: {error}"))?;
    if node.port == Some(0) {
        return Err(format!("invalid port 0 of node {}", node.host));
    }
    let host =
        bare(&node.host).ok_or_else(|| format!("node host {} is no name and no address", node.host))?;
    Ok(Node { host, port: node.port, weight: node.weight, priority: node.priority })
}

/// `host:port` or `host`; an IPv6 address stands in brackets.
fn split(address: &str) -> Result<(String, Option<u16>), String> {
    let refuse = || format!("node {address} is not host:port");
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (address, None),
    };
    if host.contains(':') && !host.starts_with('[') {
        return Err(format!("node {address} is not host:port; an IPv6 address stands in brackets"));
    }
    let host = bare(host).ok_or_else(refuse)?;
    let Some(port) = port else { return Ok((host, None)) };
    let port: u64 = port.parse().map_err(|_| refuse())?;
    match u16::try_from(port) {
        Ok(port) if port > 0 => Ok((host, Some(port))),
        _ => Err(format!("invalid port {port}")),
    }
}

/// The host without the brackets of an IPv6 address, if it is one at all.
fn bare(host: &str) -> Option<String> {
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let address = inside.unwrap_or(host);
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_v6 = inside.is_some() || address.contains(':');
    let fits = if is_v6 {
        address.parse::<Ipv6Addr>().is_ok()
    } else {
        !address.is_empty() && address.bytes().all(is_name)
    };
    fits.then(|| address.to_owned())
}

pub(crate) fn schema(generator: &mut SchemaGenerator) -> Schema {
    let weight = json_schema!({"type": "integer", "minimum": 0, "description": "weight of node"});
    let host = crate::field::host(generator);
    json_schema!({
        "anyOf": [
            {"type": "object", "patternProperties": {".*": weight}},
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "host": host,
                        "port": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "port of node"},
                        "weight": weight,
                        "priority": {"type": "integer", "default": 0, "description": "priority of node"},
                        "metadata": {"type": "object", "description": "metadata of node"},
                    },
                    "required": ["host", "weight"],
                },
            },
        ],
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Node, read};

    fn nodes(written: &Value) -> Result<Vec<Node>, String> {
        read(written).map_err(|error: serde_json::Error| error.to_string())
    }

    fn node(host: &str, port: Option<u16>, weight: u32, priority: i64) -> Node {
        Node { host: host.to_owned(), port, weight, priority }
    }

    #[test]
    fn both_forms_read_alike() {
        let map = json!({"127.0.0.1:80": 1, "[::1]:8080": 2, "example.com": 0, "[::2]": 3});
        let expected = [
            node("127.0.0.1", Some(80), 1, 0),
            node("::1", Some(8080), 2, 0),
            node("example.com", None, 0, 0),
            node("::2", None, 3, 0),
        ];
        assert_eq!(nodes(&map).unwrap(), expected);
        let list = json!([
            {"host": "127.0.0.1", "port": 80, "weight": 1},
            {"host": "::1", "port": 8080, "weight": 2, "priority": 0, "metadata": {"a": 1}},
            {"host": "example.com", "weight": 0},
            {"host": "[::2]", "weight": 3},
        ]);
        assert_eq!(nodes(&list).unwrap(), expected);
        assert_eq!(
            nodes(&json!([{"host": "a", "weight": 1, "priority": -2}])).unwrap(),
            [node("a", None, 1, -2)]
        );
        assert!(nodes(&json!({})).unwrap().is_empty());
    }

    #[test]
    fn a_spoilt_node_is_named() {
        let cases = [
            (json!({"::1:80": 1}), "node ::1:80 is not host:port; an IPv6 address stands in brackets"),
            (json!({"a:b": 1}), "node a:b is not host:port"),
            (json!({":80": 1}), "node :80 is not host:port"),
            (json!({"": 1}), "node  is not host:port"),
            (json!({"a b:80": 1}), "node a b:80 is not host:port"),
            (json!({"[zz]:80": 1}), "node [zz]:80 is not host:port"),
            (json!({"a:0": 1}), "invalid port 0"),
            (json!({"a:65536": 1}), "invalid port 65536"),
            (json!({"a:80": -1}), "the weight of node a:80 is no whole number from 0 to 4294967295"),
            (json!([{"host": "a/b", "weight": 1}]), "node host a/b is no name and no address"),
            (json!("a"), "nodes are an object or an array, not string"),
        ];
        for (written, why) in cases {
            assert_eq!(nodes(&written).unwrap_err(), why);
        }
    }
}
