//! What a configuration is refused or warned for; calls are tested from outside.

use std::sync::Arc;

use lockgate_http::resolver::Resolver;
use lockgate_plugin::{BuildContext, Secrets};
use serde_json::{Value, json};

struct Nothing;

impl Secrets for Nothing {
    fn open(&self, _: &str) -> Option<String> {
        None
    }
}

fn check(config: &Value) -> Result<Vec<String>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let resolver = Resolver::new(runtime.handle().clone(), []);
    crate::registry().check("aws-lambda", config, &BuildContext::new(resolver, Arc::new(Nothing)))
}

fn signed(uri: &str, iam: &Value) -> Result<Vec<String>, String> {
    let mut iam = iam.clone();
    iam["accesskey"] = json!("AKID");
    iam["secretkey"] = json!("SECRET");
    check(&json!({"function_uri": uri, "authorization": {"iam": iam}}))
}

#[test]
fn a_function_uri_must_lead_somewhere() {
    for (uri, why) in [
        ("ftp://h", "http:// or https://"),
        ("/path", "http:// or https://"),
        ("http://u:p@h/", "user name"),
        ("http://", "function_uri"),
    ] {
        let refused = check(&json!({"function_uri": uri})).unwrap_err();
        assert!(refused.contains(why) && !refused.contains("u:p"), "{uri}: {refused}");
    }
    assert_eq!(check(&json!({"function_uri": "http://[::1]:8080/a?b=c"})), Ok(vec![]));
}

#[test]
fn a_field_that_has_no_effect_is_named() {
    let warnings = check(&json!({"function_uri": "http://h", "timeut": 5})).unwrap();
    assert_eq!(warnings, ["unknown field aws-lambda.timeut has no effect"]);
}

#[test]
fn a_host_that_contradicts_the_fields_is_named() {
    let url = "https://abc.lambda-url.eu-west-1.on.aws/";
    assert_eq!(signed(url, &json!({})), Ok(vec![]), "the host says it all");
    assert_eq!(signed("https://example.com/", &json!({"aws_region": "eu-west-1"})), Ok(vec![]));
    let warnings = signed(url, &json!({"aws_region": "us-east-1", "service": "execute-api"})).unwrap();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("eu-west-1") && warnings[1].contains("lambda"), "{warnings:?}");
}

#[test]
fn an_endpoint_in_many_regions_is_signed_for_by_4a() {
    let (everywhere, home) =
        ("https://shop.lambda-web.global.on.aws/", "https://shop.g1.lambda-web.eu-west-3.on.aws/");
    for (uri, iam, warnings) in [
        (everywhere, json!({}), 0),
        (everywhere, json!({"aws_region": "*"}), 0),
        (everywhere, json!({"aws_region": "us-east-1, eu-*"}), 0),
        (everywhere, json!({"aws_region": "us-east-1", "signature_version": "v4a"}), 0),
        (everywhere, json!({"aws_region": "us-east-1"}), 1),
        (home, json!({"aws_region": "us-east-1,eu-*"}), 0),
        (home, json!({"aws_region": "us-*"}), 1),
        (home, json!({"signature_version": "v4a"}), 0),
        ("https://custom.example/", json!({"aws_region": "*"}), 0),
    ] {
        assert_eq!(signed(uri, &iam).map(|warnings| warnings.len()), Ok(warnings), "{uri} {iam}");
    }
    for iam in
        [json!({"signature_version": "v4"}), json!({"aws_region": "us-east-1,", "signature_version": "v4a"})]
    {
        let refused = signed(everywhere, &iam).unwrap_err();
        assert!(refused.contains("aws_region"), "{refused}");
    }
    assert!(signed(home, &json!({"signature_version": "v5"})).is_err());
}

#[test]
fn both_spellings_of_the_secret_are_understood() {
    let with = |name: &str| {
        check(
            &json!({"function_uri": "http://h", "authorization": {"iam": {"accesskey": "AKID", name: "SECRET"}}}),
        )
    };
    assert_eq!(with("secretkey"), Ok(vec![]));
    assert_eq!(with("secret_key"), Ok(vec![]));
    let missing = with("secret").unwrap_err();
    assert!(missing.ends_with(r#"property "secretkey" is required"#), "{missing}");
}

#[test]
fn a_bad_credential_is_refused_without_showing_it() {
    let iam = json!({"accesskey": "AK ID", "secretkey": "SECRET"});
    let refused = check(&json!({"function_uri": "http://h", "authorization": {"iam": iam}})).unwrap_err();
    assert!(refused.contains("accesskey") && !refused.contains("SECRET"), "{refused}");
}
