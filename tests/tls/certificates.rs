//! What is taken as a certificate, and what becomes of its key.

use lockgate_tests::Authority;
use serde_json::json;

use crate::support::Https;

#[test]
fn what_cannot_serve_is_refused_with_the_reason() {
    let https = Https::start();
    let (cert, key) = https.authority.pair("a.example");
    let (_, other_key) = https.authority.pair("a.example");
    let kind = &rcgen::PKCS_ECDSA_P256_SHA256;
    let (old, old_key) = https.authority.pair_with("a.example", kind, |params| {
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    });
    for (cert, key, reason) in [
        (&cert, &other_key, "key is not the one of cert"),
        (&old, &old_key, "cert expired at"),
        (&key.repeat(2), &key, "cert has no certificate in PEM"),
    ] {
        let value = json!({"snis": ["a.example"], "cert": cert, "key": key});
        let (status, body) = https.gateway.admin("PUT", "/ssls/1", value);
        assert_eq!(status, 400, "{body}");
        assert!(body["error_msg"].as_str().unwrap().contains(reason), "{body} should say {reason}");
        assert!(!body.to_string().contains(&key[30..60]), "{body}");
    }
}

#[test]
fn a_key_is_neither_given_back_nor_written_down() {
    let https = Https::start();
    let (cert, key) = https.authority.pair("a.example");
    let body = https.gateway.put("/ssls/1", json!({"sni": "a.example", "cert": cert, "key": key}));
    let (_, read) = https.gateway.admin("GET", "/ssls/1", serde_json::Value::Null);
    let secret = key.lines().nth(1).unwrap();
    for text in [body.to_string(), read.to_string(), https.gateway.output()] {
        assert!(!text.contains(secret), "{text}");
    }
    assert_eq!(https.curl("a.example", "/", &[]).status(), 200);
    let kept = std::fs::read(https.gateway.data().join("lockgate.redb")).unwrap();
    assert!(!kept.windows(secret.len()).any(|window| window == secret.as_bytes()));
}

#[test]
fn certificates_serve_again_after_a_restart() {
    let mut https = Https::start();
    https.put("1", &["a.example"], json!({}));
    https.gateway.crash_and_restart();
    assert_eq!(https.curl("a.example", "/", &[]).status(), 200);
}

#[test]
fn a_client_that_trusts_another_authority_is_the_one_to_refuse() {
    let https = Https::start();
    https.put("1", &["a.example"], json!({}));
    let other = Authority::new().file();
    let refused = https.curl("a.example", "/", &["--cacert", other.to_str().unwrap()]);
    assert!(!refused.is_success);
    assert_eq!(https.curl("a.example", "/", &[]).status(), 200);
}
