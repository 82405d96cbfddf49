//! How many connections there may be, and what may come on one.

use lockgate_tests::{Connection, FakeUpstream, Gateway, Settings, Then, eventually};
use serde_json::{Value, json};

fn echo(settings: Settings) -> (Gateway, FakeUpstream) {
    let upstream = FakeUpstream::start(|request, connection| {
        connection.answer("200 OK", &[], request.target()).map(|()| Then::Keep)
    });
    let gateway = Gateway::with(settings);
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    (gateway, upstream)
}

const REQUEST: &str = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";

/// With room for two, the third connection waits until one has ended.
fn the_third_waits(settings: Settings) {
    let (gateway, _upstream) = echo(settings);
    let mut held: Vec<Connection> = (0..2).map(|_| gateway.connect()).collect();
    for connection in &mut held {
        assert_eq!(connection.exchange(REQUEST).status, 200);
    }
    let mut third = gateway.connect();
    third.send(REQUEST).expect("the system takes it");
    eventually("the log should say that connections wait", || {
        gateway.output().contains("new connections wait").then_some(())
    });
    assert_eq!(held[1].exchange(REQUEST).status, 200, "those that are there are served");
    held.pop();
    assert_eq!(third.reply().status, 200);
}

#[test]
fn connections_beyond_worker_connections_wait() {
    the_third_waits(Settings::new().set("nginx_config.event", json!({"worker_connections": 2})));
}

#[test]
fn connections_beyond_those_of_all_workers_wait() {
    the_third_waits(Settings::new().set("lockgate", json!({"limits": {"connections": 2}})));
}

#[test]
fn connections_are_spread_over_workers_that_are_full() {
    let settings = Settings::new()
        .set("nginx_config.worker_processes", json!(4))
        .set("nginx_config.event", json!({"worker_connections": 4}));
    let (gateway, _upstream) = echo(settings);
    let mut held: Vec<Connection> = (0..12).map(|_| gateway.connect()).collect();
    for connection in &mut held {
        assert_eq!(connection.exchange(REQUEST).status, 200);
    }
}

fn three_requests() -> Settings {
    Settings::new().set("nginx_config.http", json!({"keepalive_requests": 3}))
}

#[test]
fn the_last_request_of_a_connection_is_told_so() {
    let (gateway, _upstream) = echo(three_requests());
    let mut connection = gateway.connect();
    let told: Vec<_> =
        (0..3).map(|_| connection.exchange(REQUEST).get("connection").map(str::to_owned)).collect();
    assert_eq!(told, [None, None, Some("close".to_owned())]);
    assert!(connection.read_to_close().is_empty());
}

#[test]
fn the_last_request_of_an_http_2_connection_is_answered_and_the_client_told_to_go() {
    let (gateway, _upstream) = echo(three_requests());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let socket = tokio::net::TcpStream::connect(gateway.proxy).await.expect("the gateway listens");
        let (sender, connection) = h2::client::handshake(socket).await.expect("it speaks HTTP/2");
        let driven = tokio::spawn(connection);
        let mut answered = 0;
        while let Ok(mut sender) = sender.clone().ready().await {
            let request = http::Request::get("http://h/x").body(()).expect("a well-formed request");
            let Ok((answer, _)) = sender.send_request(request, true) else { break };
            assert_eq!(answer.await.expect("whatever was sent is answered").status(), 200);
            answered += 1;
        }
        drop(sender);
        assert!((3..5).contains(&answered), "{answered} answers");
        drop(driven.await);
    });
}

#[test]
fn pipelined_requests_are_answered_however_few_are_read_ahead() {
    for ahead in [json!(1), json!("64k")] {
        let (gateway, _upstream) =
            echo(Settings::new().set("lockgate", json!({"limits": {"pipelined": ahead}})));
        let mut connection = gateway.connect();
        let burst: Vec<_> =
            (0..50).map(|number| format!("GET /{number} HTTP/1.1\r\nHost: h\r\n\r\n")).collect();
        connection.send(burst.concat()).expect("the gateway reads");
        for number in 0..50 {
            assert_eq!(connection.reply().text(), format!("/{number}"));
        }
    }
}

#[test]
fn an_idle_connection_may_ask_for_keepalive_min_timeout_after_the_word_to_end() {
    let grace = |time: &str| Settings::new().set("nginx_config.http", json!({"keepalive_min_timeout": time}));
    let (mut gateway, _upstream) = echo(grace("60s"));
    let mut connection = gateway.connect();
    assert_eq!(connection.exchange(REQUEST).status, 200);
    gateway.process().signal("TERM");
    let proxy = gateway.proxy;
    eventually("no new connection should be taken", || {
        std::net::TcpStream::connect(proxy).is_err().then_some(())
    });
    let reply = connection.exchange(REQUEST);
    assert_eq!((reply.status, reply.get("connection")), (200, Some("close")));
    drop(connection);
    assert_eq!(gateway.finish().code, Some(0));
    let (mut gateway, _upstream) = echo(grace("0"));
    let mut connection = gateway.connect();
    assert_eq!(connection.exchange(REQUEST).status, 200);
    gateway.process().signal("TERM");
    assert!(connection.read_to_close().is_empty());
    assert_eq!(gateway.finish().code, Some(0));
}

#[test]
fn a_client_that_is_told_to_go_and_stays_is_waited_for_as_long_as_lingering_timeout() {
    let short = json!({"lingering_timeout": "100ms", "keepalive_min_timeout": "60s"});
    let (mut gateway, _upstream) = echo(Settings::new().set("nginx_config.http", short));
    let mut connection = gateway.connect();
    let reply = connection.exchange("GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_eq!(reply.status, 200);
    gateway.process().signal("TERM");
    assert_eq!(gateway.finish().code, Some(0), "it did not wait for worker_shutdown_timeout");
    drop(connection);
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let check = |path: &str, value: Value| {
        let home = tempfile::tempdir().expect("the temporary directory is writable");
        let file = home.path().join("config.yaml");
        let mut text = value;
        for key in path.split('.').rev() {
            text = json!({key: text});
        }
        std::fs::write(&file, text.to_string()).expect("the temporary directory is writable");
        let mut command = std::process::Command::new(lockgate_tests::lockgate());
        lockgate_tests::Process::start(command.args(["check", "-c"]).arg(&file)).finish()
    };
    for (path, value) in [
        ("nginx_config.event.worker_connections", json!(0)),
        ("nginx_config.http.large_client_header_buffers", json!("16k")),
        ("nginx_config.http.large_client_header_buffers", json!("100 16k")),
        ("nginx_config.http.large_client_header_buffers", json!("0 16k")),
        ("nginx_config.http.keepalive_requests", json!(-1)),
        ("lockgate.limits.headers", json!(0)),
        ("lockgate.limits.trailers", json!("2m")),
        ("lockgate.limits.pipelined", json!(0)),
    ] {
        let end = check(path, value.clone());
        assert_eq!(end.code, Some(1), "{path} {value}: {}", end.output);
        assert!(end.output.contains(path), "{path} {value}: {}", end.output);
    }
}
