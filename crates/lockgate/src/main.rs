//! Lockgate: parse the command line, build the runtime, run.

mod admin_key;
mod app;
mod banner;
mod cli;
mod listen;
mod reload;
mod settings;
mod signal;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use app::Mode;
use cli::{Cli, Command, RunOptions};
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
        Command::Version => writeln!(std::io::stdout(), "lockgate {}", env!("CARGO_PKG_VERSION"))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn run(
    options: &RunOptions,
    mode: Mode,
    adapt: impl FnOnce(Settings) -> Result<Settings, SettingsError>,
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
    app::run(&settings, &options.data_dir, mode)
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
