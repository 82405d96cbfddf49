//! Functions on this machine when their gateway is upgraded: the socket stays, calls under way end where they began.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use lockgate_tests::{Connection, Process, Settings, eventually};
use serde_json::json;

use crate::generations::Generations;

const SOURCE: &str = "
import os, time
def handler(event, context):
    while event.get('rawPath') == '/slow' and not os.path.exists('go'):
        time.sleep(0.01)
    return os.getpid()
";

#[test]
fn calls_of_functions_go_on_through_upgrades() {
    let folder = tempfile::tempdir().expect("the temporary directory is writable");
    std::fs::write(folder.path().join("app.py"), SOURCE).expect("the temporary directory is writable");
    let settings = Settings::new().set("function_server", json!({"listen": {"port": 0}})).set(
        "functions",
        json!({"f": {"runtime": "python3", "handler": "app.handler", "directory": folder.path(), "timeout": "60s"}}),
    );
    let mut gateways = Generations::start(settings);
    let server = eventually("the banner should show where functions are called", || {
        let output = gateways.first.output();
        let line = output.lines().find(|line| line.trim_start().starts_with("functions "))?;
        Some(line.rsplit_once("http://")?.1.trim().to_owned())
    });
    gateways.first.lambda("1", "/f", json!({"function_uri": format!("http://{server}/urls/f")}));
    let url = gateways.first.url("/f");
    let mut slow = Connection::open(server.parse().expect("an address"));
    slow.send(format!("GET /urls/f/slow HTTP/1.1\r\nHost: {server}\r\n\r\n")).expect("sent");
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            while !is_done.load(Ordering::SeqCst) {
                let run = Process::start(Command::new("wrk").args([
                    "-t1",
                    "-c4",
                    "-d1s",
                    "--timeout",
                    "20s",
                    &url,
                ]))
                .finish();
                let said = run.output;
                assert!(said.contains(" requests in ") && !said.contains("Non-2xx"), "{said}");
                assert!(!said.contains("Socket errors"), "{said}");
            }
        });
        for _ in 0..3 {
            eventually("functions should answer", || (gateways.first.get("/f").status == 200).then_some(()));
            gateways.upgrade();
        }
        is_done.store(true, Ordering::SeqCst);
        load.join().expect("no request failed");
    });
    std::fs::write(folder.path().join("go"), "").expect("the temporary directory is writable");
    assert_eq!(slow.reply().status, 200, "a call is answered by the one that took it");
}
