//! Functions on this machine, as the program starts them: from settings, from the command line, or an example.

mod arguments;
mod check;
pub(crate) mod client;
pub(crate) mod hello;

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use lockgate_function::{Description, Line, Origin, Program, Running, ServerSettings, Sink};

pub(crate) use arguments::FunctionArgument;

use crate::app::Mode;
use crate::settings::Functions;

/// The name of the function that `lockgate dev` brings along.
pub(crate) const EXAMPLE: &str = "hello";
/// The file that `lockgate dev` takes functions from where it is there.
pub(crate) const FILE: &str = "lockgate.functions.yaml";

/// What `lockgate dev` adds: the example where there is no function, and a look at files that change.
pub(crate) fn for_dev(functions: &mut Functions) -> anyhow::Result<()> {
    if functions.list.is_empty() {
        let program = std::env::current_exe().context("where this program lies is not known")?;
        let command = vec![program.to_string_lossy().into_owned(), hello::COMMAND.to_owned()];
        let name = EXAMPLE.parse().context("the example's name")?;
        functions.list.push(Description::new(name, Program::Command(command), std::env::temp_dir()));
    }
    for function in &mut functions.list {
        function.reload = true;
    }
    Ok(())
}

/// Starts the functions on their socket, if there are any.
pub(crate) fn start(
    functions: &Functions,
    socket: Option<TcpListener>,
    data_dir: &Path,
    mode: Mode,
) -> anyhow::Result<Option<Running>> {
    let Some(socket) = socket else { return Ok(None) };
    let check = functions.credentials.as_ref().map(|pair| check::Checker::new(pair, &functions.region));
    let check = check.transpose().context("function_server")?;
    let settings = ServerSettings {
        region: functions.region.clone(),
        directory: data_dir.join("functions"),
        sink: match mode {
            Mode::Dev => Arc::new(to_terminal),
            Mode::Run => to_log(),
        },
        check: check.map(|check| Arc::new(check) as _),
    };
    Ok(Some(lockgate_function::start(socket, settings, functions.list.clone())?))
}

/// For people who look on: what functions say, and a short form of their reports.
fn to_terminal(line: &Line) {
    let mut out = std::io::stderr().lock();
    // Whoever runs this may have closed the terminal.
    let _ = match line.origin {
        Origin::Function => writeln!(out, "{} | {}", line.function, line.text),
        Origin::Trouble => writeln!(out, "{} ! {}", line.function, line.text),
        Origin::Platform => match short(&line.text) {
            Some(short) => writeln!(out, "{} = {short}", line.function),
            None => Ok(()),
        },
    };
}

/// `1.52 ms, 37 MB`, and how it began and ended where that is worth a word.
fn short(report: &str) -> Option<String> {
    let fields = report.strip_prefix("REPORT ")?.split('\t');
    let fields: Vec<(&str, &str)> = fields.filter_map(|field| field.split_once(": ")).collect();
    let of = |name: &str| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let mut text = format!("{}, {}", of("Duration")?, of("Max Memory Used")?);
    if let Some(init) = of("Init Duration") {
        text += ", started in ";
        text += init;
    }
    if let Some(status) = of("Status") {
        text += ", ";
        text += status;
    }
    Some(text)
}

/// For operators: lines of functions and what befalls them, with the level of each.
fn to_log() -> Sink {
    Arc::new(|line: &Line| {
        let (function, request) = (line.function.as_str(), line.request_id.as_deref().unwrap_or("-"));
        match line.origin {
            Origin::Function => tracing::info!(target: "function", function, request, "{}", line.text),
            Origin::Platform => tracing::debug!(target: "function", function, request, "{}", line.text),
            Origin::Trouble => tracing::warn!(target: "function", function, request, "{}", line.text),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn a_report_is_shortened_for_the_terminal() {
        let report = "REPORT RequestId: 1-2\tDuration: 1.52 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\t\
                      Max Memory Used: 37 MB\tInit Duration: 9.00 ms";
        assert_eq!(short(report).unwrap(), "1.52 ms, 37 MB, started in 9.00 ms");
        assert_eq!(
            short(&format!("{report}\tStatus: timeout")).unwrap().rsplit(", ").next(),
            Some("timeout")
        );
        assert_eq!(short("END RequestId: 1"), None);
    }
}
