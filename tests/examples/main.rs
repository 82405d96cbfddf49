//! The settings files of `conf/examples`, each started and called; and what the pages of plugins say to type.

mod pages;

use std::path::{Path, PathBuf};
use std::process::Command;

use lockgate_tests::{
    ADMIN_KEY, Authority, FakeUpstream, Function, Gateway, Settings, curl, eventually, lockgate,
};
use serde_json::{Value, json};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf/examples")
}

/// Settings that start with an example, with the Admin key of the harness.
fn example(name: &str) -> Settings {
    let settings = Settings::new().file(directory().join(name));
    settings.environment("LOCKGATE_ADMIN_KEY", ADMIN_KEY)
}

#[test]
fn every_example_is_started_by_a_test_here() {
    let entries = std::fs::read_dir(directory()).expect("the examples are there");
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("a readable directory").file_name();
    let mut names: Vec<String> = entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
    names.sort();
    assert_eq!(names, ["admin-keys.yaml", "json-access-log.yaml", "split-horizon.yaml"]);
}

/// The lines of a log, once it has one for each of these targets.
fn logged(log: &Path, targets: &[&str]) -> Vec<Value> {
    eventually("all requests should be in the log", || {
        let text = std::fs::read_to_string(log).ok()?;
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let parsed = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let lines: Vec<Value> = whole.map(parsed).collect();
        let has = |uri: &&str| lines.iter().any(|line| line["uri"] == json!(uri));
        targets.iter().all(has).then_some(lines)
    })
}

#[test]
fn each_line_of_the_json_access_log_is_an_object_whatever_clients_send() {
    let upstream = FakeUpstream::fixed("ok");
    let gateway =
        Gateway::with(example("json-access-log.yaml").environment("LOCKGATE_ACCESS_LOG", "access.json"));
    gateway.route("1", json!({"uri": "/x"}), &upstream.node());
    gateway.request("GET", "/x?a=%22", &["User-Agent: a \"b\" \\c\td"], b"");
    gateway.get("/nowhere");
    let log = gateway.home().join("access.json");
    let lines = logged(&log, &["/x?a=%22", "/nowhere"]);
    let of = |uri: &str| lines.iter().find(|line| line["uri"] == json!(uri)).expect("just seen");
    let called = of("/x?a=%22");
    assert_eq!(called["agent"], json!("a \"b\" \\c\td"));
    assert_eq!((&called["status"], &called["bytes"]), (&json!(200), &json!(2)));
    assert_eq!((&called["route"], &called["upstream"]), (&json!("1"), &json!(upstream.node())));
    assert_eq!((&of("/nowhere")["status"], &of("/nowhere")["upstream"]), (&json!(404), &json!("")));
    std::fs::rename(&log, gateway.home().join("access.old")).expect("the log is there");
    gateway.process().signal("USR1");
    eventually("a new log should be there", || log.exists().then_some(()));
    gateway.get("/later");
    assert_eq!(logged(&log, &["/later"]).len(), 1);
}

#[test]
fn the_admin_keys_do_what_their_roles_say() {
    let keys = |settings: Settings| {
        settings.environment("DEPLOY_KEY", "deploy-0123456789").environment("VIEW_KEY", "view-0123456789")
    };
    let gateway = Gateway::with(keys(example("admin-keys.yaml")));
    let call = |key: &str, arguments: &[&str]| {
        let (key, url) =
            (format!("X-API-KEY: {key}"), format!("http://{}/apisix/admin/routes/1", gateway.admin));
        let line = [&["-i", &url, "-H", &key, "-H", "Origin: http://page.example"], arguments].concat();
        let answer = curl(&line);
        assert!(!answer.output.to_lowercase().contains("access-control-"), "{}", answer.output);
        answer.status()
    };
    let put = ["-X", "PUT", "-d", r#"{"uri": "/x", "upstream": {"nodes": {"127.0.0.1:1": 1}}}"#];
    assert_eq!(call("view-0123456789", &put), 401);
    assert_eq!(call("deploy-0123456789", &put), 201);
    assert_eq!(call("view-0123456789", &[]), 200);
    assert_eq!(call("someone-else", &[]), 401);
}

#[test]
fn a_key_that_is_not_in_the_environment_is_named() {
    let mut command = Command::new(lockgate());
    let file = directory().join("admin-keys.yaml");
    let output =
        command.args(["check", "-c"]).arg(file).env_remove("DEPLOY_KEY").env("VIEW_KEY", "v").output();
    let output = output.expect("the program can be started");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("DEPLOY_KEY") && !text.contains("VIEW_KEY"), "{text}");
}

#[test]
fn a_name_leads_elsewhere_and_its_certificate_still_counts() {
    const HOST: &str = "x9w6z07gb9.execute-api.us-east-1.amazonaws.com";
    let authority = Authority::new();
    let config = json!({
        "function_uri": format!("https://{HOST}/default/hello"),
        "authorization": {"apikey": Function::KEY},
    });
    for (name, status) in [(HOST, 200), ("other.example", 503)] {
        let function = Function::start_tls(0, authority.server(name));
        let settings = example("split-horizon.yaml")
            .environment("SSL_CERT_FILE", authority.file().to_string_lossy())
            .environment("ENDPOINT", function.node());
        let gateway = Gateway::with(settings);
        gateway.lambda("1", "/aws", config.clone());
        let reply = gateway.get("/aws?name=APISIX");
        assert_eq!(reply.status, status, "a certificate for {name}: {}", reply.text());
        if status == 200 {
            assert_eq!(reply.text(), "\"Hello, APISIX!\"");
            assert_eq!(function.next().head.all("host"), [HOST]);
        }
    }
}
