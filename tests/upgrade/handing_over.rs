//! What the next gateway gets, and what becomes of the connections of the last one.

use std::sync::atomic::{AtomicBool, Ordering};

use lockgate_tests::{Connection, FakeUpstream, Gate, Settings, Then, eventually};
use serde_json::json;

use crate::generations::{Generations, runs, signal};

fn quick() -> Settings {
    Settings::new().set("nginx_config.http", json!({"keepalive_timeout": "1s"}))
}

#[test]
fn resources_and_ports_pass_on_and_the_last_one_exits_with_0() {
    let upstream = FakeUpstream::fixed("ok");
    let mut gateways = Generations::start(quick());
    gateways.first.route("1", json!({"uri": "/one"}), &upstream.node());
    let id = gateways.upgrade();
    assert_eq!(gateways.written_id(), Some(id));
    gateways.wait_for_first();
    assert_eq!(gateways.first.get("/one").status, 200);
    assert_eq!(gateways.first.control_get("/v1/aws/credentials").status, 200);
    assert_eq!(gateways.first.metrics_get("/apisix/prometheus/metrics").status, 200);
    gateways.first.route("2", json!({"uri": "/two"}), &upstream.node());
    gateways.upgrade();
    assert_eq!(gateways.first.get("/two").status, 200);
    eventually("the one between should have ended", || (!runs(id)).then_some(()));
}

#[test]
fn probes_find_it_ready_all_through() {
    let mut gateways = Generations::start(quick());
    let status = gateways.first.status;
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let probing = scope.spawn(|| {
            let mut probes = 0;
            while !is_done.load(Ordering::SeqCst) {
                let request = "GET /status/ready HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n";
                let reply = Connection::open(status).exchange(request);
                assert_eq!(reply.status, 200, "{}", reply.text());
                probes += 1;
            }
            probes
        });
        for _ in 0..3 {
            gateways.upgrade();
        }
        is_done.store(true, Ordering::SeqCst);
        assert!(probing.join().expect("no probe failed") > 0);
    });
}

#[test]
fn sigusr2_does_the_same() {
    let upstream = FakeUpstream::fixed("ok");
    let mut gateways = Generations::start(quick());
    gateways.first.route("1", json!({"uri": "/x"}), &upstream.node());
    let first = gateways.first.process().id();
    eventually("the process id should be written", || gateways.written_id().filter(|id| *id == first));
    gateways.first.process().signal("USR2");
    let next = eventually("another one should take over", || gateways.written_id().filter(|id| *id != first));
    gateways.follow(next);
    gateways.wait_for_first();
    assert_eq!(gateways.first.get("/x").status, 200);
}

#[test]
fn new_settings_count_from_then_on() {
    let mut gateways = Generations::start(quick());
    assert!(gateways.first.get("/x").get("server").is_some_and(|server| server.contains('/')));
    gateways.first.rewrite(&quick().set("apisix.enable_server_tokens", json!(false)));
    gateways.upgrade();
    gateways.wait_for_first();
    assert_eq!(gateways.first.get("/x").get("server"), Some("lockgate"));
}

#[test]
fn a_request_under_way_is_answered_by_the_one_that_got_it() {
    let (arrived, gate) = (Gate::new(), Gate::new());
    let (tell, wait) = (arrived.clone(), gate.clone());
    let upstream = FakeUpstream::start(move |request, connection| {
        if request.target() == "/slow" {
            tell.open();
            wait.pass();
        }
        connection.answer("200 OK", &[], "finished").map(|()| Then::Keep)
    });
    let mut gateways = Generations::start(quick());
    gateways.first.route("1", json!({"uri": "/*"}), &upstream.node());
    let mut connection = gateways.first.connect();
    connection.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n").expect("the gateway reads");
    arrived.pass();
    gateways.upgrade();
    assert_eq!(gateways.first.get("/fast").text(), "finished");
    assert!(gateways.first.ended().is_none(), "it waits for the request");
    gate.open();
    let reply = connection.reply();
    assert_eq!((reply.text().as_str(), reply.get("connection")), ("finished", Some("close")));
    gateways.wait_for_first();
}

#[test]
fn an_idle_connection_may_ask_once_more_and_is_told_to_go() {
    let upstream = FakeUpstream::fixed("ok");
    let mut gateways = Generations::start(Settings::new());
    gateways.first.route("1", json!({"uri": "/*"}), &upstream.node());
    let mut used = gateways.first.connect();
    assert_eq!(used.exchange("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").get("connection"), None);
    let mut fresh = gateways.first.connect();
    // It is in the gateway's hands once a later one was answered.
    assert_eq!(gateways.first.get("/x").status, 200);
    gateways.upgrade();
    for connection in [&mut used, &mut fresh] {
        let reply = connection.exchange("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!((reply.status, reply.get("connection")), (200, Some("close")));
        assert!(connection.read_to_close().is_empty());
    }
    gateways.wait_for_first();
}

#[test]
fn one_that_has_handed_over_and_is_told_to_end_closes_idle_connections() {
    let mut gateways = Generations::start(Settings::new());
    let mut idle = gateways.first.connect();
    assert_eq!(gateways.first.get("/x").status, 404);
    let id = gateways.upgrade();
    assert!(gateways.first.ended().is_none(), "it waits for the idle connection");
    gateways.first.process().signal("TERM");
    assert!(idle.read_to_close().is_empty());
    gateways.wait_for_first();
    assert_eq!(gateways.first.get("/x").status, 404);
    signal("TERM", id);
    eventually("the follower should end too", || (!runs(id)).then_some(()));
}

#[test]
fn the_service_manager_is_told_which_process_serves() {
    let folder = tempfile::tempdir().expect("the temporary directory is writable");
    let path = folder.path().join("notify");
    let manager = std::os::unix::net::UnixDatagram::bind(&path).expect("a socket can be bound");
    manager.set_read_timeout(Some(lockgate_tests::DEADLINE)).expect("the time is not zero");
    let said = || {
        let mut text = [0; 256];
        let length = manager.recv(&mut text).expect("the gateway says it");
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    let mut gateways = Generations::start(quick().environment("NOTIFY_SOCKET", path.to_string_lossy()));
    assert_eq!(said(), format!("READY=1\nMAINPID={}\n", gateways.first.process().id()));
    let next = gateways.upgrade();
    assert_eq!(said(), format!("READY=1\nMAINPID={next}\n"));
}
