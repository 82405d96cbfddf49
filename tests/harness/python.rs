//! Programs of Python's package index, as clients and servers of other hands.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A program of these packages, or `python` itself, in an environment of this name. They are fetched when it is asked
/// for first.
pub fn python(environment: &str, packages: &[&str], program: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = root.join("../target/python").join(environment);
    let mut command = Command::new(root.join("harness/python.sh"));
    let status = command.arg(&directory).args(packages).status().expect("python.sh can be run");
    assert!(status.success(), "{} could not be installed from PyPI", packages.join(" and "));
    directory.join("venv/bin").join(program)
}
