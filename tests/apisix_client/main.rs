//! The client of Python, `apisix-client`, manages a gateway: every kind is created, read, replaced and deleted.
//!
//! The harness fetches it when the suite runs, so it runs only when named: `--test apisix_client`.

use std::path::{Path, PathBuf};
use std::process::Command;

use lockgate_tests::{ADMIN_KEY, Authority, FakeUpstream, Gateway, Then};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("apisix_client").join(name)
}

/// A Python that has the client.
fn python() -> PathBuf {
    lockgate_tests::python("apisix_client", &["apisix-client"], "python")
}

#[test]
fn every_kind_is_managed_by_apisix_client() {
    let upstream = FakeUpstream::scripted(0, None, |request, connection| {
        connection.answer("200 OK", &[], format!("upstream {}", request.target())).map(|()| Then::Keep)
    });
    let gateway = Gateway::start();
    let authority = Authority::new();
    let (cert, key) = authority.files("shop.test");
    let mut command = Command::new(python());
    command.arg(file("crud.py")).arg(format!("http://{}/", gateway.admin)).arg(ADMIN_KEY);
    command.arg(gateway.url("")).arg(upstream.port().to_string()).args([cert, key]);
    let output = command.env("no_proxy", "*").output().expect("python can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("all kinds are managed"), "{text}\n{errors}");
}
