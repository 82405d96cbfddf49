//! What a function is: how its process is started, and what it may use.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The longest name that Lambda takes, in characters.
const LONGEST_NAME: usize = 64;
/// The least memory that Lambda grants, in MB.
pub(crate) const LEAST_MEMORY: u32 = 128;
/// The most memory that may be granted, in MB.
pub(crate) const MOST_MEMORY: u32 = 1 << 20;
/// The longest time-out of Lambda.
pub(crate) const LONGEST_TIMEOUT: Duration = Duration::from_mins(15);
/// Environments of one function at most.
const MOST_ENVIRONMENTS: usize = 1000;
/// Calls that wait for one function at most.
const LONGEST_QUEUE: usize = 100_000;

/// The name of a function, as Lambda takes it: letters, digits, `-` and `_`, at most 64.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Box<str>);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = InvalidDescription;

    fn from_str(text: &str) -> Result<Self, InvalidDescription> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if text.is_empty() || text.len() > LONGEST_NAME || !text.bytes().all(is_allowed) {
            return Err(InvalidDescription::Name(text.chars().take(LONGEST_NAME).collect()));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A runtime whose Runtime API client we bring along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// `python3`
    Python,
    /// `nodejs`
    Node,
}

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A program that speaks the Runtime API itself: its path and arguments.
    Command(Vec<String>),
    /// A handler, `file.function`, under a runtime. The function's own runtime client (`awslambdaric`,
    /// `aws-lambda-ric`) is used where it has one, ours otherwise.
    Handler {
        /// Which runtime.
        runtime: Runtime,
        /// `file.function`; without a function, `lambda_handler` or `handler` of the file.
        handler: String,
    },
}

/// Who may call a function's URL and its API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// Everybody on this machine.
    #[default]
    None,
    /// Who signs with the server's credential (`AWS_IAM`).
    Iam,
}

/// How many environments a function has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    /// Kept ready without a call. Default: 0.
    pub min: usize,
    /// At most; a call beyond waits. Default: 10.
    pub max: usize,
}

/// A function. [`Description::new`] gives all but the name and the program their defaults.
#[derive(Clone, PartialEq, Eq)]
pub struct Description {
    /// What it is called.
    pub name: Name,
    /// What is run.
    pub program: Program,
    /// The working directory, and `LAMBDA_TASK_ROOT`.
    pub directory: PathBuf,
    /// Variables of its environment; little else is handed down.
    pub environment: Vec<(String, String)>,
    /// Memory of one environment, in MB (2^20 bytes). Default: 128, as Lambda's.
    pub memory: u32,
    /// How long one call may take. Default: 3 s, as Lambda's.
    pub timeout: Duration,
    /// How many environments it has.
    pub concurrency: Concurrency,
    /// Calls that may wait for an environment; one more is refused with 429. Default: 1000.
    pub queue: usize,
    /// An environment that had no call for so long is ended. Default: 10 min.
    pub idle_timeout: Duration,
    /// Whether environments are replaced when a file of the function changes. Default: false.
    pub reload: bool,
    /// The value of `x-api-key` that its API asks for. Default: none is asked for.
    pub api_key: Option<String>,
    /// Who may call its URL and its API.
    pub auth: Auth,
}

/// Why a function cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDescription {
    /// The name is not one.
    #[error("{0:?} is no name of a function: letters, digits, - and _, at most 64")]
    Name(String),
    /// Nothing to run.
    #[error("the command is empty")]
    Command,
    /// A handler that names no file of the function's directory.
    #[error("{0:?} is no handler: file.function, within the function's directory")]
    Handler(String),
    /// A number out of range.
    #[error("{what} {value} is not between {least} and {most}")]
    Range {
        /// What it is of.
        what: &'static str,
        /// What was given.
        value: u64,
        /// The least that is taken.
        least: u64,
        /// The most that is taken.
        most: u64,
    },
    /// A variable that cannot be handed to a process.
    #[error("{0:?} cannot be a variable of the environment")]
    Variable(String),
}

impl Description {
    /// A function with Lambda's defaults.
    pub fn new(name: Name, program: Program, directory: impl Into<PathBuf>) -> Self {
        Self {
            name,
            program,
            directory: directory.into(),
            environment: Vec::new(),
            memory: LEAST_MEMORY,
            timeout: Duration::from_secs(3),
            concurrency: Concurrency { min: 0, max: 10 },
            queue: 1000,
            idle_timeout: Duration::from_mins(10),
            reload: false,
            api_key: None,
            auth: Auth::None,
        }
    }

    /// Says what is wrong with it.
    pub fn check(&self) -> Result<(), InvalidDescription> {
        match &self.program {
            Program::Command(words) if words.first().is_none_or(String::is_empty) => {
                return Err(InvalidDescription::Command);
            }
            Program::Handler { handler, .. } if !is_handler(handler) => {
                return Err(InvalidDescription::Handler(handler.clone()));
            }
            Program::Command(_) | Program::Handler { .. } => {}
        }
        let is_bad = |(name, value): &&(String, String)| {
            name.is_empty() || name.contains(['=', '\0']) || value.contains('\0')
        };
        if let Some((name, _)) = self.environment.iter().find(is_bad) {
            return Err(InvalidDescription::Variable(name.clone()));
        }
        let count = |number: usize| number as u64;
        let Concurrency { min, max } = self.concurrency;
        within("memory", self.memory.into(), LEAST_MEMORY.into(), MOST_MEMORY.into())?;
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        within("timeout (in ms)", millis(self.timeout), 1, millis(LONGEST_TIMEOUT))?;
        within("concurrency.max", count(max), 1, count(MOST_ENVIRONMENTS))?;
        within("concurrency.min", count(min), 0, count(max))?;
        within("queue", count(self.queue), 0, count(LONGEST_QUEUE))
    }
}

impl fmt::Debug for Description {
    /// Shows neither keys nor variables.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Description")
            .field("name", &self.name)
            .field("program", &self.program)
            .finish_non_exhaustive()
    }
}

fn within(what: &'static str, value: u64, least: u64, most: u64) -> Result<(), InvalidDescription> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(InvalidDescription::Range { what, value, least, most })
}

/// Whether it is a relative path of a file, with a function behind a point or without.
fn is_handler(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    let is_name = |part: &str| !part.is_empty() && part != "." && part != "..";
    text.bytes().all(is_allowed) && text.split('/').all(is_name) && !text.starts_with('-')
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Description, InvalidDescription, Name, Program, Runtime};

    fn function() -> Description {
        Description::new("hello".parse().unwrap(), Program::Command(vec!["./bootstrap".into()]), ".")
    }

    #[test]
    fn names_are_those_that_lambda_takes() {
        for right in ["a", "hello-World_1"] {
            assert_eq!(right.parse::<Name>().unwrap().as_str(), right);
        }
        for wrong in ["", "a.b", "a/b", "a:b", "ä", &"a".repeat(65)] {
            assert!(wrong.parse::<Name>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_lambda_would_refuse_is_named_with_its_value() {
        let mut description = function();
        assert_eq!(description.check(), Ok(()));
        description.timeout = Duration::from_secs(901);
        assert_eq!(
            description.check().unwrap_err().to_string(),
            "timeout (in ms) 901000 is not between 1 and 900000"
        );
        description = function();
        description.concurrency.min = 11;
        assert_eq!(
            description.check().unwrap_err().to_string(),
            "concurrency.min 11 is not between 0 and 10"
        );
        description.program = Program::Command(Vec::new());
        assert_eq!(description.check(), Err(InvalidDescription::Command));
    }

    #[test]
    fn a_handler_stays_within_the_functions_directory() {
        let check = |handler: &str| {
            let program = Program::Handler { runtime: Runtime::Python, handler: handler.into() };
            Description { program, ..function() }.check()
        };
        for right in ["app", "app.handler", "src/app.lambda_handler"] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        for wrong in ["", "../app.handler", "/app.handler", "a//b.c", "-m.app", "a b.c"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
