//! Checks of the workspace itself, run by people and by CI with the same words: `cargo xtask NAME`.

mod arrows;
mod fuzz;
mod licences;
mod links;
mod metadata;
mod openapi;
mod release;
mod test;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;

const USAGE: &str = "usage: cargo xtask NAME
  arrows     compare who depends on whom with the floors of the design
  fuzz       run the fuzz targets: [--seconds N] [TARGET ...], a minute each and all of them unless told otherwise
  licences   compare the licences of all dependencies with deny.toml, and refuse banned crates
  links      look for links of the documentation that lead nowhere
  release    build the gateway by profile: watched at work, then built from what was seen; says where it is
  openapi    compare docs/admin-api/openapi.json with what the program gives, or put that there with --write
  test       every test, the AWS stand-ins included (started and stopped; they lie beside the repository)
";

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let result = match name.as_str() {
        "arrows" => arrows::check(),
        "fuzz" => fuzz::run(std::env::args().skip(2)),
        "licences" => licences::check(),
        "links" => links::check(),
        "openapi" => openapi::check(std::env::args().nth(2).as_deref() == Some("--write")),
        "release" => release::build(),
        "test" => test::run(),
        _ => Err(anyhow::anyhow!("{USAGE}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("{name}: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Writes a line for the person or the log that started this.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Runs a check and says what it found.
fn report(name: &str, faults: &[String]) -> Result<()> {
    if faults.is_empty() {
        say(&format!("{name}: as agreed"));
        return Ok(());
    }
    anyhow::bail!("{} faults\n  {}", faults.len(), faults.join("\n  "))
}
