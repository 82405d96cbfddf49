//! Certificates of clients (mTLS): who gets in, and that there is no way around.

use lockgate_tests::Authority;
use serde_json::json;

use crate::support::Https;

struct Mutual {
    https: Https,
    clients: Authority,
}

/// `m.example` asks clients for a certificate, `a.example` does not.
fn mutual(client: serde_json::Value) -> Mutual {
    let https = Https::start();
    let clients = Authority::new();
    let mut client = client;
    client["ca"] = json!(clients.pem());
    https.put("1", &["m.example"], json!({ "client": client }));
    https.put("2", &["a.example"], json!({}));
    Mutual { https, clients }
}

impl Mutual {
    /// curl with a certificate of an authority.
    fn as_client(&self, of: &Authority, name: &str, path: &str, more: &[&str]) -> lockgate_tests::Curl {
        let (cert, key) = of.files("client.example");
        let mut arguments = vec![
            "--cert",
            cert.to_str().expect("a path of ASCII"),
            "--key",
            key.to_str().expect("a path of ASCII"),
        ];
        arguments.extend(more);
        self.https.curl(name, path, &arguments)
    }
}

#[test]
fn only_clients_with_a_certificate_of_the_authority_get_in() {
    let mutual = mutual(json!({}));
    assert!(!mutual.https.curl("m.example", "/", &[]).is_success);
    assert!(!mutual.as_client(&Authority::new(), "m.example", "/", &[]).is_success);
    assert_eq!(mutual.as_client(&mutual.clients, "m.example", "/", &[]).status(), 200);
    assert_eq!(mutual.https.curl("a.example", "/", &[]).status(), 200);
    assert_eq!(mutual.https.upstream.pending().len(), 2);
}

#[test]
fn a_connection_for_another_name_does_not_reach_a_host_that_asks_for_certificates() {
    let mutual = mutual(json!({}));
    for host in ["m.example", "M.Example", "m.example:443", "m.example."] {
        let header = format!("Host: {host}");
        for version in ["--http1.1", "--http2"] {
            let refused = mutual.https.curl("a.example", "/", &["-H", &header, version]);
            assert_eq!(refused.status(), 421, "{host} {version}: {}", refused.output);
            // Not even with a certificate: it was not looked at for that name.
            let refused = mutual.as_client(&mutual.clients, "a.example", "/", &["-H", &header, version]);
            assert_eq!(refused.status(), 421, "{host} {version}: {}", refused.output);
        }
    }
    assert!(mutual.https.upstream.pending().is_empty());
}

#[test]
fn paths_that_are_left_out_need_no_certificate_and_others_do() {
    let mutual = mutual(json!({"skip_mtls_uri_regex": ["^/open"]}));
    assert_eq!(mutual.https.curl("m.example", "/open/x", &[]).status(), 200);
    assert_eq!(mutual.as_client(&Authority::new(), "m.example", "/open", &[]).status(), 200);
    for path in ["/", "/closed", "/%6Fpen/../closed", "/open/../closed"] {
        let refused = mutual.https.curl("m.example", path, &["--path-as-is"]);
        assert_eq!(refused.status(), 400, "{path}: {}", refused.output);
        assert!(refused.output.contains("client certificate was not present"), "{}", refused.output);
        let refused = mutual.as_client(&Authority::new(), "m.example", path, &["--path-as-is"]);
        assert_eq!(refused.status(), 400, "{path}: {}", refused.output);
        assert!(refused.output.contains("client certificate is not trusted"), "{}", refused.output);
        assert_eq!(mutual.as_client(&mutual.clients, "m.example", path, &["--path-as-is"]).status(), 200);
    }
}

#[test]
fn a_connection_from_before_a_host_asked_for_certificates_does_not_reach_it() {
    let mutual = mutual(json!({}));
    // One connection for both requests; in between a.example begins to ask for certificates.
    let https = &mutual.https;
    let mut early = crate::sessions::connect(https, "a.example", &crate::sessions::client(https));
    assert!(crate::sessions::get(&mut early, "a.example").starts_with("HTTP/1.1 200"));
    https.put("2", &["a.example"], json!({"client": {"ca": mutual.clients.pem()}}));
    assert!(crate::sessions::get(&mut early, "a.example").starts_with("HTTP/1.1 421"));
}
