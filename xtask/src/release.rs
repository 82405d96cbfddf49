//! The release build: built once to be watched at work, once more from what was seen, and then laid out anew.
//!
//! The compiler then knows which way each branch goes and what belongs together: of a gateway whose code is far larger
//! than the caches that are nearest to the processor, a third of the user time is saved (`bench/compare`).

mod layout;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{metadata, say};
use layout::Layout;

/// Builds the gateway, and the bare engine that `bench/engine` measures, by profile; prints where they are.
pub(crate) fn build() -> Result<()> {
    let root = metadata::root();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    std::fs::create_dir_all(&target)?;
    let target = target.canonicalize()?;
    let (host, tool, layout) = (host()?, profdata()?, Layout::find());
    if layout.is_none() {
        say(
            "release: there is no llvm-bolt of LLVM 19 or later (Debian: bolt-22), so it will not be laid out anew",
        );
    }
    let profiles = target.join("profiles");
    if profiles.exists() {
        std::fs::remove_dir_all(&profiles).with_context(|| profiles.display().to_string())?;
    }
    std::fs::create_dir_all(&profiles)?;

    say("release: building what is watched");
    let watched = target.join("watched");
    cargo_all(&root, &watched, &host, &format!("-Cprofile-generate={}", profiles.display()))?;
    say("release: watching it at work (bench/train)");
    let built = |directory: &Path| directory.join(&host).join("release");
    let programs = [built(&watched).join("lockgate"), built(&watched).join("examples/bare")];
    let train = root.join("bench/train");
    run(Command::new(&train).args(&programs))?;
    let seen = profiles.join("seen.profdata");
    run(Command::new(tool).arg("merge").arg("-o").arg(&seen).arg(&profiles))?;

    say("release: building from what was seen");
    let tuned = target.join("tuned");
    let linked = layout.as_ref().map_or("", |_| layout::LINKED);
    cargo_all(&root, &tuned, &host, &format!("-Cprofile-use={} {linked}", seen.display()))?;
    let mut programs = Vec::from(["lockgate", "examples/bare"].map(|program| built(&tuned).join(program)));
    if let Some(layout) = layout {
        programs = layout.lay_out(&programs, &target, &train)?;
    }
    for program in programs {
        writeln!(std::io::stdout(), "{}", program.display())?;
    }
    Ok(())
}

/// With `--target`, so that build scripts and macros are built as ever. Each program by itself: together, the gateway
/// would have what only the other one's tests ask for.
fn cargo_all(root: &Path, target: &Path, host: &str, flags: &str) -> Result<()> {
    for program in [["-p", "lockgate", "--bin", "lockgate"], ["-p", "lockgate-http", "--example", "bare"]] {
        cargo(root, target, host, flags, &program)?;
    }
    Ok(())
}

fn cargo(root: &Path, target: &Path, host: &str, flags: &str, program: &[&str]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--locked", "--target", host]).args(program);
    run(command.current_dir(root).env("CARGO_TARGET_DIR", target).env("RUSTFLAGS", flags))
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("running {name}"))?;
    ensure!(status.success(), "{name} ended with {status}");
    Ok(())
}

/// What this prints, without its line end.
fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("running {name}"))?;
    ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn rustc() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

pub(crate) fn host() -> Result<String> {
    output(rustc().args(["--print", "host-tuple"]))
}

/// The `llvm-profdata` of this compiler, which comes as a component of its toolchain.
fn profdata() -> Result<PathBuf> {
    let libraries = output(rustc().args(["--print", "target-libdir"]))?;
    let tool = Path::new(&libraries).with_file_name("bin").join("llvm-profdata");
    if !tool.exists() {
        run(Command::new("rustup").args(["component", "add", "llvm-tools"]))
            .context("llvm-profdata of this compiler is needed: the component llvm-tools")?;
    }
    ensure!(tool.exists(), "{} is missing: it comes with the component llvm-tools", tool.display());
    Ok(tool)
}
