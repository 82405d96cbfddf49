//! What becomes of a signed request that is refused: the clocks differ, or somebody has something to mend.

use std::sync::atomic::{AtomicUsize, Ordering};

use lockgate_tests::{FakeUpstream, Gateway, Received, Then, eventually};
use serde_json::json;

use crate::at;

/// A time that is far from now, as `Date` has it and as signatures begin with it.
const DATE: &str = "Date: Sun, 30 Aug 2015 12:36:00 GMT";
const STAMP: &str = "20150830T1236";
const EXPIRED: &str =
    r#"{"message":"Signature expired: 20261122T174047Z is now earlier than 20150830T123100Z"}"#;

/// A gateway that signs `/aws` for this function.
fn gateway(function: &FakeUpstream) -> Gateway {
    let gateway = Gateway::start();
    let mut config = at(function, "/default/test-apisix");
    config["authorization"] = json!({"iam": {"accesskey": "AKIDEXAMPLE", "secretkey": "hidden-secret"}});
    gateway.lambda("1", "/aws", config);
    gateway
}

/// A function that refuses every call in these words, at a time of its own.
fn refusing(headers: &'static [&'static str], words: &'static str) -> FakeUpstream {
    FakeUpstream::start(move |_, connection| {
        connection.answer("403 Forbidden", headers, words).map(|()| Then::Keep)
    })
}

/// A function that lives in 2015 and accepts only what was signed then.
fn in_2015(headers: &'static [&'static str]) -> FakeUpstream {
    FakeUpstream::start(move |request, connection| {
        let is_now = request.head.get("x-amz-date").is_some_and(|date| date.starts_with(STAMP));
        let answer = if is_now {
            connection.answer("200 OK", &[DATE], &request.body)
        } else {
            connection.answer("403 Forbidden", headers, EXPIRED)
        };
        answer.map(|()| Then::Keep)
    })
}

fn stamp(request: &Received) -> &str {
    request.head.get("x-amz-date").expect("a signed request has a date")
}

#[test]
fn a_request_refused_for_its_time_is_signed_again_by_the_endpoints_clock() {
    let kinds: [&'static [&'static str]; 3] = [
        &[DATE],
        &[DATE, "x-amzn-ErrorType: InvalidSignatureException"],
        &[DATE, "x-amzn-ErrorType: AccessDeniedException"],
    ];
    for headers in kinds {
        let function = in_2015(headers);
        let gateway = gateway(&function);
        let reply = gateway.request("POST", "/aws?a=1", &["Authorization: theirs"], b"the body");
        assert_eq!((reply.status, reply.text().as_str()), (200, "the body"));
        let (first, second) = (function.next(), function.next());
        assert!(!stamp(&first).starts_with(STAMP) && stamp(&second).starts_with(STAMP));
        assert_eq!((first.text(), first.target()), (second.text(), second.target()));
        for request in [first, second] {
            assert_eq!(request.head.all("x-original-authorization"), ["theirs"], "ours is never moved there");
            assert_eq!(request.head.all("authorization").len(), 1);
        }
        eventually("the log should name the clock", || {
            gateway.output().contains("the clock of this machine").then_some(())
        });
        assert_eq!(gateway.get("/aws").status, 200);
        assert_eq!(function.pending().len(), 1, "the clock is known by now");
    }
}

#[test]
fn a_clock_that_does_not_help_is_forgotten() {
    let function = refusing(&[DATE], EXPIRED);
    let gateway = gateway(&function);
    assert_eq!(gateway.get("/aws").status, 403);
    let asked = function.pending();
    assert_eq!(
        asked.iter().map(|request| stamp(request).starts_with(STAMP)).collect::<Vec<_>>(),
        [false, true]
    );
    assert_eq!(gateway.get("/aws").text(), EXPIRED);
    let asked = function.pending();
    assert_eq!(asked.len(), 1, "not for every request within a minute");
    assert!(!stamp(&asked[0]).starts_with(STAMP), "ours is right until proven wrong");
}

#[test]
fn what_no_clock_can_mend_is_not_repeated() {
    let times = |gateway: &Gateway, function: &FakeUpstream, status: u16| {
        assert_eq!(gateway.get("/aws").status, status);
        function.pending().len()
    };
    let without_date = refusing(&["x-amzn-ErrorType: InvalidSignatureException"], EXPIRED);
    assert_eq!(times(&gateway(&without_date), &without_date, 403), 1);
    for (kind, expected) in [("InvalidRequestContentException", 1), ("RequestExpired", 2)] {
        let function = FakeUpstream::start(move |_, connection| {
            let kind = format!("x-amzn-ErrorType: {kind}");
            connection.answer("400 Bad Request", &[DATE, &kind], "{}").map(|()| Then::Keep)
        });
        assert_eq!(times(&gateway(&function), &function, 400), expected, "{kind}");
    }
    let unsigned = in_2015(&[DATE]);
    let gateway = Gateway::start();
    gateway.lambda("1", "/aws", at(&unsigned, "/"));
    assert_eq!(times(&gateway, &unsigned, 403), 1, "nothing was signed");
}

#[test]
fn the_log_says_what_to_mend_and_the_client_gets_the_answer_unchanged() {
    const ANSWERS: [(&str, &str, &str); 4] = [
        (
            "x-amzn-ErrorType: InvalidSignatureException",
            r#"{"message":"Credential should be scoped to correct service: 'lambda'. "}"#,
            "the endpoint is one of service lambda; set authorization.iam.service",
        ),
        (
            "x-amzn-ErrorType: InvalidSignatureException",
            r#"{"message":"Credential should be scoped to a valid region, not 'us-east-1'. "}"#,
            "the endpoint is in another region; set authorization.iam.aws_region",
        ),
        (
            "x-amzn-ErrorType: UnrecognizedClientException",
            r#"{"message":"The security token included in the request is invalid."}"#,
            "the access key is unknown, or comes without its session token; see that",
        ),
        (
            "x-amzn-ErrorType: AccessDeniedException",
            r#"{"Message":"User: u is not authorized to perform: execute-api:Invoke on resource: arn:aws:x"}"#,
            "the access key lacks the right execute-api:Invoke to arn:aws:x; allow it",
        ),
    ];
    let turn = AtomicUsize::new(0);
    let function = FakeUpstream::start(move |_, connection| {
        let (header, words, _) = ANSWERS[turn.fetch_add(1, Ordering::SeqCst) % ANSWERS.len()];
        connection.answer("403 Forbidden", &[header], words).map(|()| Then::Keep)
    });
    let gateway = gateway(&function);
    for (header, words, advice) in ANSWERS {
        let reply = gateway.get("/aws");
        assert_eq!((reply.status, reply.text().as_str()), (403, words));
        assert_eq!(reply.get("x-amzn-errortype"), header.split_once(": ").map(|(_, value)| value));
        eventually(advice, || gateway.output().contains(advice).then_some(()));
    }
    assert!(!gateway.output().contains("hidden-secret"), "{}", gateway.output());
}

#[test]
fn a_functions_own_refusal_streams_and_is_not_commented_on() {
    let function = FakeUpstream::start(|_, connection| {
        connection.send("HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        connection.send_chunk("first ")?;
        connection.send_chunk("second")?;
        connection.send("0\r\n\r\n").map(|()| Then::Keep)
    });
    let gateway = gateway(&function);
    let reply = gateway.get("/aws");
    assert_eq!((reply.status, reply.text().as_str()), (403, "first second"));
    assert!(!gateway.output().contains("aws refused"), "{}", gateway.output());
}

#[test]
fn a_set_of_regions_is_signed_for_by_version_4a() {
    let function = FakeUpstream::fixed("ok");
    let gateway = Gateway::start();
    let mut config = at(&function, "/");
    config["authorization"] = json!({"iam": {
        "accesskey": "AKIDEXAMPLE", "secretkey": "hidden-secret", "service": "lambda", "aws_region": "us-east-1, eu-*",
    }});
    gateway.lambda("1", "/aws", config);
    assert_eq!(gateway.request("GET", "/aws", &["X-Amz-Region-Set: theirs"], b"").status, 200);
    let request = function.next();
    assert_eq!(request.head.all("x-amz-region-set"), ["us-east-1,eu-*"]);
    let authorization = request.head.get("authorization").expect("it is signed");
    let (day, _) = stamp(&request).split_once('T').expect("a date with a time");
    let head = format!(
        "AWS4-ECDSA-P256-SHA256 Credential=AKIDEXAMPLE/{day}/lambda/aws4_request, SignedHeaders=\
         host;x-amz-content-sha256;x-amz-date;x-amz-region-set, Signature=30"
    );
    assert!(authorization.starts_with(&head), "{authorization}");
}
