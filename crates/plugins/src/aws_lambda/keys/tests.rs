//! Which sources of credentials go together with what.

use std::sync::Arc;

use lockgate_http::resolver::Resolver;
use lockgate_plugin::{BuildContext, Secrets};
use serde_json::{Value, json};

struct Environment;

impl Secrets for Environment {
    fn open(&self, _: &str) -> Option<String> {
        None
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name == "SECRET").then(|| "of the environment".to_owned())
    }
}

const ROLE: &str = "arn:aws:iam::123456789012:role/path/name";

fn check(iam: &Value) -> Result<Vec<String>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let resolver = Resolver::new(runtime.handle().clone(), []);
    let config = json!({"function_uri": "http://h", "authorization": {"iam": iam}});
    crate::registry().check("aws-lambda", &config, &BuildContext::new(resolver, Arc::new(Environment)))
}

fn refusal(iam: &Value) -> String {
    let why = check(iam).unwrap_err();
    let place = "property \"authorization\" validation failed: property \"iam\" validation failed: ";
    why.strip_prefix(place).unwrap_or_else(|| panic!("{why}")).to_owned()
}

#[test]
fn every_source_stands_alone_and_with_a_role() {
    for source in ["default", "env", "profile", "web_identity", "container", "imds"] {
        assert_eq!(check(&json!({"source": source})), Ok(vec![]), "{source}");
        let with_role = json!({"source": source, "role_arn": ROLE, "external_id": "id", "session_name": "n@m",
            "session_duration": 900, "role_chain": [{"role_arn": ROLE, "external_id": "id"}],
            "sts_endpoint": "https://sts.example/"});
        assert_eq!(check(&with_role), Ok(vec![]), "{source}");
    }
    let keys = json!({"accesskey": "AKID", "secretkey": "$env://SECRET", "session_token": "t"});
    let with = |more: Value| {
        let mut keys = keys.clone();
        keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        check(&keys)
    };
    assert_eq!(with(json!({})), Ok(vec![]));
    assert_eq!(with(json!({"source": "static"})), Ok(vec![]));
    assert_eq!(with(json!({"role_arn": ROLE})), Ok(vec![]));
    assert_eq!(check(&json!({"source": "profile", "profile": "p"})), Ok(vec![]));
}

#[test]
fn keys_are_required_in_apisix_words_where_no_source_is_named() {
    assert_eq!(refusal(&json!({})), "property \"accesskey\" is required");
    assert_eq!(refusal(&json!({"accesskey": "AKID"})), "property \"secretkey\" is required");
    assert_eq!(refusal(&json!({"source": "static"})), "property \"accesskey\" is required");
    assert_eq!(refusal(&json!({"role_arn": ROLE})), "property \"accesskey\" is required");
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (iam, why) in [
        (
            json!({"source": "env", "accesskey": "a"}),
            "property \"accesskey\" goes with source \"static\" only",
        ),
        (
            json!({"source": "imds", "secret_key": "s"}),
            "property \"secretkey\" goes with source \"static\" only",
        ),
        (
            json!({"source": "env", "session_token": "t"}),
            "property \"session_token\" goes with source \"static\" only",
        ),
        (json!({"source": "env", "profile": "p"}), "property \"profile\" goes with source \"profile\" only"),
        (
            json!({"source": "env", "external_id": "id"}),
            "property \"external_id\" goes with \"role_arn\" only",
        ),
        (
            json!({"source": "env", "sts_endpoint": "http://h"}),
            "property \"sts_endpoint\" goes with \"role_arn\" only",
        ),
        (
            json!({"source": "web_identity", "sts_endpoint": "http://h"}),
            "property \"sts_endpoint\" goes with \"role_arn\" only; for web identity, set AWS_ENDPOINT_URL_STS",
        ),
    ] {
        assert_eq!(refusal(&iam), why);
    }
}

#[test]
fn what_cannot_be_is_refused_at_its_field() {
    for (field, value) in [
        ("source", json!("vault")),
        ("role_arn", json!("arn:aws:iam::123456789012:user/name")),
        ("session_duration", json!(899)),
        ("session_name", json!("a b")),
        ("role_chain", json!([])),
        ("role_chain", json!([{"role_arn": "x"}])),
        ("sts_endpoint", json!("sts.example")),
    ] {
        let mut iam = json!({"source": "env", "role_arn": ROLE});
        iam[field] = value;
        let why = refusal(&iam);
        assert!(why.starts_with(&format!("property \"{field}\" validation failed: ")), "{why}");
    }
}

#[test]
fn what_aws_will_refuse_or_others_could_read_is_warned_of() {
    let chained = json!({"source": "imds", "role_arn": ROLE, "session_duration": 7200});
    let warnings = check(&chained).unwrap();
    assert!(warnings[0].contains("session_duration is 7200") && warnings.len() == 1, "{warnings:?}");
    let open = json!({"source": "env", "role_arn": ROLE, "session_duration": 7200, "sts_endpoint": "http://sts.example"});
    let warnings = check(&open).unwrap();
    assert!(warnings[0].contains("sts_endpoint is not https") && warnings.len() == 1, "{warnings:?}");
}

#[test]
fn a_value_of_the_environment_is_not_shown_where_it_is_refused() {
    let why = check(&json!({"accesskey": "$env://SECRET", "secretkey": "s"})).unwrap_err();
    assert!(why.contains("accesskey") && !why.contains("of the environment"), "{why}");
    let why = check(&json!({"source": "env", "role_arn": "$env://SECRET"})).unwrap_err();
    assert!(why.contains("role_arn") && !why.contains("of the environment"), "{why}");
}
