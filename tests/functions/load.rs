//! Functions under load: many clients on few environments, and environments that are killed at random.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use lockgate_tests::Connection;
use serde_json::json;

use crate::{Local, request};

const ECHO: &str = "
import os, time
def handler(event, context):
    time.sleep(0.002)
    return {'n': event['n'], 'pid': os.getpid()}
";

const PATH: &str = "/2015-03-31/functions/f/invocations";

#[test]
fn a_thousand_clients_on_eight_environments_each_get_their_own_answer() {
    const CLIENTS: usize = 1000;
    let local = Local::start(ECHO, json!({"timeout": "20s", "concurrency": {"max": 8}, "queue": 2000}));
    let mut connections: Vec<Connection> = (0..CLIENTS).map(|_| Connection::open(local.server)).collect();
    let mut pids = HashSet::new();
    for round in 0..3 {
        for (number, connection) in connections.iter_mut().enumerate() {
            let event = json!({"n": round * CLIENTS + number}).to_string();
            connection.send(request(local.server, "POST", PATH, &[], event.as_bytes())).expect("sent");
        }
        for (number, connection) in connections.iter_mut().enumerate() {
            let reply = connection.reply();
            assert_eq!(reply.status, 200, "{}", reply.text());
            let answer = reply.json();
            assert_eq!(answer["n"], json!(round * CLIENTS + number));
            pids.insert(answer["pid"].as_u64().expect("a pid"));
        }
    }
    assert!(pids.len() <= 8, "{} environments", pids.len());
}

/// Calls over and over, by the Invoke API and by the function's URL in turn; how many calls met a killed environment.
fn insist(local: &Local, client: usize) -> usize {
    const CALLS: usize = 150;
    let mut connection = Connection::open(local.server);
    let mut lost = 0;
    for n in client * CALLS..(client + 1) * CALLS {
        let event = json!({ "n": n }).to_string();
        // The event of a URL has no `n`: the function fails, which is an answer like any other.
        let is_web = n % 2 == 1;
        let reply = if is_web {
            connection.exchange(request(local.server, "GET", "/urls/f/", &[], b""))
        } else {
            connection.exchange(request(local.server, "POST", PATH, &[], event.as_bytes()))
        };
        let text = reply.text();
        if text.contains("signal: killed") || text.contains("Runtime.Lost") {
            lost += 1;
            assert_eq!(reply.status, if is_web { 502 } else { 200 }, "{text}");
        } else if is_web {
            assert!(reply.status == 502 && text.contains("KeyError"), "{} {text}", reply.status);
        } else {
            assert_eq!(reply.json()["n"], json!(n), "{text}");
        }
    }
    lost
}

#[test]
fn killed_environments_fail_the_calls_they_had_and_no_other() {
    const CLIENTS: usize = 16;
    let local = Local::start(ECHO, json!({"timeout": "20s", "concurrency": {"max": 4}}));
    let is_done = AtomicBool::new(false);
    let (lost, killed) = std::thread::scope(|scope| {
        let killing = scope.spawn(|| {
            let mut killed = 0;
            while !is_done.load(Ordering::Relaxed) && killed < 20 {
                let reply = local.invoke(r#"{"n": 0}"#, &[]);
                if let Some(pid) = reply.json()["pid"].as_u64() {
                    killed += usize::from(lockgate_tests::sh(&format!("kill -9 {pid}")).is_success);
                }
            }
            killed
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn({
                    let local = &local;
                    move || insist(local, client)
                })
            })
            .collect();
        let lost =
            clients.into_iter().map(|client| client.join().expect("every call was answered")).sum::<usize>();
        is_done.store(true, Ordering::Relaxed);
        (lost, killing.join().expect("nothing to fail at"))
    });
    assert!(killed > 0 && lost <= killed, "{lost} calls failed, {killed} environments were killed");
    assert_eq!(local.invoke(r#"{"n": 1}"#, &[]).json()["n"], json!(1));
}
