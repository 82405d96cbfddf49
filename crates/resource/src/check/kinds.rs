//! What is accepted and refused of certificates, rules, consumers, secrets and the like, and what refers to what.

use serde_json::{Value, json};

use crate::{
    Consumer, Credential, GlobalRule, Id, Kind, Record, Resources, Revision, Secret, Ssl, SslProtocol,
    SslUsage, Status, check, check_among, check_unused,
};

/// Long enough for the schema; whether it is a certificate is not asked here.
fn certified(more: Value) -> Value {
    let mut ssl = json!({"cert": "C".repeat(128), "key": "K".repeat(64)});
    if let (Some(fields), Value::Object(more)) = (ssl.as_object_mut(), more) {
        fields.extend(more);
    }
    ssl
}

#[test]
fn spoilt_certificates_are_refused() {
    let invalid = "invalid configuration: ";
    let rows = [
        (json!({}), "then clause did not match"),
        (certified(json!({"sni": "a", "snis": ["b"]})), "then clause did not match"),
        (certified(json!({})), "then clause did not match"),
        (json!({"type": "client", "cert": "C".repeat(128)}), "else clause did not match"),
        (certified(json!({"sni": "a b"})), "property \"sni\" validation failed: failed to match pattern"),
        (
            certified(json!({"snis": []})),
            "property \"snis\" validation failed: expect array to have at least 1",
        ),
        (
            certified(json!({"sni": "a", "validity_end": 1})),
            "additional properties forbidden, found validity_end",
        ),
        (
            certified(json!({"sni": "a", "client": {}})),
            "property \"client\" validation failed: property \"ca\"",
        ),
        (
            certified(json!({"sni": "a", "ssl_protocols": ["SSLv3"]})),
            "property \"ssl_protocols\" validation failed: failed to validate item 1: matches none",
        ),
    ];
    for (value, why) in rows {
        let said = check(Kind::Ssl, &value).unwrap_err();
        assert!(said.starts_with(&format!("{invalid}{why}")), "{said}");
        assert!(!said.contains("KKKK"), "{said}");
    }
    let uneven = certified(json!({"sni": "a", "certs": ["C".repeat(128)]}));
    assert_eq!(check(Kind::Ssl, &uneven).unwrap_err(), "mismatched number of certs and keys");
}

#[test]
fn a_certificate_is_read_into_lists_and_shows_no_key() {
    let value = certified(json!({"sni": "A.example", "status": 0, "ssl_protocols": ["TLSv1.2", "TLSv1.3"]}));
    let ssl = Ssl::from_value(&value).unwrap();
    assert_eq!((ssl.snis.as_slice(), ssl.usage), (&["a.example".to_owned()][..], SslUsage::Server));
    assert_eq!((ssl.status, ssl.ssl_protocols.len()), (Status::Disabled, 2));
    assert_eq!(ssl.ssl_protocols[0], SslProtocol::Tls12);
    assert!(!format!("{ssl:?}").contains("KKKK"));
    assert_eq!(Kind::Ssl.schema().as_value()["properties"]["type"]["default"], "server");
}

#[test]
fn what_apisix_accepts_of_further_kinds_is_accepted() {
    let rows = [
        (Kind::Ssl, certified(json!({"type": "client"}))),
        (
            Kind::Ssl,
            certified(json!({"snis": ["*.a.example"], "client": {"ca": "C".repeat(128), "depth": 0}})),
        ),
        (Kind::GlobalRule, json!({"id": 1, "plugins": {"cors": {}}})),
        (Kind::PluginConfig, json!({"id": "a", "plugins": {}, "name": "", "labels": {"a": "b"}})),
        (Kind::Consumer, json!({"username": "j".repeat(256), "group_id": 7})),
        (Kind::Credential, json!({"id": "c1", "plugins": {"key-auth": {}}})),
        (Kind::ConsumerGroup, json!({"id": "g", "plugins": {}})),
        (
            Kind::Secret,
            json!({"id": "vault/1", "uri": "http://[::1]:8200", "prefix": "", "token": "t", "more": 1}),
        ),
        (Kind::Secret, json!({"id": "aws/1", "access_key_id": "a", "secret_access_key": "b"})),
        (Kind::Secret, json!({"id": "gcp/1", "auth_file": "/a"})),
        (Kind::Proto, json!({"content": "x"})),
        (Kind::StreamRoute, json!({"server_port": 9100, "sni": "a", "protocol": {"name": "redis"}})),
    ];
    for (kind, value) in rows {
        assert_eq!(check(kind, &value), Ok(()), "{value}");
    }
}

#[test]
fn spoilt_rules_consumers_and_secrets_are_refused_in_the_words_of_apisix() {
    let rows = [
        (Kind::GlobalRule, json!({"plugins": {}}), "invalid configuration: property \"id\" is required"),
        (
            Kind::Consumer,
            json!({"username": ""}),
            "invalid configuration: property \"username\" validation failed: string too short, expected at least 1, got 0",
        ),
        (
            Kind::Credential,
            json!({"plugins": {"a": {}, "b": {}}}),
            "invalid configuration: property \"plugins\" validation failed: expect object to have at most 1 properties",
        ),
        (Kind::Secret, json!({"id": "nosuch/1"}), "invalid secret manager: nosuch"),
        (
            Kind::Secret,
            json!({"id": "aws/1", "access_key_id": "a"}),
            "invalid configuration: property \"secret_access_key\" is required",
        ),
        (
            Kind::Secret,
            json!({"id": "gcp/1", "auth_file": "a", "auth_config": {"client_email": "", "private_key": "", "project_id": ""}}),
            "invalid configuration: value should match only one schema, but matches both schemas 1 and 2",
        ),
        (
            Kind::Proto,
            json!({"content": ""}),
            "invalid configuration: property \"content\" validation failed: string too short, expected at least 1, got 0",
        ),
    ];
    for (kind, value, why) in rows {
        assert_eq!(check(kind, &value).unwrap_err(), why, "{value}");
    }
    let vault = json!({"id": "vault/1", "uri": "no address", "prefix": "p", "token": "hidden"});
    let said = check(Kind::Secret, &vault).unwrap_err();
    assert!(said.contains("\"uri\" validation failed: failed to match pattern"), "{said}");
}

#[test]
fn rows_of_another_program_are_read_without_a_schema() {
    let consumer = Consumer::from_value(&json!({"username": "joe", "plugins": {"a": {}}})).unwrap();
    assert_eq!((consumer.username.as_str(), consumer.plugins.len()), ("joe", 1));
    assert!(Consumer::from_value(&json!({"username": 7})).is_err());
    assert!(GlobalRule::from_value(&json!({"plugin": {}})).is_err());
    assert!(Credential::from_value(&json!({"plugins": []})).is_err());
    let aws = json!({"id": "aws/1", "access_key_id": "a", "secret_access_key": "hidden"});
    let Secret::Aws(aws) = Secret::from_value(&aws).unwrap() else { panic!("of another manager") };
    assert_eq!(aws.region, "us-east-1");
}

fn stored(rows: &[(Kind, &str, Value)]) -> Resources {
    let mut resources = Resources::default();
    for (index, (kind, id, value)) in (1..).zip(rows) {
        let (created, modified) = (Revision(index), Revision(index));
        let id = Id::of(*kind, id).unwrap();
        resources.insert(Record { kind: *kind, id, value: value.clone(), created, modified });
    }
    resources
}

#[test]
fn what_is_referred_to_has_to_be_there_and_stays() {
    let tls = json!({"tls": {"client_cert_id": "c"}});
    let resources = stored(&[
        (Kind::Ssl, "c", json!({"type": "client"})),
        (Kind::Ssl, "s", json!({"sni": "a"})),
        (Kind::Upstream, "u", tls.clone()),
        (Kind::PluginConfig, "p", json!({})),
        (Kind::Route, "r", json!({"plugin_config_id": "p", "plugins": {"grpc-transcode": {"proto_id": 7}}})),
        (Kind::ConsumerGroup, "g", json!({})),
        (Kind::Consumer, "joe", json!({"group_id": "g"})),
        (Kind::Proto, "7", json!({})),
        (Kind::Secret, "vault/1", json!({"upstream_id": "u"})),
    ]);
    let among = |kind, value: &Value| check_among(&resources, kind, "x", value);
    assert_eq!(among(Kind::Upstream, &tls), Ok(()));
    assert_eq!(among(Kind::Route, &json!({"upstream": tls, "plugin_config_id": "p"})), Ok(()));
    let rows = [
        (
            Kind::Service,
            json!({"upstream": {"tls": {"client_cert_id": "s"}}}),
            "failed to fetch ssl info by ssl id [s], wrong ssl type",
        ),
        (
            Kind::Consumer,
            json!({"group_id": 1}),
            "failed to fetch consumer group info by consumer group id [1], response code: 404",
        ),
    ];
    for (kind, value, why) in rows {
        assert_eq!(among(kind, &value).unwrap_err(), why);
    }
    assert_eq!(among(Kind::Secret, &json!({"upstream_id": "nope"})), Ok(()), "it means something else there");
    let rows = [
        (Kind::Ssl, "c", "can not delete this ssl, upstream [u] is still using it now"),
        (Kind::PluginConfig, "p", "can not delete this plugin config, route [r] is still using it now"),
        (
            Kind::ConsumerGroup,
            "g",
            "can not delete this consumer group, consumer [joe] is still using it now",
        ),
        (Kind::Proto, "7", "can not delete this proto, route [r] is still using it now"),
    ];
    for (kind, id, why) in rows {
        assert_eq!(check_unused(&resources, kind, id).unwrap_err(), why);
    }
    assert_eq!(check_unused(&resources, Kind::Upstream, "u"), Ok(()));
}

#[test]
fn a_plugin_is_in_one_global_rule() {
    let resources = stored(&[(Kind::GlobalRule, "a", json!({"plugins": {"cors": {}, "x": {}}}))]);
    let among = |id: &str, value: &Value| check_among(&resources, Kind::GlobalRule, id, value);
    assert_eq!(among("a", &json!({"plugins": {"cors": {}}})), Ok(()));
    assert_eq!(among("b", &json!({"plugins": {"y": {}}})), Ok(()));
    let said = among("b", &json!({"plugins": {"cors": {}}})).unwrap_err();
    assert_eq!(said, "plugin 'cors' already exists in global rule with id 'a'");
}
