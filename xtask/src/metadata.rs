//! What cargo says about the workspace.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What cargo prints for these arguments.
fn cargo(arguments: &[&str]) -> Result<Vec<u8>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(arguments).current_dir(root()).output();
    let output = output.with_context(|| format!("running cargo {}", arguments.join(" ")))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo {}: {errors}", arguments.join(" "));
    Ok(output.stdout)
}

/// The output of `cargo metadata` for the locked dependencies.
pub(crate) fn load() -> Result<Value> {
    let output = cargo(&["metadata", "--format-version", "1", "--locked"])?;
    serde_json::from_slice(&output).context("cargo metadata prints JSON")
}

/// Every package that is really built for these platforms: `NAME vVERSION SOURCE` and its licence.
///
/// From `cargo tree`: metadata also names crates that only a feature nobody asked for would bring.
pub(crate) fn built(targets: &[String]) -> Result<Vec<(String, String)>> {
    let mut arguments = vec!["tree", "--locked", "--workspace"];
    arguments.extend(targets.iter().flat_map(|target| ["--target", target]));
    arguments.extend(["--prefix", "none", "--format", "{p}|{l}"]);
    let text = String::from_utf8(cargo(&arguments)?).context("cargo tree prints UTF-8")?;
    let mut packages: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.trim_end_matches(" (*)").split_once('|'))
        .map(|(package, licence)| (package.to_owned(), licence.to_owned()))
        .collect();
    packages.sort();
    packages.dedup();
    Ok(packages)
}

/// A text field, or nothing.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// The items of a list field, or none.
pub(crate) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}
