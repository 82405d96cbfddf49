//! The Admin API beside its `OpenAPI` document: schemathesis makes up calls from the one and asks the other.
//!
//! The harness fetches schemathesis when the suite runs, so it runs only when named: `--test openapi`.

use std::path::{Path, PathBuf};
use std::process::Command;

use lockgate_tests::{ADMIN_KEY, Gateway, Settings};
use serde_json::{Value, json};

/// What is not asked of the Admin API, as APISIX does not do so either: a call that fits its schema is refused where
/// what it refers to is not there; arguments of a list that make no sense are passed over; a method that no kind has
/// is answered with 404; and what was made with a `ttl` may be gone when it is asked for.
const NOT_ASKED: &str =
    "positive_data_acceptance,negative_data_rejection,unsupported_method,ensure_resource_availability";

/// The program of schemathesis.
fn schemathesis() -> PathBuf {
    lockgate_tests::python("openapi", &["schemathesis"], "st")
}

/// Calls a gateway as its own document says, for so many seconds.
fn call(gateway: &Gateway, seconds: u32, arguments: &[&str]) {
    let document = gateway.admin_bytes("GET", "/openapi.json", b"");
    assert_eq!(document.status, 200, "{}", document.text());
    let home = tempfile::tempdir().expect("the temporary directory is writable");
    std::fs::write(home.path().join("openapi.json"), &document.body).expect("the directory is writable");
    let mut command = Command::new(schemathesis());
    command
        .current_dir(home.path())
        .env("no_proxy", "*")
        .args(["run", "openapi.json", "--no-color", "--seed", "7", "--continue-on-failure"])
        .args(["--url", &format!("http://{}/apisix/admin", gateway.admin)])
        .args(["--header", &format!("X-API-KEY: {ADMIN_KEY}")])
        .args(["--max-time", &seconds.to_string(), "--request-timeout", "20"])
        // How fast cases are made up says something of this machine only.
        .args(["--suppress-health-check", "all", "--exclude-checks", NOT_ASKED])
        .args(arguments);
    let output = command.output().unwrap_or_else(|error| panic!("starting schemathesis: {error}"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("Test cases:"), "{text}");
    let (status, health) = gateway.admin("GET", "/status", Value::Null);
    assert_eq!(status, 200, "{health}");
    assert!(!gateway.output().contains("panicked"), "{}", gateway.output());
}

#[test]
fn every_call_is_answered_as_the_document_says() {
    // The rest of them answers in stand-alone mode only.
    call(&Gateway::start(), 45, &["--exclude-path", "/configs"]);
}

#[test]
fn the_whole_configuration_is_shown_and_replaced_as_the_document_says() {
    let settings = Settings::new()
        .set("deployment.role", json!("traditional"))
        .set("deployment.role_traditional", json!({"config_provider": "yaml"}));
    call(&Gateway::with(settings), 10, &["--include-path", "/configs", "--phases", "coverage,fuzzing"]);
}

#[test]
fn the_document_that_is_kept_is_the_one_that_is_served() {
    let served = Gateway::start().admin("GET", "/openapi.json", Value::Null).1;
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/admin-api/openapi.json");
    let kept = std::fs::read_to_string(kept).expect("the document is kept");
    let kept: Value = serde_json::from_str(&kept).expect("it is JSON");
    assert!(served == kept, "run cargo xtask openapi --write");
}
