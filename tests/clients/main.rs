//! AWS's own runtime clients and callers: `awslambdaric` and `aws-lambda-ric` run functions, boto3 and the AWS
//! command line call them.
//!
//! They are installed by `tests/clients/install.sh target/clients`; without them every test fails and says so.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use lockgate_tests::{Gateway, Settings, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

const KEY_ID: &str = "AKIDLOCAL";
const SECRET: &str = "local-secret";

/// A file that the script has installed.
fn installed(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/clients");
    let found = root.join(path);
    assert!(found.exists(), "{} is not there: run tests/clients/install.sh target/clients", found.display());
    found
}

/// A gateway with one function, `f`, that asks for signed calls.
struct Local {
    server: SocketAddr,
    folder: TempDir,
    gateway: Gateway,
}

impl Local {
    /// Starts it with these files beside it.
    fn start(mut function: Value, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("the temporary directory is writable");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("the temporary directory is writable");
        }
        function["directory"] = json!(folder.path());
        function["timeout"] = json!("30s");
        function["memory"] = json!(512);
        let credentials = json!({"access_key_id": KEY_ID, "secret_access_key": SECRET});
        let settings = Settings::new()
            .set("functions", json!({ "f": function }))
            .set("function_server", json!({"listen": {"port": 0}, "credentials": credentials}));
        let gateway = Gateway::with(settings);
        let server = eventually("the banner should show where functions are called", || {
            let output = gateway.output();
            let line = output.lines().find(|line| line.trim_start().starts_with("functions "))?;
            line.rsplit_once("http://")?.1.trim().parse().ok()
        });
        Self { server, folder, gateway }
    }

    fn echo() -> Self {
        let source = "def handler(event, context):\n    print('heard', event)\n    if 'fail' in event:\n        raise \
                      ValueError('no luck')\n    return {'event': event, 'client': str(context.client_context)}\n";
        Self::start(json!({"runtime": "python3", "handler": "app.handler"}), &[("app.py", source)])
    }

    /// Runs a program with the keys and the address in its environment; what it printed.
    fn run(&self, command: &mut Command) -> (bool, String) {
        let output = command
            .current_dir(self.folder.path())
            .env("AWS_ACCESS_KEY_ID", KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.server))
            .env("AWS_MAX_ATTEMPTS", "1")
            .env_remove("AWS_SESSION_TOKEN")
            .env_remove("AWS_PROFILE")
            .output()
            .unwrap_or_else(|error| panic!("starting {command:?}: {error}"));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), text + &String::from_utf8_lossy(&output.stderr))
    }

    /// Calls `f` with boto3, signed; its answer.
    fn call(&self, event: &Value) -> Value {
        let script = format!(
            "import boto3\nprint(boto3.client('lambda').invoke(FunctionName='f', Payload=r'''{event}''')['Payload'].read().decode())"
        );
        let (is_success, text) = self.run(Command::new(installed("venv/bin/python3")).args(["-c", &script]));
        assert!(is_success, "{text}\n{}", self.gateway.output());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// Python of the clients, as a command of settings.
fn python() -> String {
    installed("venv/bin/python3").to_string_lossy().into_owned()
}

#[test]
fn awslambdaric_runs_functions() {
    let source = "import json\ndef handler(event, context):\n    print('heard')\n    return {'n': event['n'] + 1, \
                  'left': context.get_remaining_time_in_millis() > 0}\n";
    let command = json!({"command": [python(), "-m", "awslambdaric", "app.handler"]});
    let local = Local::start(command, &[("app.py", source)]);
    for n in 0..3 {
        assert_eq!(local.call(&json!({ "n": n }))["n"], json!(n + 1));
    }
    assert_eq!(local.call(&json!({}))["errorType"], json!("KeyError"));
    assert_eq!(local.call(&json!({"n": 1})), json!({"n": 2, "left": true}));
}

#[test]
fn a_functions_own_awslambdaric_goes_before_our_runtime() {
    let source = "import sys\ndef handler(event, context):\n    return 'awslambdaric' in sys.modules\n";
    let site =
        installed("venv/lib").read_dir().expect("readable").next().expect("one python").expect("readable");
    let packages = site.path().join("site-packages").canonicalize().expect("it is there");
    let handler = json!({
        "runtime": "python3", "handler": "app.handler", "environment": {"PYTHONPATH": packages},
    });
    assert_eq!(Local::start(handler.clone(), &[("app.py", source)]).call(&json!({})), json!(true));
    let without = json!({"runtime": "python3", "handler": "app.handler"});
    assert_eq!(Local::start(without, &[("app.py", source)]).call(&json!({})), json!(false));
}

#[test]
fn aws_lambda_ric_runs_functions() {
    let source = "exports.handler = async (event, context) => {\n  if (event.fail) throw new TypeError('no luck');\n  \
                  return { n: event.n + 1, name: context.functionName };\n};\n";
    let program = installed("node_modules/aws-lambda-ric/bin/index.mjs");
    let local = Local::start(json!({"command": ["node", program, "app.handler"]}), &[("app.js", source)]);
    assert_eq!(local.call(&json!({"n": 1})), json!({"n": 2, "name": "f"}));
    assert_eq!(local.call(&json!({"fail": true}))["errorType"], json!("TypeError"));
    assert_eq!(local.call(&json!({"n": 2}))["n"], json!(3));
}

#[test]
fn a_functions_own_aws_lambda_ric_goes_before_our_runtime_and_streams() {
    let source = "exports.handler = awslambda.streamifyResponse(async (event, out) => {\n  out.write('a');\n  \
                  out.write('b');\n  out.end();\n});\n";
    let handler = json!({"runtime": "nodejs", "handler": "app.handler"});
    let local = Local::start(handler, &[("app.js", source)]);
    let modules = installed("node_modules");
    std::os::unix::fs::symlink(modules, local.folder.path().join("node_modules")).expect("a new name");
    let script = "
import boto3
client = boto3.client('lambda')
stream = client.invoke_with_response_stream(FunctionName='f', Payload='{}')['EventStream']
parts = [event for event in stream]
print(b''.join(p['PayloadChunk']['Payload'] for p in parts if 'PayloadChunk' in p), 'InvokeComplete' in parts[-1])
";
    let (is_success, text) = local.run(Command::new(python()).args(["-c", script]));
    assert!(is_success && text.contains("b'ab' True"), "{text}\n{}", local.gateway.output());
}

#[test]
fn boto3_calls_in_every_way_it_knows() {
    let local = Local::echo();
    let script = r#"
import base64, boto3, json, time
from botocore.exceptions import ClientError

client = boto3.client('lambda')
answer = client.invoke(FunctionName='f', Payload=b'{"n": 1}', LogType='Tail',
                       ClientContext=base64.b64encode(b'{"custom": {"a": "b"}}').decode())
assert answer['StatusCode'] == 200 and answer['ExecutedVersion'] == '$LATEST', answer
assert json.loads(answer['Payload'].read())['event'] == {'n': 1}
assert b"heard {'n': 1}" in base64.b64decode(answer['LogResult'])
assert client.invoke(FunctionName='f', InvocationType='Event', Payload=b'{}')['StatusCode'] == 202
assert client.invoke(FunctionName='f', InvocationType='DryRun')['StatusCode'] == 204
failed = client.invoke(FunctionName='f', Payload=b'{"fail": 1}')
assert failed['FunctionError'] == 'Unhandled', failed
assert json.loads(failed['Payload'].read())['errorType'] == 'ValueError'
arn = client.list_functions()['Functions'][0]['FunctionArn']
assert json.loads(client.invoke(FunctionName=arn, Payload=b'{}')['Payload'].read())['event'] == {}
stream = client.invoke_with_response_stream(FunctionName='f', Payload=b'{"n": 2}')
parts = list(stream['EventStream'])
assert b'"n": 2' in b''.join(p['PayloadChunk']['Payload'] for p in parts if 'PayloadChunk' in p)
for call, code in [
    (lambda: client.invoke(FunctionName='g'), 'ResourceNotFoundException'),
    (lambda: client.invoke(FunctionName='f', Payload=b'{'), 'InvalidRequestContentException'),
    (lambda: client.invoke(FunctionName='f', Payload=b' ' * (6291456 + 1)), 'RequestTooLargeException'),
    (lambda: boto3.client('lambda', aws_secret_access_key='x', aws_access_key_id='AKIDLOCAL').invoke(FunctionName='f'),
     'InvalidSignatureException'),
    (lambda: boto3.client('lambda', aws_secret_access_key='x', aws_access_key_id='AKIDOTHER').invoke(FunctionName='f'),
     'UnrecognizedClientException'),
]:
    try:
        call()
        raise SystemExit(f'{code} was expected')
    except ClientError as error:
        assert error.response['Error']['Code'] == code, error.response
print('done')
"#;
    let (is_success, text) = local.run(Command::new(python()).args(["-c", script]));
    assert!(is_success && text.contains("done"), "{text}\n{}", local.gateway.output());
}

#[test]
fn our_own_command_line_signs_as_well() {
    let local = Local::echo();
    let server = local.server.to_string();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(lockgate_tests::lockgate());
        local.run(command.args(arguments).args(["--server", &server]))
    };
    let (is_success, text) = run(&["invoke", "f", "-d", r#"{"n": 1}"#]);
    assert!(is_success && text.contains(r#""n": 1"#), "{text}");
    let (is_success, text) = run(&["logs", "f"]);
    assert!(is_success && text.contains("heard {'n': 1}"), "{text}");
}

#[test]
fn the_aws_command_line_calls() {
    let local = Local::echo();
    let endpoint = format!("http://{}", local.server);
    let mut command = Command::new(installed("venv/bin/aws"));
    command.args(["lambda", "invoke", "--endpoint-url", &endpoint, "--function-name", "f"]);
    let (is_success, text) = local.run(command.args(["--payload", r#"{"n": 5}"#, "out.json"]));
    assert!(is_success && text.contains("\"StatusCode\": 200"), "{text}");
    let out = std::fs::read(local.folder.path().join("out.json")).expect("the answer was written");
    let answer: Value = serde_json::from_slice(&out).expect("JSON");
    assert_eq!(answer["event"], json!({"n": 5}));
}
