//! The Runtime API as a process sees it that speaks it by hand.

use lockgate_tests::{Gateway, Settings};
use serde_json::json;

use crate::{call, listening, server_of, write};

/// Tries what a runtime client must not do, and answers with what came of it.
const BY_HAND: &str = r#"
import http.client, json, os

api = os.environ["AWS_LAMBDA_RUNTIME_API"]
connection = http.client.HTTPConnection(api)

def ask(method, path, body=None, on=connection):
    on.request(method, "/2018-06-01/runtime" + path, body)
    response = on.getresponse()
    return response.status, dict((name.lower(), value) for name, value in response.getheaders()), response.read()

last = None
while True:
    status, headers, body = ask("GET", "/invocation/next")
    id, event = headers["lambda-runtime-aws-request-id"], json.loads(body)
    if event.get("large"):
        status, _, _ = ask("POST", f"/invocation/{id}/response", b" " * (6291456 + 1))
        last = status
        continue
    tried = {
        "unknown": ask("POST", "/invocation/00000000-0000-4000-8000-000000000000/response", b"{}")[0],
        "earlier": last,
        "busy": ask("GET", "/invocation/next", on=http.client.HTTPConnection(api))[0],
        "method": ask("PUT", f"/invocation/{id}/response", b"{}")[0],
        "path": ask("GET", "/nothing")[0],
        "late init error": ask("POST", "/init/error", b"{}")[0],
        "headers": headers,
    }
    assert ask("POST", f"/invocation/{id}/response", json.dumps(tried))[0] == 202
    last = ask("POST", f"/invocation/{id}/response", b'"twice"')[0]
"#;

#[test]
fn only_what_fits_the_call_under_way_is_taken() {
    let folder = tempfile::tempdir().expect("the temporary directory is writable");
    write(&folder.path().join("by_hand.py"), BY_HAND);
    let function =
        json!({"command": "python3 by_hand.py", "directory": folder.path(), "concurrency": {"max": 1}});
    let gateway = Gateway::with(listening(Settings::new()).set("functions", json!({ "f": function })));
    let server = server_of(&gateway);
    let path = "/2015-03-31/functions/f/invocations";
    let trace = "X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
    let first = call(server, "POST", path, &["X-Amz-Client-Context: eyJhIjoxfQ==", trace], b"{}").json();
    for (what, status) in [("unknown", 400), ("busy", 403), ("method", 405), ("path", 404)] {
        assert_eq!(first[what], json!(status), "{what}: {first}");
    }
    assert_eq!(first["late init error"], json!(400), "{first}");
    let headers = &first["headers"];
    assert_eq!(headers["lambda-runtime-client-context"], json!(r#"{"a":1}"#));
    assert_eq!(
        headers["lambda-runtime-invoked-function-arn"],
        json!("arn:aws:lambda:us-east-1:000000000000:function:f")
    );
    assert_eq!(headers["lambda-runtime-trace-id"], json!(&trace["X-Amzn-Trace-Id: ".len()..]));
    let deadline: u128 =
        headers["lambda-runtime-deadline-ms"].as_str().expect("text").parse().expect("a number");
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_millis();
    assert!(deadline > now.saturating_sub(3000) && deadline < now + 4000, "{deadline} {now}");
    let second = call(server, "POST", path, &[], b"{}").json();
    assert_eq!(second["earlier"], json!(400), "the second answer to the first call was refused");
    let large = call(server, "POST", path, &[], br#"{"large": true}"#);
    assert_eq!(large.json()["errorType"], json!("Function.ResponseSizeTooLarge"), "{}", large.text());
    assert_eq!(call(server, "POST", path, &[], b"{}").json()["earlier"], json!(413));
}
