//! Resources: envelopes, statuses and error words as APISIX was recorded to answer.

use lockgate_tests::{Connection, Gateway, eventually};
use serde_json::{Value, json};

fn node() -> Value {
    json!({"type": "roundrobin", "nodes": {"127.0.0.1:1980": 1}})
}

#[test]
fn a_resource_is_created_replaced_read_listed_and_deleted() {
    let gateway = Gateway::start();
    let (status, created) = gateway.admin("PUT", "/routes/1", json!({"uri": "/a", "upstream": node()}));
    assert_eq!((status, &created["key"]), (201, &json!("/apisix/routes/1")));
    assert_eq!((&created["value"]["id"], &created["value"]["uri"]), (&json!("1"), &json!("/a")));
    assert!(created["value"]["create_time"].is_u64() && created["value"]["update_time"].is_u64());
    let (status, replaced) = gateway.admin("PUT", "/routes/1", json!({"uri": "/b", "upstream": node()}));
    assert_eq!(status, 200);
    assert_eq!(replaced["value"]["create_time"], created["value"]["create_time"]);
    let (status, read) = gateway.admin("GET", "/routes/1", Value::Null);
    assert_eq!((status, &read["value"]["uri"]), (200, &json!("/b")));
    assert!(read["modifiedIndex"].as_u64() > read["createdIndex"].as_u64());
    let (status, list) = gateway.admin("GET", "/routes", Value::Null);
    assert_eq!(
        (status, &list["total"], &list["list"][0]["key"]),
        (200, &json!(1), &json!("/apisix/routes/1"))
    );
    let (status, deleted) = gateway.admin("DELETE", "/routes/1", Value::Null);
    assert_eq!((status, deleted), (200, json!({"key": "/apisix/routes/1", "deleted": "1"})));
    let missing = (404, json!({"message": "Key not found"}));
    assert_eq!(gateway.admin("GET", "/routes/1", Value::Null), missing);
    assert_eq!(gateway.admin("DELETE", "/routes/1", Value::Null), missing);
}

#[test]
fn post_makes_an_id() {
    let gateway = Gateway::start();
    let (status, one) = gateway.admin("POST", "/routes", json!({"uri": "/a", "upstream": node()}));
    assert_eq!(status, 201);
    let (_, two) = gateway.admin("POST", "/routes", json!({"uri": "/a", "upstream": node()}));
    assert_ne!(one["value"]["id"], two["value"]["id"]);
    assert_eq!(one["key"], json!(format!("/apisix/routes/{}", one["value"]["id"].as_str().expect("an id"))));
}

#[test]
fn patch_merges_and_null_deletes() {
    let gateway = Gateway::start();
    gateway.put("/routes/1", json!({"uri": "/a", "name": "n", "upstream": node()}));
    let (status, patched) = gateway.admin("PATCH", "/routes/1", json!({"uri": "/b", "name": null}));
    assert_eq!((status, &patched["value"]["uri"]), (200, &json!("/b")));
    assert_eq!(patched["value"].get("name"), None);
    let (status, patched) = gateway.admin("PATCH", "/routes/1/upstream/nodes", json!({"127.0.0.1:1980": 5}));
    assert_eq!((status, &patched["value"]["upstream"]["nodes"]), (200, &json!({"127.0.0.1:1980": 5})));
    assert_eq!(gateway.admin("PATCH", "/routes/9", json!({"uri": "/b"})).0, 404);
}

#[test]
fn errors_are_told_in_apisix_words() {
    let gateway = Gateway::start();
    let plugin = |config: Value| json!({"uri": "/a", "plugins": {"aws-lambda": config}});
    let prefix = "failed to check the configuration of plugin aws-lambda err: ";
    let table = [
        (
            plugin(json!({"authorization": {"apikey": "x"}})),
            format!("{prefix}property \"function_uri\" is required"),
        ),
        (
            plugin(json!({"function_uri": "http://x", "timeout": 99})),
            format!("{prefix}property \"timeout\" validation failed: expected 99 to be at least 100"),
        ),
        (
            plugin(json!({"function_uri": "http://x", "ssl_verify": "no"})),
            format!(
                "{prefix}property \"ssl_verify\" validation failed: wrong type: expected boolean, got string"
            ),
        ),
        (
            json!({"uri": "/a", "plugins": {"no-such-plugin": {}}}),
            "unknown plugin [no-such-plugin]".to_owned(),
        ),
        (
            json!({"uri": "/a", "bogus": 1, "plugins": {}}),
            "invalid configuration: additional properties forbidden, found bogus".to_owned(),
        ),
        (
            json!({"uri": "/a", "upstream_id": "nope"}),
            "failed to fetch upstream info by upstream id [nope], response code: 404".to_owned(),
        ),
        (json!({"uri": "/a", "id": "other", "plugins": {}}), "wrong route id".to_owned()),
    ];
    for (body, words) in table {
        let (status, answer) = gateway.admin("PUT", "/routes/3", body.clone());
        assert_eq!((status, answer["error_msg"].as_str()), (400, Some(words.as_str())), "{body}");
    }
    assert_eq!(
        gateway.admin("PUT", "/routes/3", Value::Null).1,
        json!({"error_msg": "missing configurations"})
    );
    let (status, answer) = gateway.admin("GET", "/nosuch", Value::Null);
    assert_eq!((status, answer), (404, json!({"error_msg": "Unsupported resource type: nosuch"})));
}

#[test]
fn something_in_use_is_not_deleted() {
    let gateway = Gateway::start();
    gateway.put("/upstreams/u", node());
    gateway.put("/services/s", json!({"upstream": node()}));
    gateway.put("/routes/r", json!({"uri": "/a", "upstream_id": "u", "service_id": "s"}));
    let (status, answer) = gateway.admin("DELETE", "/upstreams/u", Value::Null);
    let words = "can not delete this upstream, route [r] is still using it now";
    assert_eq!((status, answer["error_msg"].as_str()), (400, Some(words)));
    assert_eq!(gateway.admin("DELETE", "/services/s", Value::Null).0, 400);
    gateway.admin("DELETE", "/routes/r", Value::Null);
    assert_eq!(gateway.admin("DELETE", "/upstreams/u", Value::Null).0, 200);
}

#[test]
fn whatever_the_body_is_the_answer_is_never_a_5xx() {
    let gateway = Gateway::start();
    let huge = format!("{{\"uri\":\"/{}\"}}", "a".repeat(1 << 21));
    let deep = "[".repeat(100_000);
    let bodies: [&[u8]; 16] = [
        b"\"str\"",
        b"1",
        b"null",
        b"true",
        b"[]",
        b"{}",
        b"not json",
        b"{",
        b"\xff\xfe",
        b"{\"uri\":1}",
        b"{\"uri\":\"/a\",}",
        b"{\"uri\":\"/a\",\"upstream\":\"x\"}",
        b"{\"uri\":\"/a\",\"plugins\":{\"aws-lambda\":\"str\"}}",
        b"{\"uri\":\"/a\",\"upstream\":{\"nodes\":{\"127.0.0.1:99999\":1}}}",
        huge.as_bytes(),
        deep.as_bytes(),
    ];
    for body in bodies {
        for (method, path) in [
            ("PUT", "/routes/1"),
            ("POST", "/routes"),
            ("PATCH", "/routes/1"),
            ("POST", "/schema/validate/routes"),
        ] {
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
            let reply = gateway
                .try_admin(method, path, body)
                .unwrap_or_else(|error| panic!("{method} {path} {shown}: {error}"));
            assert!(reply.status < 500, "{method} {path} {shown}: {} {}", reply.status, reply.text());
        }
    }
    assert_eq!(gateway.admin("GET", "/routes", Value::Null).0, 200, "it still answers");
}

#[test]
fn the_key_is_asked_for() {
    let gateway = Gateway::start();
    let ask = |line: &str| {
        let request =
            format!("GET /apisix/admin/routes HTTP/1.1\r\nHost: h\r\n{line}Connection: close\r\n\r\n");
        let reply = Connection::open(gateway.admin).exchange(request);
        (reply.status, reply.json())
    };
    let told = |description: &str| json!({"error_msg": "failed to check token", "description": description});
    assert_eq!(ask(""), (401, told("missing apikey")));
    assert_eq!(ask("X-API-KEY: wrong\r\n"), (401, told("wrong apikey")));
}

#[test]
fn plugins_and_schemas_are_listed() {
    let gateway = Gateway::start();
    let (status, list) = gateway.admin("GET", "/plugins/list", Value::Null);
    assert_eq!(status, 200);
    assert!(list.as_array().is_some_and(|names| names.contains(&json!("aws-lambda"))), "{list}");
    for path in [
        "/schema/routes",
        "/schema/upstreams",
        "/schema/services",
        "/schema/plugins/aws-lambda",
        "/plugins?all=true",
    ] {
        let (status, schema) = gateway.admin("GET", path, Value::Null);
        assert!(status == 200 && schema.is_object(), "{path}: {status} {schema}");
    }
    let (_, schema) = gateway.admin("GET", "/schema/plugins/aws-lambda", Value::Null);
    assert_eq!(schema["properties"]["timeout"]["minimum"], json!(100));
    let good = json!({"uri": "/a", "upstream": node()});
    assert_eq!(gateway.admin("POST", "/schema/validate/routes", good).0, 200);
    assert_eq!(gateway.admin("POST", "/schema/validate/routes", json!({"uri": 1})).0, 400);
    assert_eq!(gateway.admin("GET", "/routes", Value::Null).1["total"], json!(0), "validating keeps nothing");
}

#[test]
fn what_has_a_ttl_expires_after_a_crash_too() {
    let mut gateway = Gateway::start();
    gateway.put("/routes/1?ttl=0.5", json!({"uri": "/a", "upstream": node()}));
    gateway.put("/routes/2?ttl=0.5", json!({"uri": "/b", "upstream": node()}));
    gateway.put("/routes/2", json!({"uri": "/b", "upstream": node()}));
    gateway.crash_and_restart();
    eventually("the route should expire", || {
        (gateway.admin("GET", "/routes/1", Value::Null).0 == 404).then_some(())
    });
    eventually("its path should lead nowhere", || (gateway.get("/a").status == 404).then_some(()));
    assert_eq!(gateway.admin("GET", "/routes/2", Value::Null).0, 200, "written again without one, it stays");
    gateway.put("/routes/3?ttl=0", json!({"uri": "/c", "upstream": node()}));
    assert_eq!(gateway.admin("GET", "/routes/3", Value::Null).0, 200, "0 is for good");
    for bad in ["x", "-1", "inf", "nan"] {
        let (status, answer) = gateway.admin("PUT", &format!("/routes/2?ttl={bad}"), json!({"uri": "/b"}));
        assert_eq!(status, 400, "{bad}: {answer}");
    }
}
