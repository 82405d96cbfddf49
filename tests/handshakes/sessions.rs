//! Sessions that clients go on with: whatever worker they come to, and only under the terms they were made under.

use lockgate_tests::Settings;
use serde_json::json;

use crate::Bench;
use crate::certificates::Ca;
use crate::client::s_client;

#[test]
fn a_session_is_gone_on_with_at_any_worker() {
    for tickets in [false, true] {
        let settings = Settings::new()
            .set("nginx_config.worker_processes", json!(3))
            .set("apisix.ssl.ssl_session_tickets", json!(tickets));
        let bench = Bench::with(settings);
        bench.certify("1", &["a.test"], json!({}));
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let client = bench.client().speaking(&bench.ca, version);
            assert!(!client.resumes("a.test"), "there is nothing to go on with yet");
            for number in 0..30 {
                assert!(client.resumes("a.test"), "{version:?}, tickets {tickets}, connection {number}");
            }
        }
    }
}

#[test]
fn a_session_outlives_a_new_certificate_of_its_name() {
    let bench = Bench::start();
    bench.certify("1", &["a.test"], json!({}));
    let client = bench.client();
    assert!(!client.resumes("a.test"));
    bench.certify("1", &["a.test"], json!({}));
    assert!(client.resumes("a.test"));
}

#[test]
fn a_session_of_one_name_is_not_gone_on_with_for_one_that_asks_for_a_certificate() {
    for tickets in [false, true] {
        let bench = Bench::with(Settings::new().set("apisix.ssl.ssl_session_tickets", json!(tickets)));
        let clients = Ca::new("clients");
        let skips = json!({"ca": clients.pem, "skip_mtls_uri_regex": ["^/open$"]});
        bench.certify("open", &["open.test", "twin.test"], json!({}));
        bench.certify("closed", &["m.test"], json!({"client": {"ca": clients.pem}}));
        bench.certify("part", &["part.test"], json!({ "client": skips }));
        for version in ["-tls1_2", "-tls1_3"] {
            let file = bench.gateway.home().join(format!("session{version}"));
            let file = file.to_str().expect("a path of ASCII");
            let ask = |name, with| s_client(bench.at, name, &["-servername", name, version, with, file]);
            assert!(ask("open.test", "-sess_out").contains("HTTP/1.1 200 OK"), "{version}");
            let again = ask("open.test", "-sess_in");
            assert!(again.contains("\nReused, "), "{version}: {again}");
            assert!(ask("open.test", "-sess_out").contains("HTTP/1.1 200 OK"), "{version}");
            let closed = ask("m.test", "-sess_in");
            assert!(!closed.contains("\nReused, ") && !closed.contains("HTTP/1.1"), "{version}: {closed}");
            assert!(ask("open.test", "-sess_out").contains("HTTP/1.1 200 OK"), "{version}");
            let part = ask("part.test", "-sess_in");
            assert!(!part.contains("\nReused, ") && part.contains("HTTP/1.1 400"), "{version}: {part}");
        }
    }
}

#[test]
fn a_session_ends_with_the_authority_it_was_made_under() {
    for tickets in [false, true] {
        let bench = Bench::with(Settings::new().set("apisix.ssl.ssl_session_tickets", json!(tickets)));
        let (old, new) = (Ca::new("old"), Ca::new("new"));
        bench.certify("1", &["m.test"], json!({"client": {"ca": old.pem}}));
        let client = bench.client().showing(&bench.ca, &old.issue(&["somebody"]), &[]);
        assert!(!client.resumes("m.test"));
        assert!(client.resumes("m.test"), "tickets {tickets}");
        bench.certify("1", &["m.test"], json!({"client": {"ca": new.pem}}));
        assert!(client.get("m.test", "/").is_err(), "tickets {tickets}");
    }
}
