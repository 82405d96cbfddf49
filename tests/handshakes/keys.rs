//! Private keys are told to nobody; certificates that cannot serve are refused with the reason.

use std::path::Path;

use serde_json::{Value, json};

use crate::certificates::{KeyType, Pair};
use crate::{Bench, ssl};

/// A line from the middle of a key.
fn secret(pair: &Pair) -> &str {
    pair.key.lines().nth(1).expect("PEM has lines")
}

fn holds(directory: &Path, text: &str) -> bool {
    let entries = std::fs::read_dir(directory).expect("the data directory can be read");
    entries.flatten().any(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => holds(&entry.path(), text),
        _ => std::fs::read(entry.path())
            .is_ok_and(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes())),
    })
}

#[test]
fn a_key_is_not_in_any_answer_log_or_file() {
    let bench = Bench::start();
    let pair = bench.ca.issue(&["a.test"]);
    let more = bench.ca.issue_as(&["a.test"], KeyType::Rsa, (2020, 2099));
    let body = ssl(&["a.test"], &pair, json!({"certs": [more.cert], "keys": [more.key]}));
    let mut said = bench.gateway.put("/ssls/1", body).to_string();
    for path in ["/ssls/1", "/ssls"] {
        said += &bench.gateway.admin("GET", path, Value::Null).1.to_string();
    }
    said += &bench.gateway.admin("PATCH", "/ssls/1", json!({"labels": {"a": "b"}})).1.to_string();
    said += &bench.gateway.control_get("/v1/schema").text();
    assert_eq!(bench.client().get("a.test", "/"), Ok(200));
    said += &bench.gateway.output();
    for pair in [&pair, &more] {
        assert!(!said.contains(secret(pair)), "{said}");
        assert!(!holds(&bench.gateway.data(), secret(pair)), "a key lies open in the store");
    }
}

#[test]
fn what_cannot_serve_is_refused_with_the_reason() {
    let bench = Bench::start();
    let good = bench.ca.issue(&["a.test"]);
    let other = bench.ca.issue(&["a.test"]);
    let expired = bench.ca.issue_as(&["a.test"], KeyType::Ecdsa, (2020, 2021));
    let early = bench.ca.issue_as(&["a.test"], KeyType::Ecdsa, (2098, 2099));
    let with = |cert: &str, key: &str| json!({"snis": ["a.test"], "cert": cert, "key": key});
    let unordered = format!("{}{}", good.cert, other.cert);
    let broken = good.cert.replace(|character: char| character.is_ascii_digit(), "!");
    let encrypted = good.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let half = json!({"certs": [other.cert], "keys": []});
    let mismatched = json!({"certs": [other.cert], "keys": [good.key]});
    let bad_ca = json!({"client": {"ca": good.key.repeat(2)}});
    for (body, reason) in [
        (with(&good.cert, &other.key), "key is not the one of cert"),
        (with(&expired.cert, &expired.key), "cert expired at"),
        (with(&early.cert, &early.key), "cert is not valid before"),
        (with(&unordered, &good.key), "cert is not in order"),
        (with(&broken, &good.key), "cert"),
        (with(&good.cert, &encrypted), "key is encrypted"),
        (with(&good.key.repeat(2), &good.key), "cert has no certificate in PEM"),
        (ssl(&["a.test"], &good, half), "mismatched number of"),
        (ssl(&["a.test"], &good, mismatched), "key is not the one of cert"),
        (ssl(&["a.test"], &good, bad_ca), "ca has no certificate"),
    ] {
        let (status, answer) = bench.gateway.admin("PUT", "/ssls/1", body);
        let answer = answer.to_string();
        assert!(status == 400 && answer.contains(reason), "{reason:?}: {status} {answer}");
        assert!(!answer.contains(secret(&good)), "{answer}");
    }
    assert!(bench.client().shown("a.test").is_err(), "nothing of it was taken");
}
