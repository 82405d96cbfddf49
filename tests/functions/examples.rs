//! The functions of `examples/`, each started and called as its README says.

use std::path::{Path, PathBuf};
use std::process::Command;

use lockgate_tests::{Gateway, Settings};
use serde_json::json;

use crate::{call, server_of};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// Builds the example in Rust, where it is not built.
fn build() {
    if directory().join("../target/debug/example-rust-stream").exists() {
        return;
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["build", "--quiet", "-p", "example-rust"];
    let status = Command::new(cargo).args(arguments).current_dir(directory().join("..")).status();
    assert!(status.expect("cargo is installed").success(), "building example-rust");
}

#[test]
fn every_example_says_hello_through_a_route() {
    build();
    let file = directory().join("lockgate.functions.yaml");
    let settings = Settings::new().set("function_server", json!({"listen": {"port": 0}}));
    let gateway = Gateway::with(settings.argument("--functions").argument(file.to_string_lossy()));
    let server = server_of(&gateway);
    for (index, name) in ["python", "node", "rust"].into_iter().enumerate() {
        let uri = format!("http://{server}/default/{name}");
        gateway.lambda(
            &index.to_string(),
            &format!("/{name}"),
            json!({"function_uri": uri, "timeout": 20_000}),
        );
        let reply = gateway.get(&format!("/{name}?name=APISIX"));
        assert_eq!((reply.status, reply.text().as_str()), (200, "\"Hello, APISIX!\""), "{name}");
        assert_eq!(call(server, "GET", &format!("/urls/{name}/"), &[], b"").text(), "\"Hello, World!\"");
    }
    for path in ["/urls/python/stream", "/urls/node-stream/", "/urls/rust-stream/"] {
        let reply = call(server, "GET", path, &[], b"");
        assert_eq!((reply.text().as_str(), reply.get("transfer-encoding")), ("1\n2\n3\n", Some("chunked")));
    }
}
