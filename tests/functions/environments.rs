//! What becomes of processes: limits, crashes, changed files, and the end of the program.

use std::collections::HashSet;
use std::path::Path;

use lockgate_tests::eventually;
use serde_json::json;

use crate::{Local, write};

/// Does what its event asks for, and leaves its process id in the answer.
const WILD: &str = "
import os, subprocess, sys, time
def handler(event, context):
    do = event.get('do')
    if do == 'sleep':
        subprocess.Popen(['sleep', '1000'])
        print('asleep', os.getpid(), flush=True)
        time.sleep(1000)
    if do == 'exit':
        os._exit(3)
    if do == 'kill':
        os.kill(os.getpid(), 9)
    if do == 'fill':
        hoard = []
        while True:
            hoard.append(bytearray(1 << 20))
    return os.getpid()
";

/// Processes of this machine whose command line has this text, zombies included.
fn processes(of: &Path) -> Vec<u32> {
    let is_number = |name: &str| name.parse::<u32>().ok();
    let entries = std::fs::read_dir("/proc").expect("Linux has /proc").filter_map(Result::ok);
    let pids = entries.filter_map(|entry| is_number(&entry.file_name().to_string_lossy()));
    let is_of = |pid: &u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&*of.to_string_lossy())
    };
    pids.filter(is_of).collect()
}

/// Children of a process that have ended and were not waited for.
fn zombies_of(parent: u32) -> usize {
    let entries = std::fs::read_dir("/proc").expect("Linux has /proc").filter_map(Result::ok);
    let stat = |entry: std::fs::DirEntry| std::fs::read_to_string(entry.path().join("stat")).ok();
    let is_zombie = |stat: &String| {
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let mut words = rest.split_whitespace();
        words.next() == Some("Z") && words.next() == Some(&parent.to_string())
    };
    entries.filter_map(stat).filter(is_zombie).count()
}

#[test]
fn a_time_out_ends_the_whole_group_and_the_next_call_is_served() {
    let local = Local::start(WILD, json!({"timeout": "1s"}));
    let reply = local.invoke(r#"{"do": "sleep"}"#, &[]);
    let body = reply.json();
    assert_eq!((reply.status, &body["errorType"]), (200, &json!("Sandbox.Timedout")));
    assert!(
        body["errorMessage"].as_str().is_some_and(|text| text.ends_with("Task timed out after 1.00 seconds"))
    );
    eventually("sleep, which the function started, should be gone as well", || {
        processes(local.folder.path()).is_empty().then_some(())
    });
    assert!(local.invoke("{}", &[]).json().is_u64());
    assert!(local.log("a report", |log| log.contains("Status: timeout")).contains("asleep"));
}

#[test]
fn a_crash_is_a_clear_502_and_a_function_error() {
    let local = Local::start(WILD, json!({}));
    for (what, words) in [("exit", "Runtime exited with error: exit status 3"), ("kill", "signal: killed")] {
        let reply = local.invoke(&json!({"do": what}).to_string(), &[]);
        assert_eq!((reply.status, reply.get("x-amz-function-error")), (200, Some("Unhandled")));
        let body = reply.json();
        assert_eq!(body["errorType"], json!("Runtime.ExitError"));
        assert!(body["errorMessage"].as_str().is_some_and(|text| text.contains(words)), "{body}");
        assert!(local.invoke("{}", &[]).json().is_u64());
    }
    assert_eq!(zombies_of(local.gateway.process().id()), 0);
}

#[test]
fn more_memory_than_granted_ends_the_environment() {
    let local = Local::start(WILD, json!({"timeout": "20s"}));
    let body = local.invoke(r#"{"do": "fill"}"#, &[]).json();
    let error_type = body["errorType"].as_str().unwrap_or_default();
    // Python may meet the limit of what can be mapped first.
    assert!(["Runtime.OutOfMemory", "MemoryError"].contains(&error_type), "{body}");
    assert!(local.invoke("{}", &[]).json().is_u64());
}

#[test]
fn a_function_that_cannot_start_says_why_at_once_and_starts_once_it_is_mended() {
    let local = Local::start("import nothing_of_that_name", json!({"reload": true}));
    for _ in 0..3 {
        let reply = local.invoke("{}", &[]);
        assert_eq!(reply.status, 502, "{}", reply.text());
        assert!(reply.text().contains("nothing_of_that_name"), "{}", reply.text());
    }
    let web = local.get("/default/f");
    assert!(web.status == 502 && web.text().contains("nothing_of_that_name"), "{}", web.text());
    write(&local.file("app.py"), "def handler(event, context): return 'mended'");
    eventually("the change should be noticed", || {
        (local.invoke("{}", &[]).text() == "\"mended\"").then_some(())
    });
}

#[test]
fn a_command_that_is_not_there_is_named() {
    let gateway = lockgate_tests::Gateway::with(
        crate::listening(lockgate_tests::Settings::new())
            .set("functions", json!({"f": {"command": "/nowhere/bootstrap"}})),
    );
    let server = crate::server_of(&gateway);
    let reply = crate::call(server, "GET", "/default/f", &[], b"");
    assert_eq!(reply.status, 502);
    assert!(reply.text().contains("/nowhere/bootstrap cannot be started: No such file"), "{}", reply.text());
}

#[test]
fn a_changed_file_replaces_the_environment_without_losing_a_call() {
    let version = |number: u32| format!("def handler(event, context): return {number}");
    let local = Local::start(&version(1), json!({"reload": true}));
    assert_eq!(local.invoke("{}", &[]).text(), "1");
    write(&local.file("app.py"), &version(23));
    eventually("the new version should answer", || {
        let reply = local.invoke("{}", &[]);
        assert_eq!((reply.status, reply.get("x-amz-function-error")), (200, None));
        (reply.text() == "23").then_some(())
    });
}

#[test]
fn idle_environments_are_ended_down_to_the_minimum() {
    let local = Local::start(WILD, json!({"idle_timeout": "1s", "concurrency": {"min": 1, "max": 3}}));
    let pids: HashSet<u64> = std::thread::scope(|scope| {
        let calls: Vec<_> =
            (0..3).map(|_| scope.spawn(|| local.invoke("{}", &[]).json().as_u64().expect("a pid"))).collect();
        calls.into_iter().map(|call| call.join().expect("answered")).collect()
    });
    assert!(!pids.is_empty());
    eventually("one should be left", || (processes(local.folder.path()).len() == 1).then_some(()));
    assert!(local.invoke("{}", &[]).json().is_u64());
}

#[test]
fn a_call_beyond_the_queue_is_refused_with_429() {
    let local = Local::start(WILD, json!({"timeout": "2s", "queue": 0, "concurrency": {"max": 1}}));
    std::thread::scope(|scope| {
        scope.spawn(|| local.invoke(r#"{"do": "sleep"}"#, &[]));
        local.log("the one environment should be busy", |log| log.contains("asleep"));
        let reply = local.invoke("{}", &[]);
        assert_eq!((reply.status, reply.get("retry-after")), (429, Some("1")));
        assert_eq!(reply.get("x-amzn-errortype"), Some("TooManyRequestsException"));
        assert_eq!(reply.json()["Reason"], json!("ConcurrentInvocationLimitExceeded"));
        assert_eq!(local.get("/default/f").status, 429);
    });
}

#[test]
fn nothing_is_left_when_the_program_ends() {
    let mut local = Local::start(WILD, json!({"timeout": "60s", "concurrency": {"min": 2, "max": 3}}));
    assert!(local.invoke("{}", &[]).json().is_u64());
    std::thread::scope(|scope| {
        let server = local.server;
        let path = "/2015-03-31/functions/f/invocations";
        scope.spawn(move || {
            let mut connection = lockgate_tests::Connection::open(server);
            let bytes = crate::request(server, "POST", path, &[], br#"{"do": "sleep"}"#);
            connection.send(bytes).expect("sent");
            // Whatever comes: a failure in words, or the end of the connection.
            drop(connection.try_read_to_close());
        });
        local.log("a call should be under way", |log| log.contains("asleep"));
        local.gateway.process().signal("TERM");
        let finished = local.gateway.finish();
        assert_eq!(finished.code, Some(0), "{}", finished.output);
    });
    assert!(processes(local.folder.path()).is_empty());
}
