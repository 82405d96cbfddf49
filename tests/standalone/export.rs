//! `lockgate store`: what is exported can be imported, and is the same when it is exported again.

use std::path::Path;
use std::process::{Command, Output};

use lockgate_tests::{Authority, Gateway, Settings, eventually, lockgate};
use serde_json::{Value, json};

use crate::process::Etcd;

const SECRET: &str = "secret-of-a-function-0123456789";

fn store(arguments: &[&str], data: &Path, config: Option<&Path>) -> Output {
    let mut command = Command::new(lockgate());
    command.arg("store").args(arguments).arg("--data-dir").arg(data);
    command.args(config.into_iter().flat_map(|path| [Path::new("-c"), path]));
    command.output().expect("the program runs")
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("it is text")
}

fn told(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("it is text")
}

/// Puts one of nearly every kind.
fn fill(gateway: &Gateway) -> String {
    let (cert, key) = Authority::new().pair("export.test");
    gateway.put("/upstreams/u", json!({"type": "roundrobin", "nodes": {"127.0.0.1:1980": 1}, "desc": "yes"}));
    gateway.put("/services/s", json!({"upstream_id": "u", "labels": {"n": "0123"}}));
    gateway.put("/routes/2", json!({"uri": "/*", "service_id": "s", "priority": 3}));
    let config = json!({"function_uri": "https://f.example/", "authorization": {"apikey": SECRET}});
    gateway.put("/routes/1", json!({"uri": "/f", "plugins": {"aws-lambda": config}}));
    gateway.put("/ssls/1", json!({"snis": ["export.test"], "cert": cert, "key": key}));
    gateway.put("/consumers", json!({"username": "joe"}));
    gateway.put("/plugin_metadata/azure-functions", json!({"master_apikey": SECRET}));
    gateway.put("/secrets/vault/1", json!({"prefix": "kv", "token": "root", "uri": "http://127.0.0.1:8200"}));
    gateway.put("/protos/p", json!({"content": "syntax = \"proto3\";\nmessage A {}\n"}));
    key.lines().nth(1).expect("a key has lines").to_owned()
}

#[test]
fn what_is_exported_imports_and_exports_alike() {
    let mut gateway = Gateway::start();
    let key = fill(&gateway);
    let data = gateway.data();
    let busy = store(&["export"], &data, None);
    assert!(!busy.status.success());
    assert!(told(&busy).contains("a gateway runs with the data directory"), "{}", told(&busy));
    gateway.crash();
    let first = text(&store(&["export"], &data, None));
    assert!(first.starts_with("routes:\n") && first.ends_with("\n#END\n"), "{first}");
    assert!(!first.contains(SECRET) && !first.contains(&key), "{first}");
    assert_eq!(first, text(&store(&["export"], &data, None)));

    let other = tempfile::tempdir().expect("the temporary directory is writable");
    let file = other.path().join("resources.yaml");
    std::fs::write(&file, &first).expect("the temporary directory is writable");
    let into = other.path().join("data");
    std::fs::create_dir(&into).expect("the temporary directory is writable");
    std::fs::copy(data.join("encryption.key"), into.join("encryption.key")).expect("a key was made");
    let import =
        |more: &[&str]| store(&[&["import", file.to_str().expect("it is text")], more].concat(), &into, None);
    let done = import(&[]);
    assert!(
        done.status.success() && told(&done).contains("9 put, 0 deleted, 0 unchanged"),
        "{}",
        told(&done)
    );
    assert_eq!(first, text(&store(&["export"], &into, None)));
    assert!(told(&import(&["--replace"])).contains("0 put, 0 deleted, 9 unchanged"));
    let open = text(&store(&["export", "--reveal-secrets"], &into, None));
    assert!(open.contains(SECRET) && open.contains(&key));

    std::fs::write(&file, &open).expect("the temporary directory is writable");
    assert!(told(&import(&["--replace"])).contains("0 put, 0 deleted, 9 unchanged"), "opened says the same");
    std::fs::write(&file, "routes:\n  - {id: 9, uri: /nine, plugins: {}}\n")
        .expect("the temporary directory is writable");
    assert!(told(&import(&[])).contains("1 put, 0 deleted, 0 unchanged"));
    assert!(text(&store(&["export"], &into, None)).contains("/nine"));
    assert!(told(&import(&["--replace"])).contains("0 put, 9 deleted, 1 unchanged"));
    let left = text(&store(&["export"], &into, None));
    assert!(!left.contains("upstreams") && left.contains("/nine"), "{left}");
    assert!(text(&store(&["compact"], &into, None)).contains("bytes before"));
    assert_eq!(left, text(&store(&["export"], &into, None)));
}

#[test]
fn what_is_wrong_is_told_whole_and_nothing_is_kept() {
    let home = tempfile::tempdir().expect("the temporary directory is writable");
    let (file, data) = (home.path().join("resources.yaml"), home.path().join("data"));
    let wrong = "routes:\n  - {id: good, uri: /, plugins: {}}\n  - {id: a, uri: 7}\n  - {id: b, uri: /, upstream_id: gone}\n";
    std::fs::write(&file, wrong).expect("the temporary directory is writable");
    let refused = store(&["import", file.to_str().expect("it is text")], &data, None);
    let why = told(&refused);
    assert!(!refused.status.success() && why.contains("nothing is kept"), "{why}");
    assert!(why.contains("routes[1]: ") && why.contains("routes[2]: failed to fetch upstream info"), "{why}");
    assert_eq!(text(&store(&["export"], &data, None)), "{}\n#END\n");
    let nowhere = store(&["export"], &home.path().join("nowhere"), None);
    assert!(told(&nowhere).contains("there is no store at"), "{}", told(&nowhere));
}

#[test]
fn etcd_is_exported_and_imported_by_its_settings() {
    let etcd = Etcd::start();
    let settings = |prefix: &str| {
        Settings::new()
            .set("deployment.role_traditional.config_provider", json!("etcd"))
            .set("deployment.etcd.host", json!([format!("http://127.0.0.1:{}", etcd.port)]))
            .set("deployment.etcd.prefix", json!(prefix))
            .set("apisix.data_encryption.keyring", json!(["0123456789abcdef"]))
    };
    let (from, to) = (Gateway::with(settings("/apisix")), Gateway::with(settings("/other")));
    fill(&from);
    let config = |gateway: &Gateway| gateway.home().join("config.yaml");
    let first = text(&store(&["export"], &from.data(), Some(&config(&from))));
    assert!(!first.contains(SECRET), "{first}");
    let file = from.home().join("resources.yaml");
    std::fs::write(&file, &first).expect("the temporary directory is writable");
    let done = store(&["import", file.to_str().expect("it is text")], &to.data(), Some(&config(&to)));
    assert!(done.status.success(), "{}", told(&done));
    assert_eq!(first, text(&store(&["export"], &to.data(), Some(&config(&to)))));
    eventually("a gateway that runs has it too", || {
        (to.admin("GET", "/routes/2", Value::Null).0 == 200).then_some(())
    });
}
