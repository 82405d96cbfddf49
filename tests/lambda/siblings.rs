//! `azure-functions`, `openfunction` and `openwhisk`: who authorizes a call, and what its answer becomes.

use lockgate_tests::{FakeUpstream, Gateway, Received, Then};
use serde_json::{Value, json};

use crate::at;

/// PUTs `/f/*` with a plugin configured so.
fn put(gateway: &Gateway, plugin: &str, config: impl Into<Value>) {
    let config = config.into();
    gateway.put("/routes/1", json!({"uri": "/f/*", "plugins": {plugin: config}}));
}

/// The keys that Azure would have seen.
fn azure_keys(request: &Received) -> [Vec<&str>; 2] {
    ["x-functions-key", "x-functions-clientid"].map(|name| request.head.all(name))
}

#[test]
fn the_key_for_azure_is_the_clients_or_that_of_the_route_or_the_master_key() {
    let (gateway, function) = (Gateway::start(), FakeUpstream::fixed("ok"));
    let call = |headers: &[&str]| {
        assert_eq!(gateway.request("GET", "/f/x", headers, b"").status, 200);
        function.next()
    };
    let none: Vec<&str> = Vec::new();
    put(&gateway, "azure-functions", at(&function, "/api"));
    let request = call(&[]);
    assert_eq!((azure_keys(&request), request.target()), ([none.clone(), none.clone()], "/api/x"));

    gateway.put(
        "/plugin_metadata/azure-functions",
        json!({"master_apikey": "master", "master_clientid": "everyone"}),
    );
    assert_eq!(azure_keys(&call(&[])), [["master"], ["everyone"]]);
    assert_eq!(azure_keys(&call(&["X-Functions-Key: theirs"])), [vec!["theirs"], none.clone()]);
    assert_eq!(azure_keys(&call(&["x-functions-clientid: theirs"])), [none.clone(), vec!["theirs"]]);

    let mut config = at(&function, "/api");
    config["authorization"] = json!({"apikey": "of-the-route"});
    put(&gateway, "azure-functions", config.clone());
    assert_eq!(azure_keys(&call(&[])), [vec!["of-the-route"], none.clone()], "the metadata is not mixed in");
    assert_eq!(azure_keys(&call(&["X-Functions-Key: theirs"])), [vec!["theirs"], none.clone()]);

    config["authorization"] = json!({});
    put(&gateway, "azure-functions", config);
    assert_eq!(azure_keys(&call(&[])), [none.clone(), none.clone()]);

    put(&gateway, "azure-functions", at(&function, "/api"));
    gateway.put("/plugin_metadata/azure-functions", json!({"master_apikey": "another"}));
    assert_eq!(azure_keys(&call(&[])), [vec!["another"], none.clone()], "live when the PUT has answered");
    let (status, _) = gateway.admin("DELETE", "/plugin_metadata/azure-functions", Value::Null);
    assert_eq!((status, azure_keys(&call(&[]))), (200, [none.clone(), none]));
}

#[test]
fn the_token_of_openfunction_replaces_the_clients_authorization() {
    let (gateway, function) = (Gateway::start(), FakeUpstream::fixed("ok"));
    put(&gateway, "openfunction", at(&function, "/default/fn"));
    gateway.request("GET", "/f/x?a=1", &["Authorization: Bearer theirs"], b"");
    let request = function.next();
    assert_eq!(
        (request.target(), request.head.all("authorization")),
        ("/default/fn/x?a=1", vec!["Bearer theirs"])
    );
    let mut config = at(&function, "/default/fn");
    config["authorization"] = json!({"service_token": "user:pass"});
    put(&gateway, "openfunction", config);
    gateway.request("POST", "/f/", &["Authorization: Bearer theirs"], b"body");
    let request = function.next();
    assert_eq!(request.head.all("authorization"), ["Basic dXNlcjpwYXNz"]);
    assert_eq!((request.method(), request.text().as_str()), ("POST", "body"));
}

fn action(api: &FakeUpstream, fields: &Value) -> Value {
    let mut config = json!({
        "api_host": format!("http://{}", api.node()), "service_token": "user:pass", "namespace": "guest",
        "action": "hello",
    });
    for (name, value) in fields.as_object().expect("fields") {
        config[name] = value.clone();
    }
    config
}

/// An API whose actions return `result`.
fn returning(status: &'static str, result: &'static str) -> FakeUpstream {
    FakeUpstream::start(move |_, connection| {
        let headers = ["Content-Type: application/json", "X-Openwhisk-Activation-Id: 1", "Set-Cookie: api=1"];
        connection.answer(status, &headers, result).map(|()| Then::Keep)
    })
}

#[test]
fn an_action_is_invoked_with_the_clients_body_and_nothing_else_of_it() {
    let gateway = Gateway::start();
    let api = returning("200 OK", r#"{"hello":"world"}"#);
    put(&gateway, "openwhisk", action(&api, &json!({})));
    let reply = gateway.request(
        "POST",
        "/f/x?a=1",
        &["X-Own: 1", "Cookie: a=1", "Authorization: theirs"],
        b"{\"a\":1}",
    );
    assert_eq!((reply.status, reply.text().as_str()), (200, r#"{"hello":"world"}"#));
    assert_eq!(reply.get("content-type"), Some("application/json"));
    let request = api.next();
    assert_eq!(
        request.head.start,
        "POST /api/v1/namespaces/guest/actions/hello?blocking=true&result=true&timeout=3000 HTTP/1.1"
    );
    assert_eq!(request.head.all("authorization"), ["Basic dXNlcjpwYXNz"]);
    assert_eq!(request.head.all("content-type"), ["application/json"]);
    assert!(["x-own", "cookie"].iter().all(|name| request.head.get(name).is_none()), "{:?}", request.head);
    assert_eq!(request.text(), "{\"a\":1}");

    let fields = json!({"package": "my pkg", "action": "a@b.c", "result": false, "timeout": 60000});
    put(&gateway, "openwhisk", action(&api, &fields));
    assert_eq!(gateway.get("/f/x").status, 200);
    let request = api.next();
    assert_eq!(
        request.target(),
        "/api/v1/namespaces/guest/actions/my%20pkg/a@b.c?blocking=true&result=false&timeout=60000"
    );
    assert_eq!(request.head.all("content-length"), ["0"], "a GET becomes a POST without a body");
}

#[test]
fn a_result_that_describes_an_answer_becomes_that_answer() {
    let gateway = Gateway::start();
    for (result, status, body, kind) in [
        (r#"{"statusCode":407}"#, 407, r#"{"statusCode":407}"#, "application/json"),
        (r#"{"statusCode":"404","body":"gone"}"#, 404, "gone", "text/plain; charset=utf-8"),
        (r#"{"body":{"test":"body"}}"#, 200, r#"{"test":"body"}"#, "application/json"),
        (r#"{"body":[1,2]}"#, 200, "[1,2]", "application/json"),
        (r#"{"body":"<p>","headers":{"Content-Type":"text/html"}}"#, 200, "<p>", "text/html"),
        (r#"{"body":null}"#, 200, r#"{"body":null}"#, "application/json"),
        ("[1, 2]", 200, "[1, 2]", "application/json"),
        (r#""text""#, 200, "\"text\"", "application/json"),
    ] {
        let api = returning("200 OK", result);
        put(&gateway, "openwhisk", action(&api, &json!({})));
        let reply = gateway.get("/f/x");
        assert_eq!((reply.status, reply.text().as_str()), (status, body), "{result}");
        assert_eq!(reply.get("content-type"), Some(kind), "{result}");
        assert!(reply.get("x-openwhisk-activation-id").is_none() && reply.get("set-cookie").is_none());
    }
    let api = returning(
        "200 OK",
        r#"{"body":"ok","headers":{"test":"header","Set-Cookie":["a=1","b=2"],"X-N":5,"X-B":true,
            "Transfer-Encoding":"chunked","Content-Length":"999","Connection":"close"}}"#,
    );
    put(&gateway, "openwhisk", action(&api, &json!({})));
    let reply = gateway.get("/f/x");
    assert_eq!((reply.text().as_str(), reply.head.all("set-cookie")), ("ok", vec!["a=1", "b=2"]));
    let set = ["test", "x-n", "x-b", "content-length"].map(|name| reply.head.all(name).join("|"));
    assert_eq!(set, ["header", "5", "true", "2"]);
    assert!(reply.get("transfer-encoding").is_none());
}

#[test]
fn what_openwhisk_itself_refuses_is_passed_on_and_nonsense_is_503() {
    let gateway = Gateway::start();
    let refusal = r#"{"code":"x","error":"The requested resource does not exist."}"#;
    let api = returning("404 Not Found", refusal);
    put(&gateway, "openwhisk", action(&api, &json!({})));
    let reply = gateway.get("/f/x");
    assert_eq!((reply.status, reply.text().as_str()), (404, refusal));
    for result in [
        "<html>",
        r#"{"statusCode":99}"#,
        r#"{"statusCode":"x"}"#,
        r#"{"statusCode":101}"#,
        r#"{"headers":{"a b":"c"}}"#,
        r#"{"headers":{"a":"b\r\nc: d"}}"#,
        r#"{"headers":{"a":{}}}"#,
    ] {
        let api = returning("200 OK", result);
        put(&gateway, "openwhisk", action(&api, &json!({})));
        let reply = gateway.get("/f/x");
        assert_eq!(reply.status, 503, "{result}: {}", reply.text());
        assert!(reply.text().contains("the action's result"), "{}", reply.text());
    }
    let api = returning("204 No Content", "");
    put(&gateway, "openwhisk", action(&api, &json!({})));
    assert_eq!(gateway.get("/f/x").status, 204);
}

#[test]
fn a_body_that_is_too_long_is_413_for_openwhisk_and_400_for_the_others() {
    let (gateway, function) = (Gateway::start(), FakeUpstream::fixed("{}"));
    let limited = |mut config: Value| {
        config["max_req_body_size"] = json!(4);
        config
    };
    let chunked = b"POST /f/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nabcde\r\n0\r\n\r\n";
    for (plugin, config, status) in [
        ("openwhisk", action(&function, &json!({})), 413),
        ("azure-functions", at(&function, "/"), 400),
        ("openfunction", at(&function, "/"), 400),
    ] {
        put(&gateway, plugin, limited(config));
        assert_eq!(gateway.request("POST", "/f/x", &[], b"abcd").status, 200, "{plugin}");
        assert_eq!(gateway.request("POST", "/f/x", &[], b"abcde").status, status, "{plugin}");
        assert_eq!(gateway.connect().exchange(chunked).status, status, "{plugin}");
    }
}

#[test]
fn what_cannot_be_reached_is_503() {
    let gateway = Gateway::start();
    let nobody = "http://127.0.0.1:1";
    for (plugin, config) in [
        ("azure-functions", json!({"function_uri": nobody})),
        ("openfunction", json!({"function_uri": nobody})),
        ("openwhisk", json!({"api_host": nobody, "service_token": "a:b", "namespace": "n", "action": "a"})),
    ] {
        put(&gateway, plugin, config);
        assert_eq!(gateway.get("/f/x").status, 503, "{plugin}");
    }
}

#[test]
fn configurations_are_refused_in_the_words_of_apisix() {
    let gateway = Gateway::start();
    for (plugin, config, why) in [
        ("azure-functions", json!({}), r#"property "function_uri" is required"#),
        ("openfunction", json!({}), r#"property "function_uri" is required"#),
        (
            "openwhisk",
            json!({"service_token": "test:test", "namespace": "test", "action": "test"}),
            r#"property "api_host" is required"#,
        ),
        (
            "openwhisk",
            json!({"api_host": 3233, "service_token": "t:t", "namespace": "t", "action": "t"}),
            r#"property "api_host" validation failed: wrong type: expected string, got number"#,
        ),
        (
            "openwhisk",
            json!({"api_host": "http://h", "service_token": "t:t", "namespace": "a/b", "action": "t"}),
            r#"property "namespace" validation failed: "#,
        ),
        (
            "openwhisk",
            json!({"api_host": "h:1", "service_token": "t:t", "namespace": "t", "action": "t"}),
            r#"property "api_host" validation failed: "#,
        ),
    ] {
        let body = json!({"uri": "/f", "plugins": {plugin: config}});
        let (status, reply) = gateway.admin("PUT", "/routes/1", body);
        let message = reply["error_msg"].as_str().unwrap_or_default();
        let expected = format!("failed to check the configuration of plugin {plugin} err: {why}");
        assert!(status == 400 && message.starts_with(&expected), "{status} {message}");
    }
}
