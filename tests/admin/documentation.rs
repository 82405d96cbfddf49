//! Every command of the page our users learnt `aws-lambda` from, run as printed by a shell with real curl.
//!
//! The page names ports 9080 and 9081, so the commands run in a network namespace of their own.

use std::process::Command;

use lockgate_tests::{
    Authority, Curl, FakeUpstream, Function, Process, Then, documentation, eventually, lockgate, sh,
};

const KEYED: &str = "x9w6z07gb9.execute-api.us-east-1.amazonaws.com";
const SIGNED: &str = "ajycz5e0v9.execute-api.us-east-1.amazonaws.com";
const FUNCTION_PORT: u16 = 8443;

/// The commands on the page: from `curl` at the start of a line to the end of its last quoted argument.
fn commands(page: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut open: Option<String> = None;
    for line in page.lines() {
        let text = line.strip_prefix("$ ").unwrap_or(line);
        match &mut open {
            Some(command) => {
                command.push('\n');
                command.push_str(line);
            }
            None if text.starts_with("curl ") => open = Some(text.to_owned()),
            None => continue,
        }
        if let Some(command) = open.take_if(|command| command.matches('\'').count() % 2 == 0) {
            commands.push(command);
        }
    }
    commands
}

/// Puts something in the place of what the page leaves to the reader.
fn fill_in(command: &str) -> String {
    command
        .replace("<Generated API Key from aws console>", Function::KEY)
        .replace("<Generate API key>", Function::KEY)
        .replace("<access key>", "AKIDEXAMPLE")
        .replace("<access key secret>", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
}

#[test]
fn the_page_has_the_commands_this_suite_knows() {
    let commands = commands(&documentation());
    assert_eq!(commands.len(), 7, "{commands:#?}");
    assert!(
        commands[0].contains("\"<Generated API Key from aws console>\",\n}"),
        "the trailing comma is part of it"
    );
}

#[test]
fn documented_commands_work_as_printed() {
    let this = std::env::current_exe().expect("a test has a path");
    let script =
        "ip link set lo up && exec \"$0\" --ignored --exact --nocapture documentation::inside_the_namespace";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "--", "sh", "-c", script]).arg(this);
    command.env("LOCKGATE_BIN", lockgate());
    let output = command.output().unwrap_or_else(|error| panic!("install util-linux (unshare): {error}"));
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(
        output.status.success(),
        "in a network namespace (needs unshare of util-linux, ip of iproute2, and user namespaces or root):\n{text}"
    );
    assert!(text.contains("1 passed"), "{text}");
}

fn start_dev() -> Process {
    let home = tempfile::tempdir().expect("the temporary directory is writable").keep();
    let mut command = Command::new(lockgate());
    command.arg("dev").arg("--data-dir").arg(home.join("data")).current_dir(&home);
    for name in [KEYED, SIGNED] {
        command.arg("--resolve").arg(format!("{name}:443:127.0.0.1:{FUNCTION_PORT}"));
    }
    let mut process = Process::start(&mut command);
    eventually("lockgate dev should answer on its documented ports", || {
        if let Some(status) = process.ended() {
            panic!("it ended with {status}: {}", process.output());
        }
        let ports =
            ["9080", "9081"].map(|port| sh(&format!("curl -s -m 2 http://127.0.0.1:{port}/")).is_success);
        (ports == [true, true]).then_some(())
    });
    process
}

#[test]
#[ignore = "started by documented_commands_work_as_printed in a network namespace of its own"]
fn inside_the_namespace() {
    let commands = commands(&documentation());
    let run = |number: usize| -> Curl {
        let answer = sh(&fill_in(&commands[number]));
        assert!(answer.is_success, "{}\n{answer:?}", commands[number]);
        answer
    };
    let authority = Authority::new();
    let function = Function::start_tls(FUNCTION_PORT, authority.server(KEYED));
    let upstream = FakeUpstream::scripted(1980, None, |request, connection| {
        connection.answer("200 OK", &[], format!("upstream {}", request.target())).map(|()| Then::Keep)
    });
    let _gateway = start_dev();
    let hello = "\"Hello, APISIX!\"";

    assert!(run(0).output.contains("\"key\":\"/apisix/routes/1\""), "PUT with an API key");
    let answer = run(1);
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert!(answer.output.ends_with(hello), "{answer:?}");
    assert_eq!(function.next().target(), "/default/test-apisix?name=APISIX");
    let answer = run(2);
    assert!(answer.output.starts_with("HTTP/2 200") && answer.output.ends_with(hello), "{answer:?}");
    assert_eq!(function.next().target(), "/default/test-apisix?name=APISIX");

    assert!(run(3).output.contains("\"iam\""), "PUT with IAM credentials");

    assert!(run(4).output.contains("/aws/*"), "PUT with path forwarding");
    let answer = run(5);
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert!(answer.output.ends_with(hello), "{answer:?}");
    assert_eq!(function.next().target(), "/default/test-apisix?name=APISIX");

    assert!(run(6).output.contains("127.0.0.1:1980"), "PUT of an upstream in place of the plugin");
    let answer = sh("curl -i http://127.0.0.1:9080/aws");
    assert!(answer.output.ends_with("upstream /aws"), "{answer:?}");
    assert_eq!(upstream.next().target(), "/aws");
    assert!(function.pending().is_empty());

    let rebound = sh(
        "curl -i -H 'Host: evil.example' -H 'X-API-KEY: edd1c9f034335f136f87ad84b625c8f1' http://127.0.0.1:9080/apisix/admin/routes",
    );
    assert!((400..500).contains(&rebound.status()), "another Host must not reach the Admin API: {rebound:?}");
}
