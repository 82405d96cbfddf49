//! Starting, stopping, and what is left after a crash.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use lockgate_tests::{
    FakeUpstream, Finished, Gate, Gateway, Ports, Process, Settings, Then, closed_port, eventually, lockgate,
};
use serde_json::{Value, json};
use tempfile::TempDir;

fn directory() -> TempDir {
    tempfile::tempdir().expect("the temporary directory is writable")
}

fn run(home: &Path, arguments: &[&str]) -> Process {
    let mut command = Command::new(lockgate());
    Process::start(command.args(arguments).env_remove("LOCKGATE_ADMIN_KEY").current_dir(home))
}

/// Runs `lockgate check` on a file with this text.
fn check(text: &str) -> Finished {
    let home = directory();
    std::fs::write(home.path().join("config.yaml"), text).expect("the temporary directory is writable");
    run(home.path(), &["check", "-c", "config.yaml"]).finish()
}

fn settings_file(home: &Path, proxy: u16, admin: u16) {
    let text = format!(
        "plugin_attr: {{prometheus: {{enable_export_server: false}}}}\n\
         apisix:\n  enable_control: false\n  node_listen:\n    - {{ip: 127.0.0.1, port: {proxy}}}\n\
         deployment:\n  admin:\n    admin_listen: {{ip: 127.0.0.1, port: {admin}}}\n"
    );
    std::fs::write(home.join("config.yaml"), text).expect("the temporary directory is writable");
}

#[test]
fn a_term_signal_lets_the_request_in_flight_finish_and_exits_0() {
    let (arrived, gate) = (Gate::new(), Gate::new());
    let (tell, wait) = (arrived.clone(), gate.clone());
    let upstream = FakeUpstream::start(move |_, connection| {
        tell.open();
        wait.pass();
        connection.answer("200 OK", &[], "finished").map(|()| Then::Keep)
    });
    let mut gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/x"}), &upstream.node());
    let idle = gateway.connect();
    let mut connection = gateway.connect();
    connection.send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").expect("the gateway reads");
    arrived.pass();
    gateway.process().signal("TERM");
    let proxy = gateway.proxy;
    eventually("no new connection should be taken", || {
        std::net::TcpStream::connect(proxy).is_err().then_some(())
    });
    gate.open();
    assert_eq!(connection.reply().text(), "finished");
    let end = gateway.finish();
    assert_eq!(end.code, Some(0), "{}", end.output);
    drop(idle);
}

#[test]
fn draining_is_bounded_by_worker_shutdown_timeout() {
    let arrived = Gate::new();
    let tell = arrived.clone();
    let upstream = FakeUpstream::start(move |_, connection| {
        tell.open();
        drop(connection.read_to_close());
        Ok(Then::Close)
    });
    let mut gateway = Gateway::with(Settings::new().set("nginx_config.worker_shutdown_timeout", json!("1s")));
    gateway.route("1", json!({"uri": "/x"}), &upstream.node());
    let mut connection = gateway.connect();
    connection.send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").expect("the gateway reads");
    arrived.pass();
    gateway.process().signal("TERM");
    gateway.finish();
}

#[test]
fn a_taken_port_is_named_and_the_start_fails() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let port = holder.local_addr().expect("a bound socket has an address").port();
    let home = directory();
    settings_file(home.path(), port, closed_port());
    let end = run(home.path(), &["run", "-c", "config.yaml", "--data-dir", "data"]).finish();
    assert!(end.code.is_some_and(|code| code != 0), "{end:?}");
    assert!(end.output.contains(&port.to_string()), "{end:?}");
}

#[test]
fn a_taken_port_of_the_control_api_is_named_with_its_setting() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let port = holder.local_addr().expect("a bound socket has an address").port();
    let home = directory();
    settings_file(home.path(), closed_port(), closed_port());
    let path = home.path().join("config.yaml");
    let text = std::fs::read_to_string(&path).expect("just written");
    let text = text.replace("enable_control: false", &format!("control: {{port: {port}}}"));
    std::fs::write(&path, text).expect("the temporary directory is writable");
    let end = run(home.path(), &["run", "-c", "config.yaml", "--data-dir", "data"]).finish();
    assert!(end.code.is_some_and(|code| code != 0), "{end:?}");
    assert!(end.output.contains(&format!("127.0.0.1:{port} (apisix.control)")), "{end:?}");
}

#[test]
fn a_taken_port_of_the_export_server_is_named_and_lets_only_dev_go_on() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let port = holder.local_addr().expect("a bound socket has an address").port();
    let home = directory();
    settings_file(home.path(), closed_port(), closed_port());
    let path = home.path().join("config.yaml");
    let text = std::fs::read_to_string(&path).expect("just written");
    let text = text.replace("enable_export_server: false", &format!("export_addr: {{port: {port}}}"));
    std::fs::write(&path, text).expect("the temporary directory is writable");
    let end = run(home.path(), &["run", "-c", "config.yaml", "--data-dir", "data"]).finish();
    assert!(end.code.is_some_and(|code| code != 0), "{end:?}");
    let named = format!("127.0.0.1:{port} (plugin_attr.prometheus.export_addr)");
    assert!(end.output.contains(&named), "{end:?}");
    let dev = run(home.path(), &["dev", "-c", "config.yaml", "--data-dir", "data"]);
    eventually("lockgate dev should say that metrics are not shown, and go on", || {
        let said = dev.output();
        (said.contains("metrics are not shown") && said.contains("http://127.0.0.1:")).then_some(())
    });
}

#[test]
fn the_control_api_can_be_switched_off() {
    let gateway = Gateway::with(Settings::new().set("apisix.enable_control", json!(false)));
    assert!(std::net::TcpStream::connect(gateway.control).is_err());
    assert_eq!(Gateway::start().control_get("/v1/nothing").json(), json!({"error_msg": "not found"}));
}

#[test]
fn a_second_gateway_on_the_same_ports_says_so_and_fails() {
    let gateway = Gateway::start();
    let home = directory();
    settings_file(home.path(), gateway.proxy.port(), closed_port());
    let end = run(home.path(), &["run", "-c", "config.yaml", "--data-dir", "data"]).finish();
    assert!(end.code.is_some_and(|code| code != 0), "{end:?}");
    assert!(end.output.contains(&gateway.proxy.port().to_string()), "{end:?}");
    assert_eq!(gateway.get("/").status, 404, "the first one goes on");
}

#[test]
fn a_second_gateway_on_the_same_data_is_refused() {
    let gateway = Gateway::start();
    let home = directory();
    let ports = Ports::take();
    settings_file(home.path(), ports.get(0), ports.get(1));
    let data = gateway.data().to_string_lossy().into_owned();
    let end = run(home.path(), &["run", "-c", "config.yaml", "--data-dir", &data]).finish();
    assert!(end.code.is_some_and(|code| code != 0), "{end:?}");
}

#[test]
fn a_corrupt_store_is_reported_and_left_as_it_is() {
    let mut gateway = Gateway::start();
    gateway.put("/routes/1", json!({"uri": "/x", "plugins": {}}));
    gateway.crash();
    let store = std::fs::read_dir(gateway.data())
        .expect("the data directory is there")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "redb"))
        .expect("the store is a .redb file");
    let rubbish = vec![0xa5; 8192];
    std::fs::write(&store, &rubbish).expect("the store can be spoilt");
    let home = directory();
    let ports = Ports::take();
    settings_file(home.path(), ports.get(0), ports.get(1));
    let data = gateway.data().to_string_lossy().into_owned();
    let end = run(home.path(), &["run", "-c", "config.yaml", "--data-dir", &data]).finish();
    assert!(end.code.is_some_and(|code| code != 0), "{end:?}");
    let name = store.file_name().expect("a file").to_string_lossy().into_owned();
    assert!(end.output.contains(&name), "the file is named: {}", end.output);
    assert!(std::fs::read(&store).expect("still there") == rubbish, "the file was changed");
}

#[test]
fn acknowledged_writes_survive_fifty_kills() {
    let mut gateway = Gateway::start();
    let mut acknowledged: Vec<String> = Vec::new();
    for round in 0..50 {
        let writer = std::thread::scope(|scope| {
            let gateway = &gateway;
            let writer = scope.spawn(move || {
                let mut kept = Vec::new();
                for number in 0..10_000 {
                    let id = format!("{round}-{number}");
                    let body = json!({"uri": format!("/{id}"), "plugins": {}}).to_string();
                    match gateway.try_admin("PUT", &format!("/routes/{id}"), body.as_bytes()) {
                        Ok(reply) if reply.status == 201 => kept.push(id),
                        _ => break,
                    }
                }
                kept
            });
            // Killed while it writes: after a few writes, at whatever moment the signal arrives.
            eventually("some writes", || {
                let (status, list) = gateway.admin("GET", "/routes?page=1&page_size=10", Value::Null);
                let enough = acknowledged.len() as u64 + 3;
                (status == 200 && list["total"].as_u64().unwrap_or(0) >= enough).then_some(())
            });
            gateway.process().signal("KILL");
            writer.join().expect("the writer ends when the gateway does")
        });
        acknowledged.extend(writer);
        gateway.crash_and_restart();
        let (status, all) = gateway.admin("GET", "/routes", Value::Null);
        assert_eq!(status, 200);
        let kept: std::collections::HashSet<&str> = all["list"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|entry| entry["value"]["id"].as_str())
            .collect();
        let lost: Vec<_> = acknowledged.iter().filter(|id| !kept.contains(id.as_str())).collect();
        assert!(lost.is_empty(), "round {round} lost {lost:?}");
        for id in kept.iter().filter(|id| !acknowledged.iter().any(|known| known == *id)) {
            assert!(id.starts_with(&format!("{round}-")), "{id} was never written");
        }
        acknowledged = kept.into_iter().map(str::to_owned).collect();
    }
}

#[test]
fn a_missing_admin_key_is_made_once_and_kept_private() {
    let home = directory();
    let ports = Ports::take();
    settings_file(home.path(), ports.get(0), ports.get(1));
    let mut keys = Vec::new();
    for _ in 0..2 {
        let process = run(home.path(), &["run", "-c", "config.yaml", "--data-dir", "data"]);
        let line = eventually("the banner should print a curl line", || {
            process
                .output()
                .lines()
                .find(|line| line.contains("curl") && line.contains("X-API-KEY"))
                .map(str::to_owned)
        });
        keys.push(line);
        process.signal("TERM");
        assert_eq!(process.finish().code, Some(0));
    }
    assert_eq!(keys[0], keys[1], "the key is made once");
    let private = std::fs::read_dir(home.path().join("data"))
        .expect("the data directory is there")
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().contains("key"))
        .collect::<Vec<_>>();
    assert!(!private.is_empty(), "the key is kept in a file");
    for entry in private {
        let mode = entry.metadata().expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
}

#[test]
fn check_accepts_the_commented_defaults() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf/config.yaml");
    let home = directory();
    let end = run(home.path(), &["check", "-c", &file.to_string_lossy()]).finish();
    assert_eq!(end.code, Some(0), "{}", end.output);
}

#[test]
fn check_names_the_path_of_what_is_wrong() {
    let end = check("nginx_config:\n  worker_processes: many\n");
    assert_eq!(end.code, Some(1), "{}", end.output);
    assert!(end.output.contains("nginx_config.worker_processes"), "{}", end.output);
    let end = check("apisix:\n  node_listen: [{port: 99999}]\n");
    assert_eq!(end.code, Some(1), "{}", end.output);
    assert!(end.output.contains("node_listen"), "{}", end.output);
    let end = check("apisix: [\n");
    assert_eq!(end.code, Some(1), "{}", end.output);
}

#[test]
fn an_unknown_key_is_named_and_does_not_stop_the_start() {
    let end = check("apisix:\n  no_such_key: 1\n");
    assert_eq!(end.code, Some(0), "{}", end.output);
    assert!(end.output.contains("apisix.no_such_key"), "{}", end.output);
}

#[test]
fn version_says_who_it_is() {
    let end = run(directory().path(), &["version"]).finish();
    assert_eq!(end.code, Some(0));
    assert!(
        end.output.contains("lockgate") && end.output.contains(env!("CARGO_PKG_VERSION")),
        "{}",
        end.output
    );
}

#[test]
fn variables_of_the_environment_stand_in_settings() {
    let ports = Ports::take();
    let home = directory();
    let text = format!(
        "plugin_attr: {{prometheus: {{enable_export_server: false}}}}\n\
         apisix:\n  enable_control: false\n  node_listen:\n    - {{ip: 127.0.0.1, port: \"${{{{A_PORT}}}}\"}}\n\
         deployment:\n  admin:\n    admin_listen: {{ip: 127.0.0.1, port: \"${{{{NO_SUCH:={}}}}}\"}}\n",
        ports.get(1)
    );
    std::fs::write(home.path().join("config.yaml"), text).expect("the temporary directory is writable");
    let mut command = Command::new(lockgate());
    command.args(["run", "-c", "config.yaml", "--data-dir", "data"]).current_dir(home.path());
    let mut process = Process::start(command.env("A_PORT", ports.get(0).to_string()));
    eventually("both ports should open", || {
        assert!(process.ended().is_none(), "{}", process.output());
        let open = |port| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        (open(ports.get(0)) && open(ports.get(1))).then_some(())
    });
}

#[test]
fn dev_refuses_to_listen_beyond_loopback() {
    let home = directory();
    let text = "apisix:\n  node_listen: [{ip: 0.0.0.0, port: 9080}]\n";
    std::fs::write(home.path().join("config.yaml"), text).expect("the temporary directory is writable");
    let end = run(home.path(), &["dev", "-c", "config.yaml", "--data-dir", "data"]).finish();
    assert!(end.code.is_some_and(|code| code != 0), "{end:?}");
    assert!(end.output.contains("loopback") || end.output.contains("0.0.0.0"), "{}", end.output);
}
