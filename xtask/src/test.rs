//! Every test of the workspace, with the AWS stand-ins up while it runs.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::metadata::root;
use crate::say;

/// The stand-ins that the suite `aws` asks for.
const PARTS: [&str; 3] = ["serverless", "verifier", "ministack"];
/// Where they listen.
const PORTS: [u16; 5] = [3000, 8442, 8443, 8444, 4566];

/// Builds, starts the stand-ins when they are not up, runs all suites, and stops what it started.
pub(crate) fn run() -> Result<()> {
    cargo(&["build", "-p", "lockgate", "-p", "example-rust"])?;
    let stand_ins = StandIns::start()?;
    let tested = cargo(&test_arguments(&["--workspace"]));
    let against_aws = cargo(&test_arguments(&["-p", "lockgate-tests", "--test", "aws"]));
    drop(stand_ins);
    let by_grpc = cargo(&test_arguments(&["-p", "lockgate-tests", "--test", "grpc"]));
    let by_apisix_client = cargo(&test_arguments(&["-p", "lockgate-tests", "--test", "apisix_client"]));
    let by_openapi = cargo(&test_arguments(&["-p", "lockgate-tests", "--test", "openapi"]));
    let by_websocket = cargo(&test_arguments(&["-p", "lockgate-tests", "--test", "websocket"]));
    let by_clients = install_clients()
        .and_then(|()| cargo(&test_arguments(&["-p", "lockgate-tests", "--test", "clients"])));
    let by_others = by_grpc.and(by_websocket).and(by_apisix_client).and(by_openapi).and(by_clients);
    tested.and(against_aws).and(by_others)
}

/// AWS's runtime clients and callers, which the suite `clients` asks for; they are built once.
fn install_clients() -> Result<()> {
    say("installing AWS's runtime clients, unless they are there");
    let script = root().join("tests/clients/install.sh");
    let status = Command::new(script).arg(root().join("target/clients")).status();
    ensure!(status.context("running tests/clients/install.sh")?.success(), "tests/clients/install.sh failed");
    Ok(())
}

/// `nextest` where it is installed, because it ends a test that hangs.
fn test_arguments<'a>(which: &[&'a str]) -> Vec<&'a str> {
    let has_nextest =
        Command::new("cargo-nextest").arg("--version").output().is_ok_and(|out| out.status.success());
    let mut arguments =
        if has_nextest { vec!["nextest", "run", "--no-fail-fast"] } else { vec!["test", "--no-fail-fast"] };
    arguments.extend_from_slice(which);
    arguments
}

fn cargo(arguments: &[&str]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(root());
    if std::env::var_os("LOCKGATE_BIN").is_none() {
        // Built once above; else every test would ask cargo again.
        command.env("LOCKGATE_BIN", built());
    }
    let status = command.status().context("running cargo")?;
    ensure!(status.success(), "cargo {} failed", arguments.join(" "));
    Ok(())
}

/// Where `cargo build` leaves the program.
fn built() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("debug/lockgate")
}

/// The AWS stand-ins; stopped when dropped, if this started them.
struct StandIns {
    is_ours: bool,
}

impl StandIns {
    fn start() -> Result<Self> {
        if PORTS.into_iter().all(answers) {
            return Ok(Self { is_ours: false });
        }
        let script = script("up.sh");
        ensure!(script.exists(), "the AWS stand-ins must lie beside the repository: ../shared/lab/aws/up.sh");
        say("starting the AWS stand-ins");
        let status = Command::new(&script).args(PARTS).status();
        let stand_ins = Self { is_ours: true };
        ensure!(status.context("running up.sh")?.success(), "../shared/lab/aws/up.sh failed");
        Ok(stand_ins)
    }
}

impl Drop for StandIns {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = Command::new(script("down.sh")).args(PARTS).status();
        }
    }
}

fn script(name: &str) -> PathBuf {
    root().join("../shared/lab/aws").join(name)
}

fn answers(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}
