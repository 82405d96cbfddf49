//! The command line.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use lockgate_function::Name;

use crate::functions::{self, FunctionArgument};
use crate::settings::{Functions, Resolve, Settings};
use crate::store_command::{self, StoreCommand};

/// What was asked for on the command line.
#[derive(Debug, Parser)]
#[command(name = "lockgate", version, about, long_about = ABOUT, after_long_help = EXAMPLES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const ABOUT: &str = "\
An API gateway for AWS Lambda and ordinary services. It speaks Apache APISIX's dialect: the same Admin API, \
plugins and config.yaml keys.";

const EXAMPLES: &str = "\
Examples:
  lockgate dev                          try it here: loopback only, documented key, an example function
  lockgate invoke hello                 call that function
  lockgate run                          defaults: ports 9080 and 9081, Admin API on 127.0.0.1:9180
  lockgate run -c conf/config.yaml      with settings of your own
  lockgate check -c conf/config.yaml    are they right?
  lockgate upgrade                      a new build or new settings, without an interruption";

const INVOKE_EXAMPLES: &str = "\
Examples:
  lockgate invoke hello                         with the event {}
  lockgate invoke hello -d '{\"name\":\"APISIX\"}'  with an event
  lockgate invoke hello -d @event.json          from a file
  jq . event.json | lockgate invoke hello -d -  from a pipe
  lockgate invoke hello --log                   with what it wrote, on standard error
  lockgate invoke hello --event                 without waiting: it is called soon, three times at most

The AWS command line does the same:
  aws lambda invoke --endpoint-url http://127.0.0.1:9070 --function-name hello out.json";

const LOGS_EXAMPLES: &str = "\
Examples:
  lockgate logs hello          the last 100 lines
  lockgate logs hello -n 5     the last 5
  lockgate logs hello -f       and those to come";

const DEV_EXAMPLES: &str = "\
Examples:
  lockgate dev                                  with an example function, hello
  lockgate dev --function hello=./app.py        its lambda_handler or handler; needs nothing installed
  lockgate dev --function hello=./index.mjs     its handler
  lockgate dev --function a=./bootstrap --function b=./app.py
  lockgate dev --functions lockgate.functions.yaml";

/// The things it can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway
    ///
    /// Without a settings file the data plane listens on 9080 and 9081 and the Admin API on 127.0.0.1:9180. The
    /// admin key comes from the settings and from `LOCKGATE_ADMIN_KEY`; where neither gives one, a random key is
    /// made once, kept in DIR/admin.key, and shown at start. SIGTERM lets requests in flight finish first.
    Run(RunOptions),
    /// Run the gateway for trying things out, on loopback only
    ///
    /// As `run`, but nothing outside this machine can reach it: it refuses every other address. The Admin API
    /// is also served on the data plane's port, under /apisix/admin, and its key is the one that APISIX's
    /// documentation prints, edd1c9f034335f136f87ad84b625c8f1, so that documented commands work as they stand.
    ///
    /// Lambda functions run on this machine, with no AWS account: those given here, those of lockgate.functions.yaml
    /// in this directory, or an example. They are started anew when their files change, and are called on
    /// 127.0.0.1:9070 through the Invoke API, a function URL, or a path as API Gateway has it.
    #[command(after_help = DEV_EXAMPLES)]
    Dev(DevOptions),
    /// Say what is wrong with a settings file, and where
    ///
    /// Prints one line for each mistake and each unknown key, with its full path. The exit code is 1 if there is
    /// a mistake; an unknown key alone is none.
    Check(CheckOptions),
    /// Have the gateway that runs start its successor and hand over to it
    ///
    /// The program at the same path, which may be another build by now, is started with the same arguments. It
    /// takes over the sockets and the store; no connection is refused. The gateway that runs accepts no more once
    /// the new one is ready, lets its connections end and exits; if the new one does not start, it goes on. SIGUSR2
    /// does the same.
    Upgrade(UpgradeOptions),
    /// Export, import or compact what is kept, while no gateway has it
    #[command(after_help = store_command::EXAMPLES)]
    Store {
        /// What to do.
        #[command(subcommand)]
        command: StoreCommand,
    },
    /// Call a function that runs on this machine, and print its answer
    ///
    /// The exit code is 1 where the function fails. Functions run under `lockgate dev` and where the settings have a
    /// functions section.
    ///
    /// Where `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` are set, calls are signed with them.
    #[command(after_help = INVOKE_EXAMPLES)]
    Invoke(InvokeOptions),
    /// Show what a function that runs on this machine has written
    ///
    /// Each line begins with the first letters of the id of its call; REPORT lines say how long a call took and how
    /// much memory it used.
    #[command(after_help = LOGS_EXAMPLES)]
    Logs(LogsOptions),
    /// Run as the function that `lockgate dev` brings along
    #[command(name = functions::hello::COMMAND, hide = true)]
    HelloFunction,
    /// Print the OpenAPI document of the Admin API
    ///
    /// It is what GET /apisix/admin/openapi.json answers.
    Openapi,
    /// Print the version
    Version,
}

/// Options of `lockgate run`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunOptions {
    /// Settings, in YAML with APISIX's keys; conf/config.yaml explains each
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where the store and the keys are kept; made if it is not there
    #[arg(long, value_name = "DIR", default_value = "lockgate-data")]
    pub(crate) data_dir: PathBuf,
    /// Reach HOST:PORT at ADDRESS, as curl does; may be repeated
    ///
    /// It adds to network.resolve of the settings and goes before it.
    #[arg(long, value_name = "HOST:PORT:ADDRESS[:PORT]")]
    pub(crate) resolve: Vec<Resolve>,
    /// Lambda functions to run on this machine, in YAML: the sections functions and `function_server` of the settings
    #[arg(long, value_name = "FILE")]
    pub(crate) functions: Option<PathBuf>,
}

/// Options of `lockgate dev`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DevOptions {
    /// What `run` takes as well.
    #[command(flatten)]
    pub(crate) run: RunOptions,
    /// Where the data plane listens, in place of what the settings say
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = loopback)]
    pub(crate) listen: Option<SocketAddr>,
    /// Run a Lambda function: a bootstrap, or a .py, .mjs, .js or .cjs with a handler; may be repeated
    #[arg(long, value_name = "NAME=PATH")]
    pub(crate) function: Vec<FunctionArgument>,
}

impl DevOptions {
    /// Takes the file of functions in this directory, where none is named and it is there.
    pub(crate) fn find_functions(&mut self) {
        let file = Path::new(functions::FILE);
        if self.run.functions.is_none() && file.exists() {
            self.run.functions = Some(file.to_owned());
        }
    }

    /// What settings become: loopback only, with the functions of the command line.
    pub(crate) fn adapt(&self, settings: Settings) -> anyhow::Result<Settings> {
        let mut settings = settings.on_loopback(self.listen)?;
        let list = self.function.iter().map(|function| function.0.clone()).collect();
        let region = settings.functions.region.clone();
        settings.functions.take_in(Functions { list, region, ..Functions::default() });
        functions::for_dev(&mut settings.functions)?;
        Ok(settings)
    }
}

/// Options of `lockgate invoke`.
#[derive(Clone, Debug, Args)]
pub(crate) struct InvokeOptions {
    /// The function
    pub(crate) name: Name,
    /// The event, in JSON; @FILE reads it from a file, - from a pipe
    #[arg(short, long, value_name = "JSON")]
    pub(crate) data: Option<String>,
    /// Print what the function wrote as well
    #[arg(long)]
    pub(crate) log: bool,
    /// Do not wait for the answer
    #[arg(long, conflicts_with = "log")]
    pub(crate) event: bool,
    /// Where functions are called
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9070")]
    pub(crate) server: SocketAddr,
}

/// Options of `lockgate logs`.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogsOptions {
    /// The function
    pub(crate) name: Name,
    /// How many lines
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 100)]
    pub(crate) lines: usize,
    /// Go on as it writes more
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Where functions are called
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9070")]
    pub(crate) server: SocketAddr,
}

/// Options of `lockgate check`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CheckOptions {
    /// The settings to check
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// Options of `lockgate upgrade`.
#[derive(Clone, Debug, Args)]
pub(crate) struct UpgradeOptions {
    /// The data directory of the gateway that runs
    #[arg(long, value_name = "DIR", default_value = "lockgate-data")]
    pub(crate) data_dir: PathBuf,
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "expected an address and a port such as 127.0.0.1:9080")?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("lockgate dev listens on loopback alone, such as 127.0.0.1:9080; lockgate run is for the rest"
            .to_owned())
    }
}

/// Checks a settings file and writes what is wrong with it, or `OK`. Whether it is right.
pub(crate) fn check(
    config: &Path,
    env: impl Fn(&str) -> Option<String>,
    out: &mut impl Write,
) -> io::Result<bool> {
    match Settings::load(Some(config), env) {
        Ok((_, warnings)) => {
            for warning in warnings {
                writeln!(out, "warning: {warning}")?;
            }
            writeln!(out, "OK")?;
            Ok(true)
        }
        Err(error) => {
            writeln!(out, "{error}")?;
            Ok(false)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Cli, Command, check};

    fn parse(line: &str) -> Result<Command, String> {
        Cli::try_parse_from(line.split(' ')).map(|cli| cli.command).map_err(|error| error.to_string())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_takes_a_file_a_directory_and_names() {
        let Ok(Command::Run(run)) =
            parse("lockgate run -c a.yaml --data-dir d --resolve a:1:127.0.0.1 --resolve b:2:[::1]:3")
        else {
            panic!("it does not parse")
        };
        assert_eq!(run.config.unwrap().to_str(), Some("a.yaml"));
        assert_eq!(run.data_dir.to_str(), Some("d"));
        assert_eq!(run.resolve.iter().map(|name| name.to_port).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn dev_refuses_what_is_not_loopback() {
        assert!(
            matches!(parse("lockgate dev --listen [::1]:80"), Ok(Command::Dev(dev)) if dev.listen.is_some())
        );
        let error = parse("lockgate dev --listen 0.0.0.0:80").unwrap_err();
        assert!(error.contains("lockgate dev listens on loopback alone"), "{error}");
    }

    #[test]
    fn a_wrong_resolve_is_explained() {
        let error = parse("lockgate run --resolve a:1").unwrap_err();
        assert!(error.contains("a:1 is not HOST:PORT:ADDRESS"), "{error}");
    }

    #[test]
    fn check_says_what_is_wrong_and_where() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        let said = |yaml: &str| {
            std::fs::write(&path, yaml).unwrap();
            let mut out = Vec::new();
            let is_right = check(&path, |_| None, &mut out).unwrap();
            (is_right, String::from_utf8(out).unwrap())
        };
        assert_eq!(
            said("apisix:\n  extra_lua_path: {}\n"),
            (true, "warning: apisix.extra_lua_path: is not known here and has no effect\nOK\n".into())
        );
        let (is_right, text) = said("apisix:\n  node_listen: x\n");
        assert!(!is_right);
        assert_eq!(
            text,
            "apisix.node_listen: expected a port, or a mapping with ip, port and enable_http2, got \"x\"\n"
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let mut out = Vec::new();
        assert!(!check("/nowhere/config.yaml".as_ref(), |_| None, &mut out).unwrap());
        assert!(String::from_utf8(out).unwrap().starts_with("/nowhere/config.yaml: No such file"));
    }
}
