//! Which certificate a client is shown, and how it is spoken to.

use lockgate_tests::{Ports, Settings, eventually};
use serde_json::json;

use crate::sessions::{client, connect};
use crate::support::Https;

/// The subject of what `openssl s_client` was shown.
fn subject(output: &str) -> Option<&str> {
    output.lines().find_map(|line| line.trim().strip_prefix("subject="))
}

#[test]
fn a_client_gets_the_certificate_of_the_name_it_asks_for() {
    let https = Https::start();
    https.put("1", &["a.wide.example"], json!({}));
    https.put("2", &["*.wide.example"], json!({}));
    for name in ["a.wide.example", "b.wide.example", "A.Wide.EXAMPLE"] {
        assert_eq!(https.curl(name, "/", &[]).status(), 200, "{name}");
    }
    let shown = https.s_client("-servername a.wide.example");
    assert!(subject(&shown.output).unwrap().contains("a.wide.example"), "{}", shown.output);
    let shown = https.s_client("-servername b.wide.example");
    assert!(subject(&shown.output).unwrap().contains("*.wide.example"), "{}", shown.output);
    assert_eq!(https.upstream.next().head.get("X-Forwarded-Proto"), Some("https"));
}

#[test]
fn http2_is_agreed_on_and_http1_still_served() {
    let https = Https::start();
    https.put("1", &["a.example"], json!({}));
    assert!(https.curl("a.example", "/", &["--http2"]).output.starts_with("HTTP/2 200"));
    assert!(https.curl("a.example", "/", &["--http1.1"]).output.starts_with("HTTP/1.1 200"));
}

#[test]
fn a_name_without_a_certificate_is_refused_cleanly_and_logged() {
    let https = Https::start();
    https.put("1", &["a.example", "*.b.example"], json!({}));
    for name in ["c.example", "b.example", "x.y.b.example"] {
        let refused = https.s_client(&format!("-servername {name}"));
        assert!(refused.errors.contains("unrecognized name"), "{name}: {}", refused.errors);
    }
    let nameless = https.s_client("-noservername");
    assert!(nameless.errors.contains("unrecognized name"), "{}", nameless.errors);
    eventually("the log names it", || https.gateway.output().contains("c.example").then_some(()));
}

#[test]
fn the_fallback_serves_whoever_names_nothing_known() {
    let https = Https::with(Settings::new(), json!({"fallback_sni": "a.example"}));
    https.put("1", &["a.example"], json!({}));
    for arguments in ["-servername c.example", "-noservername"] {
        let shown = https.s_client(arguments);
        assert!(subject(&shown.output).unwrap().contains("a.example"), "{}", shown.output);
    }
}

#[test]
fn the_key_is_of_a_type_that_the_client_can_verify() {
    let https = Https::start();
    let (cert, key) = https.authority.pair_with("a.example", &rcgen::PKCS_RSA_SHA256, |_| {});
    let (ecdsa, ecdsa_key) = https.authority.pair("a.example");
    let value =
        json!({"snis": ["a.example"], "cert": cert, "key": key, "certs": [ecdsa], "keys": [ecdsa_key]});
    https.gateway.put("/ssls/1", value);
    let tls12 = |cipher: &str| https.s_client(&format!("-servername a.example -tls1_2 -cipher {cipher}"));
    assert!(tls12("ECDHE-RSA-AES128-GCM-SHA256").output.contains("ECDHE-RSA-AES128-GCM-SHA256"));
    assert!(tls12("ECDHE-ECDSA-AES128-GCM-SHA256").output.contains("ECDHE-ECDSA-AES128-GCM-SHA256"));
    let rsa = https.s_client("-servername a.example -sigalgs RSA-PSS+SHA256");
    assert!(rsa.output.contains("Peer signature type: RSA-PSS"), "{}", rsa.output);
    let both = https.s_client("-servername a.example");
    assert!(both.output.contains("Peer signature type: ECDSA"), "{}", both.output);
}

#[test]
fn versions_are_those_of_the_settings_or_of_the_certificate() {
    let https = Https::with(Settings::new(), json!({"ssl_protocols": "TLSv1.3"}));
    https.put("1", &["a.example"], json!({}));
    https.put("2", &["b.example"], json!({"ssl_protocols": ["TLSv1.2"]}));
    let speaks = |name: &str, version: &str| {
        https.s_client(&format!("-servername {name} {version}")).output.contains("Cipher is TLS_")
            || https.s_client(&format!("-servername {name} {version}")).output.contains("Cipher is ECDHE")
    };
    assert!(speaks("a.example", "-tls1_3") && !speaks("a.example", "-tls1_2"));
    assert!(speaks("b.example", "-tls1_2") && !speaks("b.example", "-tls1_3"));
}

#[test]
fn cipher_suites_that_are_not_there_are_named_in_a_warning() {
    let ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256";
    let https = Https::with(Settings::new(), json!({"ssl_ciphers": ciphers}));
    https.put("1", &["a.example"], json!({}));
    eventually("the log warns", || {
        https.gateway.output().contains("DHE-RSA-AES128-GCM-SHA256").then_some(())
    });
    let shown = https.s_client("-servername a.example -tls1_2");
    assert!(shown.output.contains("Cipher is ECDHE-ECDSA-AES256-GCM-SHA384"), "{}", shown.output);
    let refused = https.s_client("-servername a.example -tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256");
    assert!(refused.output.contains("Cipher is (NONE)"), "{}", refused.output);
}

#[test]
fn what_is_no_tls_gets_no_answer_and_harms_nobody() {
    let https = Https::start();
    https.put("1", &["a.example"], json!({}));
    let mut plain = lockgate_tests::Connection::open(https.port);
    plain.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
    assert!(!matches!(plain.try_reply_to("GET"), Ok(Some(_))));
    assert_eq!(https.curl("a.example", "/", &[]).status(), 200);
}

#[test]
fn a_certificate_that_is_switched_off_or_deleted_is_shown_no_more() {
    let https = Https::start();
    https.put("1", &["a.example"], json!({}));
    assert_eq!(https.curl("a.example", "/", &[]).status(), 200);
    https.put("1", &["a.example"], json!({"status": 0}));
    assert!(!https.curl("a.example", "/", &[]).is_success);
    https.put("1", &["a.example"], json!({"status": 1}));
    assert_eq!(https.curl("a.example", "/", &[]).status(), 200);
    https.gateway.admin("DELETE", "/ssls/1", serde_json::Value::Null);
    assert!(!https.curl("a.example", "/", &[]).is_success);
}

#[test]
fn behind_a_balancer_the_header_comes_before_the_handshake() {
    let ports = Ports::take();
    let port = ports.get(0);
    let listen = json!({"ip": "127.0.0.1", "port": port});
    let settings = Settings::new().set("apisix.proxy_protocol.listen_https_port", listen);
    let https = Https::with(settings, json!({}));
    https.put("1", &["a.example"], json!({}));
    let resolve = format!("a.example:{port}:127.0.0.1");
    let url = format!("https://a.example:{port}/");
    let answer = https.curl_at(&url, &["--haproxy-protocol", "--resolve", &resolve]);
    assert_eq!(answer.status(), 200);
    assert_eq!(https.upstream.next().head.get("X-Forwarded-Proto"), Some("https"));
    assert!(!https.curl_at(&url, &["--resolve", &resolve]).is_success);
}

#[test]
fn a_connection_ends_with_a_close_notify() {
    let https = Https::start();
    https.put("1", &["a.example"], json!({}));
    let mut tls = connect(&https, "a.example", &client(&https));
    std::io::Write::write_all(&mut tls, b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
        .unwrap();
    // Without it the end of the stream is an error.
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut tls, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"));
}
