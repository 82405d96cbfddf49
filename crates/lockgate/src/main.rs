//! Lockgate: parse the command line, build the runtime, run.

mod admin_key;
mod app;
mod banner;
mod cli;
mod control;
mod event;
mod handover;
mod listen;
mod reload;
mod settings;
mod signal;
mod workers;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use app::{Mode, Start};
use cli::{Cli, Command, RunOptions};
use handover::{Predecessor, Program};
use settings::{Settings, SettingsError, Warning};

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
        Command::Dev(options) => {
            run(&options.run, Mode::Dev, |settings| settings.on_loopback(options.listen))?;
        }
        Command::Check(options) => {
            let is_right = cli::check(&options.config, environment, &mut std::io::stdout())?;
            return Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Upgrade(options) => {
            let id = control::upgrade(&options.data_dir)?;
            writeln!(std::io::stdout(), "process {id} has taken over")?;
        }
        Command::Version => writeln!(std::io::stdout(), "lockgate {}", env!("CARGO_PKG_VERSION"))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn run(
    options: &RunOptions,
    mode: Mode,
    adapt: impl FnOnce(Settings) -> Result<Settings, SettingsError>,
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
    adapt: impl FnOnce(Settings) -> Result<Settings, SettingsError>,
    program: Program,
    predecessor: Option<&Predecessor>,
) -> anyhow::Result<()> {
    let (settings, warnings) = load(options, adapt).map_err(|error| anyhow::anyhow!("settings: {error}"))?;
    tracing_subscriber::fmt()
        .with_max_level(settings.log_level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    for warning in warnings {
        tracing::warn!("settings: {warning}");
    }
    app::run(&Start { settings: &settings, data_dir: &options.data_dir, mode, program, predecessor })
}

fn load(
    options: &RunOptions,
    adapt: impl FnOnce(Settings) -> Result<Settings, SettingsError>,
) -> Result<(Settings, Vec<Warning>), SettingsError> {
    let (settings, warnings) = Settings::load(options.config.as_deref(), environment)?;
    let mut settings = adapt(settings)?;
    // What the command line says goes before what the file says.
    settings.resolve.splice(0..0, options.resolve.iter().cloned());
    Ok((settings, warnings))
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
