//! How a function's process is started: its command, or a handler under a runtime of ours.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::description::{Description, Program, Runtime};
use crate::pool::Pool;

const PYTHON: &str = include_str!("python.py");
const NODE: &str = include_str!("node.mjs");

/// Where our runtimes lie.
#[derive(Clone, Debug)]
pub(crate) struct Bootstraps {
    python: PathBuf,
    node: PathBuf,
}

impl Bootstraps {
    /// Writes our runtimes into a directory of our own.
    pub(crate) fn write(directory: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let directory = directory.canonicalize()?;
        let written = Self { python: directory.join("bootstrap.py"), node: directory.join("bootstrap.mjs") };
        for (path, text) in [(&written.python, PYTHON), (&written.node, NODE)] {
            if std::fs::read_to_string(path).ok().as_deref() != Some(text) {
                std::fs::write(path, text)?;
            }
        }
        Ok(written)
    }
}

/// The command that starts an environment of a function, with everything that Lambda tells a process.
pub(crate) fn command(pool: &Pool, api: SocketAddr) -> Command {
    let description = &pool.description;
    let mut command = match &description.program {
        Program::Command(words) => {
            let mut words = words.iter();
            let mut command = Command::new(located(words.next().map_or("", String::as_str), description));
            command.args(words);
            command
        }
        Program::Handler { runtime: Runtime::Python, .. } => {
            let own = description.directory.join(".venv/bin/python3");
            let mut command = Command::new(if own.exists() { own } else { "python3".into() });
            command.arg(&pool.shared.bootstraps.python);
            command
        }
        Program::Handler { runtime: Runtime::Node, .. } => {
            let mut command = Command::new("node");
            command.arg(&pool.shared.bootstraps.node);
            command
        }
    };
    let handler = match &description.program {
        Program::Handler { handler, .. } => handler,
        Program::Command(_) => "bootstrap",
    };
    let name = description.name.as_str();
    command
        .current_dir(&description.directory)
        .env("PYTHONUNBUFFERED", "1")
        .envs(description.environment.iter().map(|(name, value)| (name, value)))
        // Lambda's own variables, which a function cannot set.
        .env("AWS_LAMBDA_RUNTIME_API", api.to_string())
        .env("_HANDLER", handler)
        .env("LAMBDA_TASK_ROOT", &description.directory)
        .env("LAMBDA_RUNTIME_DIR", &description.directory)
        .env("AWS_LAMBDA_FUNCTION_NAME", name)
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", description.memory.to_string())
        .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}"))
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "local")
        .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
        .env("AWS_REGION", &*pool.shared.region)
        .env("AWS_DEFAULT_REGION", &*pool.shared.region);
    command
}

/// What is started, for people.
pub(crate) fn shown(description: &Description) -> String {
    match &description.program {
        Program::Command(words) => words.first().cloned().unwrap_or_default(),
        Program::Handler { runtime: Runtime::Python, handler } => format!("python3 with {handler}"),
        Program::Handler { runtime: Runtime::Node, handler } => format!("node with {handler}"),
    }
}

/// A name alone is looked for in `PATH`; a path is the function's own.
fn located(program: &str, description: &Description) -> PathBuf {
    if program.contains('/') { description.directory.join(program) } else { program.into() }
}
