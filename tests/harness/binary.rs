//! The program under test: `LOCKGATE_BIN`, or what cargo builds.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The path of the program; builds it at first use unless `LOCKGATE_BIN` names one.
pub fn lockgate() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| std::env::var_os("LOCKGATE_BIN").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "-p", "lockgate", "--bin", "lockgate"])
        .current_dir(&root)
        .output()
        .expect("cargo is installed");
    assert!(output.status.success(), "building lockgate: {}", String::from_utf8_lossy(&output.stderr));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("debug/lockgate")
}
