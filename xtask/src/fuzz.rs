//! The fuzz targets, each run by libFuzzer for a while, with the toolchain that builds everything else: what
//! `cargo fuzz` asks a nightly compiler for (`AddressSanitizer`) finds nothing in a workspace without `unsafe`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail, ensure};

use crate::{metadata, release, say};

/// What libFuzzer is to see of a program: which edges were taken, and what was compared with what.
const FLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions",
    "-Coverflow-checks",
    "-Ccodegen-units=1",
    "--cfg=fuzzing",
];
/// The longest input, in bytes.
const LONGEST: usize = 4096;
/// How long one input may take, in seconds.
const PATIENCE: u64 = 10;

/// What the command line says.
struct Asked {
    seconds: u64,
    targets: Vec<String>,
}

/// Builds the targets and runs those that are named, or all: as many at a time as there are processors.
pub(crate) fn run(words: impl Iterator<Item = String>) -> Result<()> {
    let root = metadata::root().join("fuzz");
    let Asked { seconds, targets } = asked(words, known(&root)?)?;
    let programs = build(&root)?;
    let at_once = thread::available_parallelism().map_or(1, usize::from);
    let mut faults = Vec::new();
    for group in targets.chunks(at_once) {
        let started: Vec<_> =
            group.iter().map(|name| (name, start(&root, &programs, name, seconds))).collect();
        for (name, started) in started {
            match started.and_then(|started| finish(name, started)) {
                Ok(()) => {}
                Err(error) => faults.push(format!("{name}: {error:#}")),
            }
        }
    }
    crate::report("fuzz", &faults)
}

/// The targets there are, in the order of their names.
fn known(root: &Path) -> Result<Vec<String>> {
    let directory = root.join("fuzz_targets");
    let entries = std::fs::read_dir(&directory).with_context(|| directory.display().to_string())?;
    let names =
        entries.map(|entry| Ok(entry?.path().file_stem().unwrap_or_default().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn asked(mut words: impl Iterator<Item = String>, known: Vec<String>) -> Result<Asked> {
    let mut asked = Asked { seconds: 60, targets: Vec::new() };
    while let Some(word) = words.next() {
        if word == "--seconds" {
            let seconds = words.next().context("--seconds says how many")?;
            asked.seconds = seconds.parse().with_context(|| format!("--seconds {seconds}"))?;
        } else if known.contains(&word) {
            asked.targets.push(word);
        } else {
            bail!("{word} is no target: there are {}", known.join(", "));
        }
    }
    if asked.targets.is_empty() {
        asked.targets = known;
    }
    Ok(asked)
}

/// Builds all of them; where they are then.
fn build(root: &Path) -> Result<PathBuf> {
    let host = release::host()?;
    let target = root.join("target");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // With `--target`, build scripts and macros are built as ever.
    command.args(["build", "--release", "--locked", "--target", &host]).current_dir(root);
    let status = command.env("CARGO_TARGET_DIR", &target).env("RUSTFLAGS", FLAGS.join(" ")).status();
    ensure!(status.context("running cargo")?.success(), "the fuzz targets do not build");
    Ok(target.join(host).join("release"))
}

/// Starts a target on what is known of its inputs.
fn start(root: &Path, programs: &Path, name: &str, seconds: u64) -> Result<Child> {
    let (corpus, artifacts) = (root.join("corpus").join(name), root.join("artifacts").join(name));
    std::fs::create_dir_all(&corpus)?;
    std::fs::create_dir_all(&artifacts)?;
    let mut command = Command::new(programs.join(name));
    command
        .arg(&corpus)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={LONGEST}"))
        .arg(format!("-timeout={PATIENCE}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(["-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=0"]);
    let words = root.join("words.dict");
    command.arg(format!("-dict={}", words.display()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().with_context(|| format!("running {name}"))
}

/// Waits for a target and says what it did.
fn finish(name: &str, started: Child) -> Result<()> {
    let output = started.wait_with_output().with_context(|| format!("waiting for {name}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let start = text.len().saturating_sub(3000);
        bail!("{}\n{}", output.status, text.get(start..).unwrap_or(&text));
    }
    let number = |mark: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(mark));
        found.map_or("?", str::trim).to_owned()
    };
    let runs = number("stat::number_of_executed_units:");
    ensure!(runs != "0", "it ran nothing");
    let (kept, speed) = (number("stat::new_units_added:"), number("stat::average_exec_per_sec:"));
    say(&format!("fuzz: {name}: {runs} inputs, {speed} a second, {kept} of them new; nothing found"));
    Ok(())
}
