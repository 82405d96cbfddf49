//! Plugin metadata: what is said once of a plugin, in APISIX's envelopes and words.

use lockgate_tests::Gateway;
use serde_json::{Value, json};

const PATH: &str = "/plugin_metadata/azure-functions";

#[test]
fn metadata_is_kept_sealed_shown_and_deleted() {
    let mut gateway = Gateway::start();
    let (status, reply) = gateway.admin("PUT", PATH, json!({"master_apikey": "m", "master_clientid": "c"}));
    assert_eq!((status, &reply["key"]), (201, &json!("/apisix/plugin_metadata/azure-functions")));
    let value = reply["value"].as_object().expect("what was kept");
    let names: Vec<_> = value.keys().map(String::as_str).collect();
    assert_eq!(names, ["master_apikey", "master_clientid", "id"], "no times, as in APISIX");
    assert_eq!((&value["master_clientid"], &value["id"]), (&json!("c"), &json!("azure-functions")));
    assert_ne!(value["master_apikey"], json!("m"), "it is sealed");

    let (status, one) = gateway.admin("GET", PATH, Value::Null);
    let expected = json!({"master_apikey": "m", "master_clientid": "c", "id": "azure-functions"});
    assert_eq!((status, &one["value"]), (200, &expected));
    assert!(one["modifiedIndex"].is_u64() && one["createdIndex"].is_u64());
    let (_, list) = gateway.admin("GET", "/plugin_metadata", Value::Null);
    assert_eq!((&list["total"], &list["list"][0]["value"]["master_apikey"]), (&json!(1), &json!("m")));

    gateway.crash_and_restart();
    assert_eq!(gateway.admin("GET", PATH, Value::Null).1["value"], expected, "it rests in the store");
    assert_eq!(gateway.admin("PUT", PATH, json!({"master_apikey": "n"})).0, 200);
    let gone = json!({"key": "/apisix/plugin_metadata/azure-functions", "deleted": "1"});
    assert_eq!(gateway.admin("DELETE", PATH, Value::Null), (200, gone));
    assert_eq!(gateway.admin("GET", PATH, Value::Null), (404, json!({"message": "Key not found"})));
    assert_eq!(gateway.admin("DELETE", PATH, Value::Null).0, 404);
}

#[test]
fn metadata_that_nobody_reads_is_refused() {
    let gateway = Gateway::start();
    let refused = |method: &str, path: &str, body: Value| {
        let (status, reply) = gateway.admin(method, path, body);
        (status, reply["error_msg"].as_str().unwrap_or_default().to_owned())
    };
    let wrong = |words: &str| (400, words.to_owned());
    assert_eq!(refused("PUT", "/plugin_metadata", json!({"k": "v"})), wrong("missing plugin name"));
    assert_eq!(refused("PUT", "/plugin_metadata/test", json!({"k": "v"})), wrong("invalid plugin name"));
    assert_eq!(
        refused("PUT", PATH, json!({"master_apikey": 5})),
        wrong(
            r#"invalid configuration: property "master_apikey" validation failed: wrong type: expected string, got number"#
        )
    );
    for (path, body) in [(PATH, json!({"x": 1})), ("/plugin_metadata/aws-lambda", json!({"x": 1}))] {
        let (status, words) = refused("PUT", path, body);
        assert!(
            status == 400 && words.starts_with("invalid configuration: ") && words.contains('x'),
            "{words}"
        );
    }
    assert_eq!(gateway.admin("PUT", "/plugin_metadata/aws-lambda", json!({})).0, 201);
    assert_eq!(refused("PUT", PATH, json!({"create_time": 1})).0, 400);
    for method in ["POST", "PATCH"] {
        let words = format!("not supported `{method}` method for plugin_metadata");
        assert_eq!(refused(method, PATH, json!({})), (405, words));
    }
}

#[test]
fn the_schema_of_metadata_is_shown() {
    let gateway = Gateway::start();
    let (status, schema) =
        gateway.admin("GET", "/schema/plugins/azure-functions?schema_type=metadata", Value::Null);
    assert_eq!((status, &schema["properties"]["master_apikey"]["type"]), (200, &json!("string")));
    assert_eq!(schema["encrypt_fields"], json!(["master_apikey"]));
    assert_eq!(gateway.admin("GET", "/schema/plugins/aws-lambda?schema_type=metadata", Value::Null).0, 400);
    let (_, all) = gateway.admin("GET", "/plugins?all=true", Value::Null);
    assert_eq!(all["azure-functions"]["metadata_schema"], schema);
    assert!(all["aws-lambda"].get("metadata_schema").is_none());
}
