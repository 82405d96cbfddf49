//! Roles: a control plane that is told, data planes that serve.

use std::net::TcpStream;
use std::process::Command;

use lockgate_tests::{FakeUpstream as Upstream, Finished, Gateway, Process, Settings, eventually, lockgate};
use serde_json::{Value, json};

use crate::process::Etcd;

fn on_etcd(role: &str, port: u16) -> Settings {
    Settings::new()
        .set("deployment.role", json!(role))
        .set(&format!("deployment.role_{role}.config_provider"), json!("etcd"))
        .set("deployment.etcd.host", json!([format!("http://127.0.0.1:{port}")]))
        .set("deployment.etcd.timeout", json!(2))
}

#[test]
fn what_a_control_plane_is_told_data_planes_serve() {
    let (etcd, upstream) = (Etcd::start(), Upstream::fixed("here"));
    let told = Gateway::with(on_etcd("control_plane", etcd.port).without_proxy());
    let serving = Gateway::with(on_etcd("data_plane", etcd.port).without_admin());
    assert!(TcpStream::connect(told.proxy).is_err(), "a control plane serves no requests");
    assert!(TcpStream::connect(serving.admin).is_err(), "a data plane cannot be told anything");
    let nodes = json!({upstream.node(): 1});
    let kept =
        told.put("/routes/1", json!({"uri": "/*", "upstream": {"type": "roundrobin", "nodes": nodes}}));
    assert!(kept.get("warnings").is_none(), "{kept}");
    eventually("it is served", || (serving.get("/x").status == 200).then_some(()));
    let (status, refused) = told.admin("PUT", "/routes/2", json!({"uri": "/", "upstream_id": "gone"}));
    assert_eq!(status, 400, "{refused}");
    for gateway in [&told, &serving] {
        assert_eq!(gateway.status_get("/status/ready").status, 200);
    }
}

#[test]
fn a_gateway_starts_while_etcd_is_away_and_comes_up_with_it() {
    let (mut etcd, upstream) = (Etcd::start(), Upstream::fixed("here"));
    let nodes = json!({upstream.node(): 1});
    etcd.put(
        "/apisix/routes/1",
        &json!({"id": "1", "uri": "/*", "upstream": {"type": "roundrobin", "nodes": nodes}}).to_string(),
    );
    etcd.kill();
    let gateway = Gateway::with(on_etcd("traditional", etcd.port));
    assert_eq!(gateway.get("/x").status, 404);
    assert_eq!(gateway.status_get("/status").status, 200, "it runs");
    let ready = gateway.status_get("/status/ready");
    assert_eq!(ready.status, 503);
    assert!(ready.text().contains("etcd does not answer"), "{}", ready.text());
    for (method, path) in
        [("GET", "/routes/1"), ("GET", "/routes"), ("PUT", "/routes/2"), ("DELETE", "/routes/1")]
    {
        let (status, refused) = gateway.admin(method, path, json!({"uri": "/"}));
        assert_eq!(status, 503, "{method} {path}: {refused}");
        assert!(refused["error_msg"].as_str().unwrap().contains("etcd does not answer"), "{refused}");
    }
    let (_, status) = gateway.admin("GET", "/status", Value::Null);
    assert!(status["store"]["trouble"].as_str().unwrap().contains("etcd"), "{status}");
    let metrics = || gateway.metrics_get("/apisix/prometheus/metrics").text();
    assert!(metrics().contains("\napisix_etcd_reachable 0\n"), "{}", metrics());
    etcd.restart();
    eventually("it is served", || (gateway.get("/x").status == 200).then_some(()));
    assert_eq!(gateway.status_get("/status/ready").status, 200);
    assert_eq!(gateway.admin("GET", "/routes/1", Value::Null).0, 200);
    assert!(metrics().contains("\napisix_etcd_reachable 1\n"), "{}", metrics());
    etcd.kill();
    eventually("it is noticed", || {
        let (_, status) = gateway.admin("GET", "/status", Value::Null);
        status["store"]["trouble"].as_str().map(drop)
    });
    assert_eq!(gateway.status_get("/status/ready").status, 200, "what was read last is served");
}

/// Runs a gateway that must not start.
fn refused(deployment: &Value) -> Finished {
    let home = tempfile::tempdir().expect("the temporary directory is writable");
    let file = json!({"apisix": {"node_listen": 0}, "deployment": deployment, "plugin_attr": {
        "prometheus": {"enable_export_server": false},
    }});
    let file = file.to_string();
    std::fs::write(home.path().join("config.yaml"), file).expect("the temporary directory is writable");
    let mut command = Command::new(lockgate());
    Process::start(command.args(["run", "-c", "config.yaml"]).current_dir(home.path())).finish()
}

#[test]
fn what_does_not_go_together_does_not_start() {
    let rows = [
        (json!({"role": "data_plane"}), "deployment.role_data_plane.config_provider"),
        (
            json!({"role": "control_plane", "role_control_plane": {"config_provider": "yaml"}}),
            "deployment.role_control_plane.config_provider",
        ),
        (json!({"role": "control_plane"}), "deployment.etcd: has to be given"),
        (json!({"role": "edge"}), "deployment.role"),
    ];
    for (deployment, key) in rows {
        let end = refused(&deployment);
        assert_eq!(end.code, Some(1), "{}", end.output);
        assert!(end.output.contains(key), "{}", end.output);
    }
}
