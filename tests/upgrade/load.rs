//! Ten upgrades under load: not one request fails.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use lockgate_tests::{FakeUpstream, Process, Settings, Then, eventually};
use serde_json::json;

use crate::generations::Generations;
use crate::h2_load::Load;

/// Runs a load again and again until it is told to stop; `check` judges what each run printed.
fn again(is_done: &AtomicBool, line: &[&str], check: impl Fn(&str) -> bool) -> u32 {
    let mut runs = 0;
    while !is_done.load(Ordering::SeqCst) {
        let end = Process::start(Command::new(line[0]).args(&line[1..])).finish();
        assert!(end.code == Some(0) && check(&end.output), "{line:?} run {runs}: {}", end.output);
        runs += 1;
    }
    runs
}

fn workers(count: u32) -> Settings {
    Settings::new()
        .set("nginx_config.worker_processes", json!(count))
        .set("nginx_config.http", json!({"keepalive_timeout": "5s", "access_log": "/dev/null"}))
}

#[test]
fn ten_upgrades_under_load_fail_no_request() {
    let upstream =
        FakeUpstream::start(|_, connection| connection.answer("200 OK", &[], "hello").map(|()| Then::Keep));
    let mut gateways = Generations::start(workers(2));
    gateways.first.route("1", json!({"uri": "/*"}), &upstream.node());
    let (proxy, url) = (gateways.first.proxy, gateways.first.url("/x"));
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let wrk = scope.spawn(|| {
            again(&is_done, &["wrk", "-t1", "-c8", "-d3s", "--timeout", "20s", &url], |said| {
                said.contains(" requests in ") && !said.contains("Socket errors") && !said.contains("Non-2xx")
            })
        });
        let h1 = scope.spawn(|| {
            again(&is_done, &["h2load", "--h1", "-t1", "-c8", "-D3", &url], |said| {
                said.contains(" 0 failed, 0 errored, 0 timeout") && !said.contains("requests: 0 total")
            })
        });
        let load = Load::start(proxy);
        // More workers and fewer: the next gateway makes the best of the sockets it is given.
        for count in [2, 3, 1, 1, 4, 2, 2, 1, 3, 2] {
            let before = load.count.answered.load(Ordering::SeqCst);
            eventually("requests should be answered between upgrades", || {
                (load.count.answered.load(Ordering::SeqCst) >= before + 200).then_some(())
            });
            gateways.first.rewrite(&workers(count));
            gateways.upgrade();
        }
        let connections = load.count.connections.load(Ordering::SeqCst);
        is_done.store(true, Ordering::SeqCst);
        assert_eq!(load.stop(), Vec::<String>::new());
        assert!(connections > 10, "they were told to go: {connections} connections");
        assert!(wrk.join().expect("wrk saw no failure") > 0);
        assert!(h1.join().expect("h2load saw no failure") > 0);
    });
    gateways.wait_for_first();
}
