//! The real curl and the real shell.

use std::process::Command;

/// What a command line printed.
#[derive(Debug)]
pub struct Curl {
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
    /// Whether it exited with 0.
    pub is_success: bool,
}

impl Curl {
    /// The status of the first response that `-i` printed.
    pub fn status(&self) -> u16 {
        let word = self.output.split_whitespace().nth(1).and_then(|word| word.parse().ok());
        word.unwrap_or_else(|| panic!("no status line in {:?} {:?}", self.output, self.errors))
    }
}

/// Runs curl with these arguments, silent and bounded to 20 seconds.
pub fn curl(arguments: &[&str]) -> Curl {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "20"]).args(arguments);
    run(command)
}

/// Runs a command line as a shell does.
pub fn sh(line: &str) -> Curl {
    let mut command = Command::new("sh");
    command.args(["-c", line]);
    assert!(Command::new("curl").arg("--version").output().is_ok(), "install curl");
    run(command)
}

fn run(mut command: Command) -> Curl {
    command.env_remove("http_proxy").env_remove("https_proxy").env_remove("all_proxy").env("no_proxy", "*");
    let output = command.output().unwrap_or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => panic!("install curl"),
        _ => panic!("running {command:?}: {error}"),
    });
    Curl {
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        is_success: output.status.success(),
    }
}
