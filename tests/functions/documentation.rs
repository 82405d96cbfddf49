//! The pages of the guide on functions, done as a reader does them.
//!
//! A fence says what its block is: `sh` is run, `text` is what the commands before it print, `shell` with
//! `lockgate dev` starts the gateway, a file name makes a file; anything else is only shown. The pages name ports,
//! so they are done in a network namespace of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use lockgate_tests::{Process, eventually, lockgate};

const PAGES: [&str; 3] = ["README.md", "docs/guide/getting-started.md", "docs/guide/laptop-to-aws.md"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The blocks of a page: what the fence says, and what is in it.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(says)) => open = Some((says.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

#[test]
fn the_pages_of_the_guide_work_as_printed() {
    let this = std::env::current_exe().expect("a test has a path");
    let script =
        "ip link set lo up && exec \"$0\" --ignored --exact --nocapture documentation::inside_the_namespace";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "--", "sh", "-c", script]).arg(this);
    command.env("LOCKGATE_BIN", lockgate());
    let output = command.output().unwrap_or_else(|error| panic!("install util-linux (unshare): {error}"));
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "needs a network namespace of its own: the_pages_of_the_guide_work_as_printed makes one"]
fn inside_the_namespace() {
    for page in PAGES {
        let text =
            std::fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
        do_page(page, &text);
    }
}

fn do_page(page: &str, text: &str) {
    let home = tempfile::tempdir().expect("the temporary directory is writable");
    let mut gateway: Option<Process> = None;
    let (mut printed, mut checked) = (String::new(), 0);
    for (says, block) in blocks(text) {
        match says.split_once(' ') {
            Some((_, file)) => crate::write(&home.path().join(file), &block),
            None if says == "shell" => {
                if let Some(arguments) = block.lines().find_map(dev_arguments) {
                    if let Some(mut earlier) = gateway.take() {
                        earlier.kill();
                    }
                    gateway = Some(start(home.path(), arguments));
                }
            }
            None if says == "sh" => printed = run(home.path(), &block),
            None if says == "text" => {
                for line in block.lines() {
                    assert!(printed.contains(line), "{page}: {line:?} is not in\n{printed}");
                    checked += 1;
                }
            }
            None => {}
        }
    }
    assert!(checked > 0, "{page} shows what its commands print");
}

/// What follows `lockgate dev`, if a line is that command.
fn dev_arguments(line: &str) -> Option<&str> {
    let command = line.split(" #").next()?;
    command.strip_prefix("lockgate dev").or_else(|| command.strip_prefix("cargo run -- dev"))
}

fn start(home: &Path, arguments: &str) -> Process {
    let mut command = Command::new(lockgate());
    let process = Process::start(command.arg("dev").args(arguments.split_whitespace()).current_dir(home));
    eventually("the gateway should show what to paste", || {
        process.output().contains("to paste:").then_some(())
    });
    process
}

fn run(home: &Path, script: &str) -> String {
    let programs = lockgate().parent().expect("a program lies somewhere").to_string_lossy().into_owned();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
    let output = Command::new("sh")
        .args(["-e", "-c", script])
        .current_dir(home)
        .env("PATH", path)
        .output()
        .expect("there is a shell");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{script}\n{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}
