//! What upstreams with `chash` may hash by.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::{Kind, Schema};

static VARIABLE: LazyLock<Schema> = LazyLock::new(|| {
    let names = "uri|server_name|server_addr|request_uri|remote_port|remote_addr|query_string|host|hostname|mqtt_client_id";
    pattern(&format!("^(({names})|arg_[0-9a-zA-z_-]+)$"))
});
static NAME: LazyLock<Schema> = LazyLock::new(|| pattern("^[a-zA-Z0-9-_]+$"));

fn pattern(pattern: &str) -> Schema {
    let schema = json!({"type": "string", "pattern": pattern});
    Schema::compile(schema).expect("tests compile both patterns")
}

/// Whether the `key` of an upstream, or of the one in a route or service, can be what `hash_on` says: a variable that
/// there is, the name of a header or of a cookie. The error is in APISIX's words.
pub(crate) fn check(kind: Kind, value: &Value) -> Result<(), String> {
    let upstream = if kind == Kind::Upstream { value } else { &value["upstream"] };
    let schema = match upstream["hash_on"].as_str().unwrap_or("vars") {
        "vars" => &VARIABLE,
        "header" | "cookie" => &NAME,
        _ => return Ok(()),
    };
    match upstream.get("key").filter(|_| upstream["type"] == "chash") {
        Some(key) => schema.check(key).map_err(|why| format!("invalid configuration: {why}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{Kind, check};

    #[test]
    fn a_key_has_to_be_what_hash_on_says() {
        let upstream = |hash_on: &str, key: &str| json!({"type": "chash", "hash_on": hash_on, "key": key, "nodes": {"127.0.0.1:80": 1}});
        for (hash_on, key) in
            [("vars", "remote_addr"), ("vars", "arg_device-id"), ("header", "X-Id"), ("cookie", "a_b")]
        {
            assert_eq!(check(Kind::Upstream, &upstream(hash_on, key)), Ok(()), "{hash_on} {key}");
        }
        assert_eq!(check(Kind::Upstream, &upstream("vars_combinations", "$host$uri")), Ok(()));
        let words = |with: &str| format!("invalid configuration: failed to match pattern {with}");
        let named = words("\"^[a-zA-Z0-9-_]+$\" with \"$#^@\"");
        for hash_on in ["header", "cookie"] {
            assert_eq!(check(Kind::Upstream, &upstream(hash_on, "$#^@")), Err(named.clone()));
        }
        let service = json!({"upstream": upstream("vars", "nothing")});
        let said = check(Kind::Service, &service).unwrap_err();
        assert!(
            said.starts_with(&words("\"^((uri|server_name")) && said.ends_with("with \"nothing\""),
            "{said}"
        );
    }
}
