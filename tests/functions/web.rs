//! Function URLs and the API Gateway in front of functions, alone and behind a route.

use lockgate_tests::Settings;
use serde_json::json;

use crate::{Local, call};

const ECHO: &str = "
import json
def handler(event, context):
    if event.get('rawPath', event.get('path', '')).endswith('/bad'):
        return {'statusCode': 'x'}
    return {'statusCode': 201, 'headers': {'X-A': '1'}, 'cookies': ['a=1', 'b=2'], 'body': json.dumps(event)}
";

#[test]
fn a_function_url_hands_the_request_over_as_it_was_sent() {
    let local = Local::start(ECHO, json!({}));
    let reply = call(local.server, "PUT", "/urls/f/a%2Fb/c?x=1&x=2", &["X-Dup: 1", "X-Dup: 2"], b"hi");
    assert_eq!((reply.status, reply.get("x-a")), (201, Some("1")));
    assert_eq!(reply.head.all("set-cookie"), ["a=1", "b=2"]);
    let event = reply.json();
    assert_eq!((&event["version"], &event["rawPath"]), (&json!("2.0"), &json!("/a%2Fb/c")));
    assert_eq!((&event["rawQueryString"], &event["body"]), (&json!("x=1&x=2"), &json!("hi")));
    assert_eq!(event["headers"]["x-dup"], json!("1,2"));
    assert_eq!(event["requestContext"]["http"]["method"], json!("PUT"));
    let by_name = call(local.server, "GET", "/x", &["Host: f.localhost:9070"], b"");
    assert_eq!(by_name.json()["rawPath"], json!("/x"));
}

#[test]
fn an_answer_that_is_none_is_502_and_says_so() {
    let local = Local::start(ECHO, json!({}));
    let reply = local.get("/default/f/bad");
    assert_eq!(reply.status, 502);
    assert!(reply.text().contains("statusCode that is none"), "{}", reply.text());
    assert_eq!(local.get("/default/g").status, 403, "API Gateway's answer for a path it does not have");
    assert_eq!(local.get("/urls/g/").status, 404);
}

#[test]
fn an_api_asks_for_its_key() {
    let local = Local::start(ECHO, json!({"api_key": "k-1"}));
    let with = |headers: &[&str]| call(local.server, "GET", "/default/f/x?a=1", headers, b"").status;
    assert_eq!((with(&[]), with(&["x-api-key: k-2"]), with(&["x-api-key: k-1"])), (403, 403, 201));
}

#[test]
fn a_route_to_a_function_here_is_the_route_to_one_on_aws() {
    let local = Local::start(ECHO, json!({"api_key": "k-1"}));
    let uri = format!("http://{}/default/f", local.server);
    local.gateway.lambda("1", "/aws/*", json!({"function_uri": uri, "authorization": {"apikey": "k-1"}}));
    let reply = local.gateway.request("POST", "/aws/deep/path?name=APISIX", &["Cookie: c=1"], b"body");
    assert_eq!(reply.status, 201, "{}", reply.text());
    let event = reply.json();
    assert_eq!((&event["version"], &event["path"]), (&json!("1.0"), &json!("/f/deep/path")));
    assert_eq!(event["pathParameters"], json!({"proxy": "deep/path"}));
    assert_eq!(event["queryStringParameters"], json!({"name": "APISIX"}));
    assert_eq!((&event["body"], &event["headers"]["cookie"]), (&json!("body"), &json!("c=1")));
    local.gateway.lambda("2", "/open", json!({"function_uri": uri}));
    assert_eq!(local.gateway.get("/open").status, 403);
}

#[test]
fn signed_calls_are_accepted_and_others_are_not() {
    let settings = Settings::new().set(
        "function_server",
        json!({
            "listen": {"port": 0},
            "credentials": {"access_key_id": "AKIDLOCAL", "secret_access_key": "local-secret"},
        }),
    );
    let local = Local::signed(ECHO, json!({"auth": "AWS_IAM"}), settings);
    assert_eq!(local.invoke("{}", &[]).get("x-amzn-errortype"), Some("MissingAuthenticationTokenException"));
    assert_eq!(local.get("/urls/f/").status, 403);
    for (id, path, service, secret, status) in [
        ("1", "/urls/f", "lambda", "local-secret", 201),
        ("2", "/urls/f", "lambda", "another-secret", 403),
        ("3", "/default/f", "execute-api", "local-secret", 201),
        ("4", "/default/f", "lambda", "local-secret", 403),
    ] {
        let uri = format!("http://{}{path}", local.server);
        let iam = json!({
            "accesskey": "AKIDLOCAL", "secretkey": secret, "aws_region": "us-east-1", "service": service,
        });
        let route = format!("/r{id}");
        local.gateway.lambda(id, &route, json!({"function_uri": uri, "authorization": {"iam": iam}}));
        let reply = local.gateway.request("POST", &format!("{route}?b=2&a=%20"), &["X-Amz-Meta: v"], b"body");
        assert_eq!(reply.status, status, "{id}: {}", reply.text());
    }
}
