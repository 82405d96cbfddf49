//! What `chash` takes the hash of, read from the upstream once.

use std::cell::RefCell;

use lockgate_http::Request;
use lockgate_plugin::{RequestContext, Variable};
use lockgate_resource::{Balance, HashOn, Upstream};

use super::hash;

thread_local! {
    static KEY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What a hash is taken of; where a request has nothing of it, the client's address.
#[derive(Debug)]
pub(crate) struct HashKey {
    parts: Box<[Part]>,
}

#[derive(Debug)]
enum Part {
    Text(Box<str>),
    Variable(Variable),
}

impl HashKey {
    /// Of an upstream; `None` where it spreads requests by something else.
    pub(crate) fn of(upstream: &Upstream) -> Result<Option<Self>, String> {
        if upstream.balance != Balance::Chash {
            return Ok(None);
        }
        let key = upstream.key.as_deref().unwrap_or_default();
        let parts = match upstream.hash_on {
            HashOn::Vars => vec![variable(key)?],
            HashOn::Header => {
                vec![variable(&format!("http_{}", key.to_ascii_lowercase().replace('-', "_")))?]
            }
            HashOn::Cookie => vec![variable(&format!("cookie_{key}"))?],
            HashOn::Consumer => Variable::parse("consumer_name").map(Part::Variable).into_iter().collect(),
            HashOn::VarsCombinations => combination(key)?,
        };
        Ok(Some(Self { parts: parts.into() }))
    }

    /// The hash of a request.
    pub(crate) fn hash(&self, request: &Request, cx: &RequestContext) -> u64 {
        KEY.with_borrow_mut(|key| {
            key.clear();
            let mut is_any = false;
            for part in &self.parts {
                match part {
                    Part::Text(text) => key.extend_from_slice(text.as_bytes()),
                    Part::Variable(variable) => is_any |= variable.write(request, cx, key),
                }
            }
            if is_any { hash(key) } else { hash(cx.connection.peer_ip.as_bytes()) }
        })
    }
}

fn variable(name: &str) -> Result<Part, String> {
    Variable::parse(name).map(Part::Variable).ok_or_else(|| format!("key {name} is no variable"))
}

/// `$name` and `${name}` among text.
fn combination(key: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = key;
    while let Some((text, behind)) = rest.split_once('$') {
        if !text.is_empty() {
            parts.push(Part::Text(text.into()));
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let (name, after) = match behind.strip_prefix('{') {
            Some(braced) => {
                braced.split_once('}').ok_or_else(|| format!("key {key} has a brace without end"))?
            }
            None => behind.split_at(behind.bytes().position(|byte| !is_name(byte)).unwrap_or(behind.len())),
        };
        parts.push(variable(name)?);
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.into()));
    }
    if parts.iter().any(|part| matches!(part, Part::Variable(_))) {
        return Ok(parts);
    }
    Err(format!("key {key} has no variable"))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use http::Method;
    use lockgate_http::ConnectionInfo;
    use serde_json::json;

    use super::*;

    fn key(hash_on: &str, key: &str) -> Result<HashKey, String> {
        let upstream = json!({"type": "chash", "hash_on": hash_on, "key": key, "nodes": {"a:1": 1}});
        HashKey::of(&Upstream::from_value(&upstream)?).map(Option::unwrap)
    }

    fn request() -> (Request, RequestContext) {
        let mut request = Request::new(Method::GET, "/a?user=jane&n=1").unwrap();
        request.headers.append("Host", b"shop.test").unwrap();
        request.headers.append("X-User-Id", b"7").unwrap();
        request.headers.append("Cookie", b"a=b; session=s1").unwrap();
        let address = "10.0.0.9:5000".parse().unwrap();
        (request, RequestContext::new(Rc::new(ConnectionInfo::new(address, address, false)), Method::GET))
    }

    #[test]
    fn a_key_is_taken_from_where_it_is_said_to_be() {
        let (request, cx) = request();
        for (hash_on, name, value) in [
            ("vars", "arg_user", "jane"),
            ("vars", "uri", "/a"),
            ("header", "X-User-Id", "7"),
            ("header", "x-user-id", "7"),
            ("cookie", "session", "s1"),
            ("vars_combinations", "$host$arg_user", "shop.testjane"),
            ("vars_combinations", "u=${arg_user}/$arg_n", "u=jane/1"),
            ("vars_combinations", "$arg_none-$arg_n", "-1"),
        ] {
            let found = key(hash_on, name).unwrap().hash(&request, &cx);
            assert_eq!(found, hash(value.as_bytes()), "{hash_on} {name}");
        }
    }

    #[test]
    fn without_a_value_the_address_of_the_client_is_the_key() {
        let (request, cx) = request();
        for (hash_on, name) in [
            ("vars", "arg_none"),
            ("header", "x-none"),
            ("cookie", "none"),
            ("consumer", ""),
            ("vars_combinations", "$arg_x$arg_y"),
        ] {
            assert_eq!(
                key(hash_on, name).unwrap().hash(&request, &cx),
                hash(b"10.0.0.9"),
                "{hash_on} {name}"
            );
        }
    }

    #[test]
    fn a_spoilt_key_is_named() {
        for (hash_on, name, why) in [
            ("vars", "nothing", "key nothing is no variable"),
            ("vars_combinations", "plain", "key plain has no variable"),
            ("vars_combinations", "${uri", "key ${uri has a brace without end"),
            ("vars_combinations", "a$", "key  is no variable"),
        ] {
            assert_eq!(key(hash_on, name).unwrap_err(), why);
        }
    }
}
