//! `lockgate dev`, `invoke` and `logs`, as a newcomer meets them.

use std::process::{Command, Output};

use lockgate_tests::{Ports, Process, eventually, lockgate, sh};
use tempfile::TempDir;

use crate::{address_in, write};

/// `lockgate dev` in a directory of its own.
struct Dev {
    process: Process,
    home: TempDir,
    _ports: Ports,
}

impl Dev {
    fn start(arguments: &[&str], files: &[(&str, &str)]) -> Self {
        let ports = Ports::take();
        let home = tempfile::tempdir().expect("the temporary directory is writable");
        for (name, text) in files {
            write(&home.path().join(name), text);
        }
        let admin = ports.get(1);
        let settings = format!(
            "apisix: {{enable_control: false}}\n\
             plugin_attr: {{prometheus: {{enable_export_server: false}}}}\n\
             deployment: {{admin: {{admin_listen: {{ip: 127.0.0.1, port: {admin}}}}}}}\n"
        );
        write(&home.path().join("config.yaml"), &settings);
        let mut command = Command::new(lockgate());
        command.args(["dev", "-c", "config.yaml", "--listen", &format!("127.0.0.1:{}", ports.get(0))]);
        command.args(arguments).current_dir(home.path());
        Self { process: Process::start(&mut command), home, _ports: ports }
    }

    /// What it shows at start.
    fn banner(&self) -> String {
        eventually("the banner should be shown", || {
            let output = self.process.output();
            output.contains("to paste:").then_some(output)
        })
    }

    /// The lines to paste.
    fn lines(&self) -> Vec<String> {
        let banner = self.banner();
        let (_, paste) = banner.split_once("to paste:").expect("just seen");
        let commands = paste.lines().map(str::trim).filter(|line| line.starts_with("curl "));
        commands.map(str::to_owned).collect()
    }

    /// A command of the program against it.
    fn command(&self, arguments: &[&str]) -> Output {
        let server = address_in(&self.banner()).expect("functions are called somewhere").to_string();
        let mut command = Command::new(lockgate());
        command.args(arguments).args(["--server", &server]).current_dir(self.home.path());
        command.output().expect("the program can be started")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn without_arguments_the_lines_to_paste_say_hello() {
    let dev = Dev::start(&[], &[]);
    let lines = dev.lines();
    let [route, call] = lines.as_slice() else { panic!("two lines: {lines:?}") };
    let made = sh(&format!("{route} -s -o /dev/null -w '%{{http_code}}'"));
    assert_eq!(made.output, "201", "{} {}", made.output, made.errors);
    assert_eq!(sh(&format!("{call} -s")).output, "\"Hello, APISIX!\"");
    let answer = dev.command(&["invoke", "hello", "-d", r#"{"name": "you"}"#]);
    assert_eq!(text(&answer.stdout), "\"Hello, you!\"\n", "{answer:?}");
}

#[test]
fn a_function_of_the_command_line_is_called_and_its_log_is_shown() {
    let source = "def lambda_handler(event, context):\n    print('got', event)\n    return event['a'] + 1\n";
    let dev = Dev::start(&["--function", "add=app.py"], &[("app.py", source)]);
    let answer = dev.command(&["invoke", "add", "-d", r#"{"a": 41}"#]);
    assert_eq!((answer.status.code(), text(&answer.stdout).as_str()), (Some(0), "42\n"), "{answer:?}");
    write(&dev.home.path().join("event.json"), r#"{"a": 1}"#);
    assert_eq!(text(&dev.command(&["invoke", "add", "-d", "@event.json"]).stdout), "2\n");
    let log = text(&dev.command(&["logs", "add"]).stdout);
    assert!(log.contains("got {'a': 41}") && log.contains("REPORT RequestId"), "{log}");
    assert!(dev.process.output().contains("add | got {'a': 41}"));
}

#[test]
fn a_call_that_fails_says_so_and_exits_with_1() {
    let dev =
        Dev::start(&["--function", "f=app.py"], &[("app.py", "def handler(event, context): return 1 / 0")]);
    let answer = dev.command(&["invoke", "f"]);
    assert_eq!(answer.status.code(), Some(1));
    assert!(text(&answer.stdout).contains("ZeroDivisionError"), "{answer:?}");
    let unknown = dev.command(&["invoke", "g"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("it has f"), "{}", text(&unknown.stderr));
}

#[test]
fn a_file_of_functions_in_the_directory_is_taken() {
    let yaml = "functions: {greet: {runtime: nodejs, handler: index.handler, directory: src, memory: 512}}\n";
    let dev = Dev::start(&[], &[("lockgate.functions.yaml", yaml)]);
    std::fs::create_dir(dev.home.path().join("src")).expect("the temporary directory is writable");
    write(
        &dev.home.path().join("src/index.mjs"),
        "export const handler = async (event) => `hi ${event.name}`;",
    );
    eventually("the function should answer once its file is there", || {
        let answer = dev.command(&["invoke", "greet", "-d", r#"{"name": "you"}"#]);
        (text(&answer.stdout) == "\"hi you\"\n").then_some(())
    });
}

#[test]
fn help_teaches_by_example() {
    for (command, words) in [
        ("invoke", "lockgate invoke hello -d @event.json"),
        ("logs", "lockgate logs hello -f"),
        ("dev", "lockgate dev --function hello=./app.py"),
    ] {
        let output =
            Command::new(lockgate()).args([command, "--help"]).output().expect("the program is there");
        assert!(text(&output.stdout).contains(words), "{command}");
    }
}
