//! The Invoke API, as AWS's clients know it.

use serde_json::{Value, json};

use crate::{Local, call};

const ECHO: &str = "
import os
def handler(event, context):
    print('seen', event.get('n'))
    if event.get('fail'):
        raise ValueError('no luck')
    client = context.client_context
    return {'event': event, 'client': client, 'arn': context.invoked_function_arn,
            'left': context.get_remaining_time_in_millis(), 'table': os.environ.get('TABLE'),
            'secret': os.environ.get('LOCKGATE_PORT'), 'memory': context.memory_limit_in_mb}
";

#[test]
fn a_call_is_answered_with_what_the_function_returns() {
    let local = Local::start(ECHO, json!({"environment": {"TABLE": "t"}, "timeout": "20s", "memory": 200}));
    let reply = local.invoke(r#"{"n": "ä"}"#, &["X-Amz-Client-Context: eyJhIjogMX0="]);
    assert_eq!((reply.status, reply.get("x-amz-executed-version")), (200, Some("$LATEST")));
    assert_eq!(reply.get("x-amz-function-error"), None);
    let body = reply.json();
    assert_eq!((&body["event"], &body["client"]), (&json!({"n": "ä"}), &json!({"a": 1})));
    assert_eq!(body["arn"], json!("arn:aws:lambda:us-east-1:000000000000:function:f"));
    assert_eq!((&body["table"], &body["memory"]), (&json!("t"), &json!("200")));
    assert_eq!(body["secret"], Value::Null, "a function is not given the gateway's environment");
    let left = body["left"].as_u64().expect("a number");
    assert!((10_000..=20_000).contains(&left), "{left}");
}

#[test]
fn a_function_that_raises_is_a_function_error() {
    let local = Local::start(ECHO, json!({}));
    let reply = local.invoke(r#"{"fail": true}"#, &[]);
    assert_eq!((reply.status, reply.get("x-amz-function-error")), (200, Some("Unhandled")));
    let body = reply.json();
    assert_eq!((&body["errorType"], &body["errorMessage"]), (&json!("ValueError"), &json!("no luck")));
    assert!(body["stackTrace"][0].as_str().is_some_and(|frame| frame.contains("app.py")), "{body}");
    let web = local.get("/urls/f/?x");
    assert_eq!(web.status, 200, "a dict without statusCode is the body");
}

#[test]
fn the_log_of_a_call_comes_back_where_it_is_asked_for() {
    let local = Local::start(ECHO, json!({}));
    let reply = local.invoke(r#"{"n": 41}"#, &["X-Amz-Log-Type: Tail"]);
    let encoded = reply.get("x-amz-log-result").expect("a log").to_owned();
    let decoded = lockgate_tests::sh(&format!("printf %s '{encoded}' | base64 -d")).output;
    let id = reply.get("x-amzn-requestid").expect("an id");
    let lines: Vec<&str> = decoded.lines().collect();
    assert_eq!(lines[0], format!("START RequestId: {id} Version: $LATEST"));
    assert!(
        decoded.contains("\nseen 41\n") && decoded.contains(&format!("\nEND RequestId: {id}\n")),
        "{decoded}"
    );
    let report = lines.iter().find(|line| line.starts_with("REPORT")).expect("a report");
    for field in ["Billed Duration: ", "Memory Size: 128 MB", "Max Memory Used: ", "Init Duration: "] {
        assert!(report.contains(field), "{report}");
    }
    assert_eq!(local.invoke("{}", &[]).get("x-amz-log-result"), None);
}

#[test]
fn a_dry_run_calls_nothing_and_an_event_is_called_soon() {
    let local = Local::start(ECHO, json!({}));
    let dry = local.invoke(r#"{"n": "dry"}"#, &["X-Amz-Invocation-Type: DryRun"]);
    assert_eq!(dry.status, 204);
    let event = local.invoke(r#"{"n": "event"}"#, &["X-Amz-Invocation-Type: Event"]);
    assert_eq!((event.status, event.body.len()), (202, 0));
    let log = local.log("the event should be handled", |log| log.contains("seen event"));
    assert!(!log.contains("seen dry"), "{log}");
}

#[test]
fn an_event_that_fails_is_tried_three_times_with_the_same_id() {
    let local = Local::start(ECHO, json!({}));
    let reply = local.invoke(r#"{"n": 7, "fail": true}"#, &["X-Amz-Invocation-Type: Event"]);
    let id = reply.get("x-amzn-requestid").expect("an id").to_owned();
    let log = local.log("it should be given up", |log| log.contains("given up after 3 attempts: no luck"));
    let tries = log.lines().filter(|line| line.contains("seen 7") && line.contains(&id)).count();
    assert_eq!(tries, 3, "{log}");
}

#[test]
fn what_lambda_refuses_is_refused_in_its_words() {
    let local = Local::start(ECHO, json!({}));
    let at = |path: &str, headers: &[&str], body: &[u8]| call(local.server, "POST", path, headers, body);
    let path = "/2015-03-31/functions/f/invocations";
    let large = vec![b' '; (6 << 20) + 1];
    for (reply, status, error) in [
        (at("/2015-03-31/functions/g/invocations", &[], b"{}"), 404, "ResourceNotFoundException"),
        (at(path, &[], b"{"), 400, "InvalidRequestContentException"),
        (at(path, &["X-Amz-Client-Context: !"], b"{}"), 400, "InvalidRequestContentException"),
        (at(path, &["X-Amz-Invocation-Type: Now"], b"{}"), 400, "InvalidParameterValueException"),
        (at(path, &[], &large), 413, "RequestTooLargeException"),
        (at("/2015-03-31/nothing", &[], b"{}"), 404, "UnknownOperationException"),
        (at(path, &["Host: evil.example"], b"{}"), 403, "AccessDeniedException"),
        (at(path, &["Origin: https://evil.example"], b"{}"), 403, "AccessDeniedException"),
    ] {
        assert_eq!((reply.status, reply.get("x-amzn-errortype")), (status, Some(error)), "{}", reply.text());
        assert!(reply.json()["Message"].is_string());
    }
    let by_arn =
        "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af/invocations";
    assert_eq!(at(by_arn, &[], b"{}").status, 200);
    assert_eq!(at("/2015-03-31/functions/f:live/invocations", &[], b"").status, 200);
}

#[test]
fn functions_are_listed() {
    let local = Local::start(ECHO, json!({"timeout": "5s"}));
    let function = &local.get("/2015-03-31/functions/").json()["Functions"][0];
    assert_eq!((&function["FunctionName"], &function["Timeout"]), (&json!("f"), &json!(5)));
    assert_eq!(local.get("/2015-03-31/functions/f").json()["Configuration"], *function);
}
