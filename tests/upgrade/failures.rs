//! A successor that does not start changes nothing.

use lockgate_tests::{FakeUpstream, Process, Settings, eventually, lockgate};
use serde_json::json;

use crate::generations::Generations;

/// Serves and changes as if nothing had been.
fn goes_on(gateways: &Generations, upstream: &FakeUpstream) {
    for number in 0..4 {
        let path = format!("/after-{number}");
        gateways.first.route(&format!("after-{number}"), json!({"uri": path}), &upstream.node());
        assert_eq!(gateways.first.get(&path).status, 200);
    }
}

#[test]
fn a_program_that_fails_leaves_the_running_one_as_it_was() {
    let upstream = FakeUpstream::fixed("ok");
    let mut gateways = Generations::start(Settings::new());
    for (program, said) in [
        ("/bin/false", "it ended before it was done"),
        ("/bin/cat", "it ended before it was done"),
        ("/nowhere/lockgate", "starting"),
        ("/etc/passwd", "starting"),
    ] {
        gateways.install(program);
        let end = gateways.try_upgrade();
        assert_eq!(end.code, Some(1), "{program}: {}", end.output);
        assert!(end.output.contains("goes on") && end.output.contains(said), "{program}: {}", end.output);
        goes_on(&gateways, &upstream);
    }
    gateways.install(&lockgate().to_string_lossy());
    gateways.upgrade();
    goes_on(&gateways, &upstream);
}

#[test]
fn settings_that_are_wrong_are_named_and_change_nothing() {
    let upstream = FakeUpstream::fixed("ok");
    let mut gateways = Generations::start(Settings::new());
    gateways.first.rewrite(&Settings::new().set("nginx_config.worker_processes", json!("many")));
    let end = gateways.try_upgrade();
    assert_eq!(end.code, Some(1), "{}", end.output);
    assert!(end.output.contains("nginx_config.worker_processes"), "{}", end.output);
    goes_on(&gateways, &upstream);
    gateways.first.rewrite(&Settings::new());
    gateways.upgrade();
}

#[test]
fn a_port_that_is_taken_is_named_and_changes_nothing() {
    let upstream = FakeUpstream::fixed("ok");
    let gateways = Generations::start(Settings::new());
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let port = holder.local_addr().expect("a bound socket has an address").port();
    let listen =
        json!([{"ip": "127.0.0.1", "port": gateways.first.proxy.port()}, {"ip": "127.0.0.1", "port": port}]);
    gateways.first.rewrite(&Settings::new().set("apisix.node_listen", listen));
    let end = gateways.try_upgrade();
    assert_eq!(end.code, Some(1), "{}", end.output);
    assert!(end.output.contains(&port.to_string()), "{}", end.output);
    goes_on(&gateways, &upstream);
}

#[test]
fn a_successor_that_fails_with_the_store_in_hand_gives_it_back() {
    let upstream = FakeUpstream::fixed("ok");
    let gateways = Generations::start(Settings::new());
    gateways.first.route("1", json!({"uri": "/x"}), &upstream.node());
    // The access log is opened after the store.
    gateways
        .first
        .rewrite(&Settings::new().set("nginx_config.http", json!({"access_log": "/nowhere/access.log"})));
    let end = gateways.try_upgrade();
    assert_eq!(end.code, Some(1), "{}", end.output);
    assert!(end.output.contains("/nowhere/access.log"), "{}", end.output);
    goes_on(&gateways, &upstream);
    assert_eq!(gateways.first.get("/x").status, 200);
}

#[test]
fn to_end_while_the_successor_starts_is_to_end_both() {
    let mut gateways = Generations::start(Settings::new());
    let told = gateways.first.home().join("told");
    gateways.install_script(&format!(
        "#!/bin/sh\necho $$ > {}.new && mv {0}.new {0}\nexec sleep 1000\n",
        told.display()
    ));
    let asking = gateways.asking();
    let id: u32 =
        eventually("the script should run", || std::fs::read_to_string(&told).ok()?.trim().parse().ok());
    gateways.follow(id);
    gateways.first.process().signal("TERM");
    gateways.wait_for_first();
    eventually("the script should be gone", || (!crate::generations::runs(id)).then_some(()));
    assert_eq!(asking.finish().code, Some(1));
}

#[test]
fn without_a_running_gateway_there_is_nothing_to_upgrade() {
    let home = tempfile::tempdir().expect("the temporary directory is writable");
    let mut command = std::process::Command::new(lockgate());
    let end = Process::start(command.args(["upgrade", "--data-dir"]).arg(home.path())).finish();
    assert_eq!(end.code, Some(1));
    assert!(end.output.contains("no gateway runs with the data directory"), "{}", end.output);
}
