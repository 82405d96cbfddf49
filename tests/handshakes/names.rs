//! Which certificate a client is shown, by the name it asks for, the keys it can verify and the versions it speaks.

use serde_json::json;

use crate::Bench;
use crate::certificates::KeyType;
use crate::client::s_client;

#[test]
fn a_name_has_its_own_certificate_or_that_of_all_names_next_to_it() {
    let bench = Bench::start();
    let exact = bench.certify("exact", &["api.example.test"], json!({}));
    let wild = bench.certify("wild", &["*.example.test", "other.test"], json!({}));
    let client = bench.client();
    for (name, pair) in [
        ("api.example.test", &exact),
        ("www.example.test", &wild),
        ("WWW.Example.TEST", &wild),
        ("other.test", &wild),
    ] {
        assert_eq!(client.shown(name).as_ref(), Ok(&pair.der), "{name}");
        assert_eq!(client.get(name, "/"), Ok(200), "{name}");
    }
    for name in ["example.test", "deep.www.example.test", "www.other.test"] {
        assert!(client.shown(name).is_err(), "{name}");
    }
}

#[test]
fn a_name_without_a_certificate_is_told_so_and_logged_but_once() {
    let bench = Bench::start();
    bench.certify("1", &["known.test"], json!({}));
    for _ in 0..50 {
        let error = bench.client().shown("nobody.test").expect_err("there is none for it");
        assert!(error.contains("UnrecognisedName"), "{error}");
    }
    bench.logged("no certificate for the name \"nobody.test\"");
    assert!(bench.client().shown("127.0.0.1").is_err(), "an address is no name to ask for");
    let lines = bench.gateway.output().lines().filter(|line| line.contains("no certificate for")).count();
    assert!(lines <= 3, "{lines} lines for 51 connections");
    assert_eq!(bench.client().get("known.test", "/"), Ok(200));
}

#[test]
fn a_client_is_shown_the_key_that_it_can_verify() {
    let bench = Bench::start();
    let rsa = bench.ca.issue_as(&["a.test"], KeyType::Rsa, (2020, 2099));
    let ecdsa = bench.ca.issue(&["a.test"]);
    bench.put("1", &["a.test"], &rsa, json!({"certs": [ecdsa.cert], "keys": [ecdsa.key]}));
    assert_eq!(bench.client().shown("a.test"), Ok(ecdsa.der), "the one that costs less");
    for (arguments, kind) in [
        (["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], "RSA"),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], "ECDSA"),
        (["-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256"], "RSA-PSS"),
        (["-tls1_3", "-sigalgs", "ecdsa_secp256r1_sha256"], "ECDSA"),
    ] {
        let said = s_client(bench.at, "a.test", &[&["-servername", "a.test"], &arguments[..]].concat());
        assert!(said.contains(&format!("Peer signature type: {kind}")), "{arguments:?}: {said}");
        assert!(said.contains("HTTP/1.1 200 OK"), "{arguments:?}: {said}");
    }
}

#[test]
fn every_type_of_key_serves() {
    let bench = Bench::start();
    for kind in [KeyType::Rsa, KeyType::Ecdsa, KeyType::Ed25519] {
        let pair = bench.ca.issue_as(&["a.test"], kind, (2020, 2099));
        bench.put("1", &["a.test"], &pair, json!({}));
        assert_eq!(bench.client().shown("a.test"), Ok(pair.der), "{kind:?}");
    }
}

#[test]
fn a_name_may_have_versions_of_its_own() {
    let bench = Bench::start();
    bench.certify("old", &["old.test"], json!({"ssl_protocols": ["TLSv1.2"]}));
    bench.certify("new", &["new.test"], json!({"ssl_protocols": ["TLSv1.3"]}));
    bench.certify("both", &["both.test"], json!({}));
    let old = bench.client().speaking(&bench.ca, &rustls::version::TLS12);
    let new = bench.client().speaking(&bench.ca, &rustls::version::TLS13);
    for (name, by_old, by_new) in
        [("old.test", true, false), ("new.test", false, true), ("both.test", true, true)]
    {
        assert_eq!(old.shown(name).is_ok(), by_old, "{name} by TLS 1.2");
        assert_eq!(new.shown(name).is_ok(), by_new, "{name} by TLS 1.3");
    }
}
