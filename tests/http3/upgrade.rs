//! HTTP/3 when another gateway takes over.

use std::process::Command;

use http::Method;
use lockgate_tests::{FakeUpstream, Process, eventually, lockgate};
use serde_json::json;

use crate::bench;
use crate::client::{Client, run};

/// The gateway that followed; it ends with the test.
struct Follower(u32);

impl Drop for Follower {
    fn drop(&mut self) {
        drop(Command::new("kill").args(["-KILL", &self.0.to_string()]).status());
    }
}

#[test]
fn the_next_gateway_serves_it_once_the_last_one_is_done() {
    let mut bench = bench(true);
    let upstream = FakeUpstream::fixed("ok");
    bench.gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    let _follower = run(async {
        let mut before = bench.connect().await;
        assert_eq!(before.send(Method::GET, "/", "").await.status, 200);
        let data = bench.gateway.data();
        let upgrade =
            move || Process::start(Command::new(lockgate()).arg("upgrade").arg("--data-dir").arg(data));
        let end = tokio::task::spawn_blocking(|| upgrade().finish()).await.expect("it does not panic");
        assert_eq!(end.code, Some(0), "{}", end.output);
        let id = end.output.split_whitespace().find_map(|word| word.parse().ok());
        let follower = Follower(id.expect("it says the process id"));
        // The last one tells its clients to go.
        before.quic.closed().await;
        loop {
            // Refused until the port has changed hands.
            let next = Client::connect(bench.at, "gateway.test", &bench.authority.file()).await;
            if let Ok(mut next) = next {
                assert_eq!(next.send(Method::GET, "/", "").await.status, 200);
                return follower;
            }
        }
    });
    let status = eventually("the last gateway should have ended", || bench.gateway.ended());
    assert_eq!(status.code(), Some(0));
}
