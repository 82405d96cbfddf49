//! Lockgate: parse the command line, build the runtime, run.

mod admin_key;
mod admin_tls;
mod app;
mod banner;
mod cli;
mod control;
mod control_api;
mod event;
mod functions;
mod handover;
mod listen;
mod metrics_api;
mod quic;
mod reload;
mod secrets;
mod settings;
mod signal;
mod status_api;
mod store;
mod store_command;
mod workers;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use app::{Mode, Start};
use cli::{Cli, Command, RunOptions};
use handover::{Predecessor, Program};
use settings::{Settings, Warning};

/// What the crates of AWS write into the log under.
const AWS_TARGETS: [&str; 6] =
    ["aws_config", "aws_credential_types", "aws_runtime", "aws_sdk_sts", "aws_sigv4", "aws_smithy"];

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match command(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "lockgate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn command(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(options) => run(&options, Mode::Run, Ok)?,
        Command::Dev(mut options) => {
            options.find_functions();
            run(&options.run, Mode::Dev, |settings| options.adapt(settings))?;
        }
        Command::Invoke(options) => {
            let has_succeeded = functions::client::invoke(&options)?;
            return Ok(if has_succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Logs(options) => functions::client::logs(&options)?,
        Command::HelloFunction => functions::hello::run()?,
        Command::Check(options) => {
            let is_right = cli::check(&options.config, environment, &mut std::io::stdout())?;
            return Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Upgrade(options) => {
            let id = control::upgrade(&options.data_dir)?;
            writeln!(std::io::stdout(), "process {id} has taken over")?;
        }
        Command::Store { command } => store_command::run(&command)?,
        Command::Openapi => {
            let document = lockgate_admin::openapi(&lockgate_plugins::registry());
            writeln!(std::io::stdout(), "{document:#}")?;
        }
        Command::Version => writeln!(std::io::stdout(), "lockgate {}", env!("CARGO_PKG_VERSION"))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn run(
    options: &RunOptions,
    mode: Mode,
    adapt: impl FnOnce(Settings) -> anyhow::Result<Settings>,
) -> anyhow::Result<()> {
    let program = Program::of_this()?;
    let predecessor = Predecessor::find()?;
    let ended = load_and_run(options, mode, adapt, program, predecessor.as_ref());
    if let (Some(predecessor), Err(error)) = (&predecessor, &ended) {
        predecessor.fail(error);
    }
    ended
}

fn load_and_run(
    options: &RunOptions,
    mode: Mode,
    adapt: impl FnOnce(Settings) -> anyhow::Result<Settings>,
    program: Program,
    predecessor: Option<&Predecessor>,
) -> anyhow::Result<()> {
    let (settings, warnings) = load(options, adapt).context("settings")?;
    start_log(settings.log_level);
    for warning in warnings {
        tracing::warn!("settings: {warning}");
    }
    app::run(&Start { settings: &settings, data_dir: &options.data_dir, mode, program, predecessor })
}

/// The log goes to standard error. What functions print is shown at every level: it is theirs, not ours.
fn start_log(level: LevelFilter) {
    // Those who ask AWS for credentials write down more of requests and answers than may be known.
    let silent = AWS_TARGETS.map(|target| (target, LevelFilter::OFF));
    // It warns of what others send: whoever likes could fill the log.
    let shown = Targets::new()
        .with_targets(silent)
        .with_default(level)
        .with_target("h2", level.min(LevelFilter::ERROR))
        .with_target("function", level.max(LevelFilter::INFO));
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let format = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(is_terminal);
    tracing_subscriber::registry().with(format).with(shown).init();
}

fn load(
    options: &RunOptions,
    adapt: impl FnOnce(Settings) -> anyhow::Result<Settings>,
) -> anyhow::Result<(Settings, Vec<Warning>)> {
    let (mut settings, mut warnings) = Settings::load(options.config.as_deref(), environment)?;
    if let Some(file) = &options.functions {
        let (own, more) = Settings::load(Some(file), environment)?;
        settings.functions.take_in(own.functions);
        warnings.extend(more);
    }
    let mut settings = adapt(settings)?;
    // What the command line says goes before what the file says.
    settings.resolve.splice(0..0, options.resolve.iter().cloned());
    Ok((settings, warnings))
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
