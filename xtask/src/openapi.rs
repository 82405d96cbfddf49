//! Is the checked-in `OpenAPI` document of the Admin API the one that the program gives?

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::metadata::root;
use crate::say;

/// Where it lies.
const PAGE: &str = "docs/admin-api/openapi.json";

/// Compares the document with what the program gives, or writes it where `writes`.
pub(crate) fn check(writes: bool) -> Result<()> {
    let given = document()?;
    let page = root().join(PAGE);
    if writes {
        say(&format!("writing {PAGE}"));
        return fs::write(&page, given).with_context(|| format!("writing {PAGE}"));
    }
    let kept = fs::read_to_string(&page).with_context(|| format!("reading {PAGE}"))?;
    if kept == given {
        return crate::report("openapi", &[]);
    }
    let line = kept.lines().zip(given.lines()).take_while(|(kept, given)| kept == given).count() + 1;
    bail!("{PAGE} is not what the program gives, from line {line} on: run cargo xtask openapi --write")
}

fn document() -> Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--quiet", "-p", "lockgate", "--", "openapi"]).current_dir(root());
    let output = command.stderr(std::process::Stdio::inherit()).output().context("running cargo")?;
    ensure!(output.status.success(), "lockgate openapi failed");
    String::from_utf8(output.stdout).context("reading what lockgate openapi printed")
}
