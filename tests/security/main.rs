//! Secrets stay secret, headers stay where they belong, and the Admin API stays closed.

mod addresses;
mod certificates;

use std::path::Path;

use lockgate_tests::{ADMIN_KEY, FakeUpstream, Gateway, Settings, Then, closed_port, eventually};
use serde_json::{Value, json};

const SECRET: &str = "s3cr3t-api-key-that-must-not-leak";

fn files(directory: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(directory).expect("a directory").filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.is_file() {
            found.push((path.display().to_string(), std::fs::read(&path).expect("a readable file")));
        }
    }
}

fn contains(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[test]
fn keys_are_sealed_at_rest_and_opened_for_get() {
    let gateway = Gateway::start();
    let authorization = json!({
        "apikey": SECRET,
        "iam": {"accesskey": SECRET, "secret_key": SECRET, "session_token": SECRET},
    });
    let config = json!({"function_uri": "http://127.0.0.1:1/", "authorization": authorization});
    gateway.lambda("1", "/aws", config);
    let (_, read) = gateway.admin("GET", "/routes/1", Value::Null);
    assert_eq!(read["value"]["plugins"]["aws-lambda"]["authorization"], authorization);
    let mut found = Vec::new();
    files(&gateway.data(), &mut found);
    assert!(!found.is_empty(), "the data directory holds files");
    for (name, bytes) in found {
        assert!(!contains(&bytes, SECRET), "{name} holds the key in the clear");
    }
}

#[test]
fn no_secret_is_logged_or_told_to_a_client() {
    let gateway = Gateway::with(Settings::new().set("nginx_config.error_log_level", json!("debug")));
    let uri = format!("http://127.0.0.1:{}/?code={SECRET}", closed_port());
    let config = json!({"function_uri": uri, "authorization": {"apikey": SECRET, "iam": {
        "accesskey": "AKIDEXAMPLE", "secretkey": SECRET}}});
    gateway.lambda("1", "/aws", config);
    let reply = gateway.request("GET", "/aws", &["Authorization: Bearer client-token-0123456789"], b"");
    assert_eq!(reply.status, 503);
    assert!(!reply.text().contains(SECRET), "{}", reply.text());
    let wrong = json!({"uri": "/a", "plugins": {"aws-lambda": {"function_uri": "http://x", "timeout": "x",
        "authorization": {"apikey": SECRET}}}});
    let (status, answer) = gateway.admin("PUT", "/routes/2", wrong);
    assert_eq!(status, 400);
    assert!(!answer.to_string().contains(SECRET), "{answer}");
    let output = eventually("debug lines are logged", || {
        Some(gateway.output()).filter(|output| output.contains("function failed"))
    });
    for secret in [SECRET, ADMIN_KEY, "client-token-0123456789"] {
        assert!(!output.contains(secret), "{secret} in the log: {output}");
    }
}

#[test]
fn the_admin_api_is_not_on_the_data_plane() {
    let gateway = Gateway::start();
    let key = format!("X-API-KEY: {ADMIN_KEY}");
    let reply = gateway.request("GET", "/apisix/admin/routes", &[&key], b"");
    assert_eq!(reply.status, 404);
    assert_eq!(reply.text().trim_end(), r#"{"error_msg":"404 Route Not Found"}"#);
}

#[test]
fn allow_admin_closes_the_admin_api_to_other_addresses() {
    let upstream = FakeUpstream::fixed("ok");
    let gateway = Gateway::with(Settings::new().set("deployment.admin.allow_admin", json!(["127.0.0.0/8"])));
    gateway.route("1", json!({"uri": "/x"}), &upstream.node());
    assert_eq!(gateway.get("/x").status, 200);
}

#[test]
fn a_function_cannot_split_the_answer_in_two() {
    let upstream = FakeUpstream::start(|_, connection| {
        connection
            .send("HTTP/1.1 200 OK\r\nX-Echo: a\rSet-Cookie: evil=1\r\nContent-Length: 2\r\n\r\nok")
            .map(|()| Then::Close)
    });
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/x"}), &upstream.node());
    let reply = gateway.get("/x");
    assert!(reply.status == 502 || reply.get("set-cookie").is_none(), "{:?}", reply.head);
}

#[test]
fn a_client_cannot_pose_as_a_forwarding_proxy_of_another_protocol() {
    let upstream = FakeUpstream::fixed("ok");
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/x"}), &upstream.node());
    gateway.request("GET", "/x", &["X-Real-IP: 192.0.2.1", "X-Forwarded-Port: 1"], b"");
    let head = upstream.next().head;
    assert_eq!(head.all("x-real-ip"), ["127.0.0.1"]);
    assert_eq!(head.all("x-forwarded-port"), [gateway.proxy.port().to_string()]);
}
