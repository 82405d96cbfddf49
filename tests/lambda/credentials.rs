//! Credentials that come and go: fetched once, renewed unseen, missing, and never shown.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lockgate_tests::{FakeUpstream, Gate, Gateway, Received, Settings, Then, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

const POD_TOKEN: &str = "pod-identity-token-that-must-not-leak";
const SECRET: &str = "container-secret-that-must-not-leak";
const SESSION: &str = "container-session-that-must-not-leak";

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// As AWS writes a time.
fn written(seconds: u64) -> String {
    let at = format!("@{seconds}");
    let output = Command::new("date").args(["-u", "-d", &at, "+%Y-%m-%dT%H:%M:%SZ"]).output();
    String::from_utf8_lossy(&output.expect("date runs").stdout).trim().to_owned()
}

/// What the endpoint of a container answers with: key `number`, good for a while.
fn document(number: usize, expires: u64) -> String {
    let document = json!({"AccessKeyId": format!("ASIA{number}"), "SecretAccessKey": SECRET, "Token": SESSION,
        "Expiration": written(expires), "RoleArn": "arn:aws:iam::000000000000:role/task"});
    document.to_string()
}

/// The credentials endpoint of EKS Pod Identity. `delay` is how long each answer takes to come.
fn endpoint(life: Duration, delay: Duration, keys: Arc<Mutex<HashMap<String, u64>>>) -> FakeUpstream {
    let fetches = AtomicUsize::new(0);
    FakeUpstream::start(move |request, connection| {
        if request.head.get("authorization") != Some(POD_TOKEN) {
            return connection.answer("401 Unauthorized", &[], "").map(|()| Then::Close);
        }
        let number = fetches.fetch_add(1, Ordering::SeqCst);
        std::thread::park_timeout(delay);
        let expires = now() + life.as_secs();
        keys.lock().expect("no test thread panics here").insert(format!("ASIA{number}"), expires);
        let headers = ["Content-Type: application/json"];
        connection.answer("200 OK", &headers, document(number, expires)).map(|()| Then::Close)
    })
}

/// Settings in which the only credentials are those of a container.
fn container(endpoint: &FakeUpstream, home: &TempDir) -> Settings {
    let token = home.path().join("token");
    std::fs::write(&token, POD_TOKEN).expect("the temporary directory is writable");
    bare()
        .environment(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            format!("http://{}/v1/credentials", endpoint.node()),
        )
        .environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.to_string_lossy())
}

/// Settings without any credentials of this machine.
fn bare() -> Settings {
    let files = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"].into_iter();
    let settings = files.fold(Settings::new(), |settings, name| settings.environment(name, "/nonexistent"));
    settings.environment("AWS_EC2_METADATA_DISABLED", "true")
}

/// What the Control API tells of credentials.
fn told(gateway: &Gateway) -> Value {
    let reply = gateway.control_get("/v1/aws/credentials");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

fn home() -> TempDir {
    tempfile::tempdir().expect("the temporary directory is writable")
}

fn route(gateway: &Gateway, id: &str, function: &FakeUpstream, iam: &Value) {
    let uri = format!("http://{}/", function.node());
    let config = json!({"function_uri": uri, "authorization": {"iam": iam}});
    gateway.lambda(id, &format!("/{id}"), config);
}

fn access_key(request: &Received) -> String {
    let authorization = request.head.get("authorization").unwrap_or_default();
    let key = authorization.split_once("Credential=").and_then(|(_, scope)| scope.split('/').next());
    key.unwrap_or_default().to_owned()
}

#[test]
fn credentials_that_rotate_under_load_fail_no_request_and_hold_none_up() {
    let keys = Arc::new(Mutex::new(HashMap::new()));
    let delay = Duration::from_millis(500);
    let endpoint = endpoint(Duration::from_secs(6), delay, keys.clone());
    let known = keys.clone();
    let function = FakeUpstream::start(move |request, connection| {
        let expires = known.lock().expect("no test thread panics here").get(&access_key(request)).copied();
        let is_good = expires.is_some_and(|expires| now() <= expires)
            && request.head.get("x-amz-security-token") == Some(SESSION);
        let status = if is_good { "200 OK" } else { "403 Forbidden" };
        connection.answer(status, &[], "").map(|()| Then::Keep)
    });
    let home = home();
    let quiet = container(&endpoint, &home).set("nginx_config.http", json!({"enable_access_log": false}));
    let gateway = Gateway::with(quiet);
    route(&gateway, "a", &function, &json!({"source": "container"}));
    route(&gateway, "b", &function, &json!({"source": "container"}));
    assert_eq!(gateway.get("/a").status, 200, "the first request waits for the first credentials");
    let stop = AtomicBool::new(false);
    let slowest = std::thread::scope(|scope| {
        let client = |path: &'static str| {
            let (gateway, stop) = (&gateway, &stop);
            move || {
                let mut connection = gateway.connect();
                let (mut slowest, mut count) = (Duration::ZERO, 0);
                while !stop.load(Ordering::SeqCst) {
                    let begun = Instant::now();
                    let reply = connection.exchange(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
                    assert_eq!(reply.status, 200, "{}", reply.text());
                    slowest = slowest.max(begun.elapsed());
                    count += 1;
                }
                assert!(count > 100, "{count} requests are no load");
                slowest
            }
        };
        let clients: Vec<_> = ["/a", "/b", "/a"].into_iter().map(|path| scope.spawn(client(path))).collect();
        eventually("credentials rotate three times", || {
            (keys.lock().expect("no test thread panics here").len() > 3).then_some(())
        });
        stop.store(true, Ordering::SeqCst);
        clients.into_iter().map(|client| client.join().expect("no request failed")).max()
    });
    let told = told(&gateway);
    assert_eq!(told["total"], 1, "both routes share one source: {told}");
    let (entry, now) = (&told["list"][0], now());
    assert_eq!((&entry["provider"], &entry["is_good"]), (&json!("container"), &json!(true)), "{entry}");
    assert!(entry["expires"].as_u64() > Some(now) && entry["last_error"].is_null(), "{entry}");
    assert!(slowest.is_some_and(|slowest| slowest < delay), "a request waited for a fetch: {slowest:?}");
}

#[test]
fn a_request_that_comes_too_early_waits_and_nobody_else_does() {
    let (asked, gate) = (Gate::new(), Gate::new());
    let (tell, wait) = (asked.clone(), gate.clone());
    let endpoint = FakeUpstream::start(move |_, connection| {
        tell.open();
        wait.pass();
        let headers = ["Content-Type: application/json"];
        connection.answer("200 OK", &headers, document(1, now() + 3600)).map(|()| Then::Close)
    });
    let function = FakeUpstream::fixed("ok");
    let home = home();
    let gateway = Gateway::with(container(&endpoint, &home));
    route(&gateway, "early", &function, &json!({"source": "default"}));
    gateway.route("plain", json!({"uri": "/plain"}), &function.node());
    asked.pass();
    let mut early = gateway.connect();
    early.send("GET /early HTTP/1.1\r\nHost: h\r\n\r\n").expect("the gateway reads");
    assert_eq!(gateway.get("/plain").status, 200, "the one worker serves others meanwhile");
    assert_eq!(function.next().target(), "/plain");
    assert!(function.pending().is_empty(), "nothing leaves unsigned");
    gate.open();
    assert_eq!(early.reply().text(), "ok");
    assert_eq!(access_key(&function.next()), "ASIA1");
}

#[test]
fn without_credentials_it_is_503_and_says_what_was_tried() {
    let function = FakeUpstream::fixed("ok");
    let gateway = Gateway::with(bare());
    route(&gateway, "none", &function, &json!({"source": "default"}));
    let reply = gateway.get("/none");
    let expected = json!({"error_msg":
        "no AWS credentials: tried env, profile, web_identity, container, imds"});
    assert_eq!((reply.status, reply.json()), (503, expected));
    assert!(function.pending().is_empty(), "nothing leaves unsigned");
    let entry = &told(&gateway)["list"][0];
    assert_eq!((&entry["source"], &entry["is_good"]), (&json!("default"), &json!(false)));
    let error = entry["last_error"]["message"].as_str().unwrap_or_default();
    assert!(error.contains("imds: ") && entry["last_error"]["failures"].as_u64() > Some(0), "{entry}");
    eventually("the log says why", || {
        let log = gateway.output();
        let is_said =
            log.contains("no aws credentials: env: ") && log.contains("AWS_WEB_IDENTITY_TOKEN_FILE");
        is_said.then_some(())
    });
}

#[test]
fn a_client_that_brings_its_own_authorization_needs_no_credentials() {
    let function = FakeUpstream::fixed("ok");
    let gateway = Gateway::with(bare());
    let uri = format!("http://{}/", function.node());
    let authorization = json!({"client_authorization": "passthrough", "iam": {"source": "env"}});
    gateway.lambda("1", "/x", json!({"function_uri": uri, "authorization": authorization}));
    assert_eq!(gateway.request("GET", "/x", &["Authorization: mine"], b"").text(), "ok");
    assert_eq!(gateway.get("/x").status, 503);
}

#[test]
fn a_reference_to_a_variable_that_is_not_there_is_refused() {
    let gateway = Gateway::with(bare());
    let config = json!({"function_uri": "http://h", "authorization": {"apikey": "$env://NOWHERE"}});
    let (status, answer) =
        gateway.admin("PUT", "/routes/1", json!({"uri": "/x", "plugins": {"aws-lambda": config}}));
    let why = "authorization.apikey refers to $env://NOWHERE, but there is no such variable";
    assert!(status == 400 && answer.to_string().contains(why), "{status} {answer}");
}

fn leaks(folder: &Path, secrets: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a directory").filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(leaks(&path, secrets));
        } else if let Ok(bytes) = std::fs::read(&path) {
            let text = String::from_utf8_lossy(&bytes);
            let inside = secrets.iter().filter(|secret| text.contains(**secret));
            found.extend(inside.map(|secret| format!("{secret} in {}", path.display())));
        }
    }
    found
}

#[test]
fn no_secret_is_in_anything_the_program_writes_or_answers() {
    let keys = Arc::new(Mutex::new(HashMap::new()));
    let endpoint = endpoint(Duration::from_secs(2), Duration::ZERO, keys.clone());
    // STS, as it refuses: with all it was sent.
    let sts = FakeUpstream::start(|request, connection| {
        let text = format!("{}\n{}", String::from_utf8_lossy(&request.head.raw), request.text());
        let text = text.replace('&', "&amp;");
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>The request \
             signature does not match.\n\nThe Canonical String should have been\n'{text}'</Message></Error>\
             </ErrorResponse>"
        );
        connection.answer("403 Forbidden", &["Content-Type: text/xml"], body).map(|()| Then::Close)
    });
    let function = FakeUpstream::fixed("ok");
    let home = home();
    let settings = container(&endpoint, &home)
        .set("nginx_config.error_log_level", json!("debug"))
        .environment("KEY_OF_THE_TEST", "variable-that-must-not-leak");
    let gateway = Gateway::with(settings);
    let of_config = ["secretkey-that-must-not-leak", "token-that-must-not-leak", "apikey-that-must-not-leak"];
    let role = json!({"accesskey": "AKIDEXAMPLE", "secretkey": of_config[0], "session_token": of_config[1],
        "role_arn": "arn:aws:iam::000000000000:role/r", "sts_endpoint": format!("http://{}", sts.node())});
    let variable = json!({"accesskey": "AKIDEXAMPLE", "secretkey": "$env://KEY_OF_THE_TEST"});
    let through =
        json!({"source": "container", "role_arn": role["role_arn"], "sts_endpoint": role["sts_endpoint"]});
    let of_container = json!({"source": "container"});
    let mut answers = Vec::new();
    for (id, iam, status) in
        [("a", &role, 503), ("b", &variable, 200), ("c", &of_container, 200), ("d", &through, 503)]
    {
        let uri = format!("http://{}/", function.node());
        let authorization = json!({"apikey": of_config[2], "iam": iam});
        gateway.lambda(id, &format!("/{id}"), json!({"function_uri": uri, "authorization": authorization}));
        let reply = gateway.get(&format!("/{id}"));
        assert_eq!(reply.status, status, "{id}: {}", reply.text());
        answers.push(format!("{:?}{}", reply.head, reply.text()));
    }
    let wrong = json!({"uri": "/x", "plugins": {"aws-lambda": {"function_uri": "ftp://h", "authorization": {
        "apikey": of_config[2], "iam": {"accesskey": "a b", "secretkey": "$env://KEY_OF_THE_TEST"}}}}});
    answers.push(gateway.admin("PUT", "/routes/wrong", wrong).1.to_string());
    eventually("credentials rotate", || {
        (keys.lock().expect("no test thread panics here").len() > 2).then_some(())
    });
    answers.push(told(&gateway).to_string());
    let log = eventually("the refusal is in the log", || {
        let is_said =
            |log: &String| log.contains("SignatureDoesNotMatch: The request signature does not match.");
        Some(gateway.output()).filter(is_said)
    });
    let secrets = [&of_config[..], &[POD_TOKEN, SECRET, SESSION, "variable-that-must-not-leak"]].concat();
    for secret in &secrets {
        assert!(!log.contains(secret), "{secret} in the log: {log}");
        assert!(!answers.iter().any(|answer| answer.contains(secret)), "{secret} in {answers:?}");
    }
    assert_eq!(leaks(&gateway.data(), &secrets), Vec::<String>::new());
}
