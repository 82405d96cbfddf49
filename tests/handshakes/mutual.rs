//! Clients that have to show a certificate (mTLS), and every way around it that has to be closed.

use lockgate_tests::curl;
use serde_json::{Value, json};

use crate::Bench;
use crate::certificates::Ca;
use crate::client::s_client;

fn asking(ca: &Ca, fields: Value) -> Value {
    let mut client = fields;
    client["ca"] = json!(ca.pem);
    json!({ "client": client })
}

#[test]
fn only_a_certificate_of_the_right_authority_gets_in() {
    let bench = Bench::start();
    let (clients, strangers) = (Ca::new("clients"), Ca::new("strangers"));
    bench.certify("1", &["m.test"], asking(&clients, json!({})));
    let anonymous = bench.client();
    assert!(anonymous.get("m.test", "/").is_err());
    let known = anonymous.showing(&bench.ca, &clients.issue(&["somebody"]), &[]);
    assert_eq!(known.get("m.test", "/"), Ok(200));
    let stranger = anonymous.showing(&bench.ca, &strangers.issue(&["somebody"]), &[]);
    assert!(stranger.get("m.test", "/").is_err());
    let expired = clients.issue_as(&["somebody"], crate::certificates::KeyType::Ecdsa, (2020, 2021));
    assert!(anonymous.showing(&bench.ca, &expired, &[]).get("m.test", "/").is_err());
}

#[test]
fn openssl_and_curl_show_theirs() {
    let bench = Bench::start();
    let clients = Ca::new("clients");
    bench.certify("1", &["m.test"], asking(&clients, json!({})));
    let somebody = clients.issue(&["somebody"]);
    let paths = [
        bench.file("ca.pem", &bench.ca.pem),
        bench.file("client.pem", &somebody.cert),
        bench.file("client.key", &somebody.key),
    ];
    let [ca, cert, key] = paths.each_ref().map(|path| path.to_str().expect("a path of ASCII"));
    let (port, resolve) = (bench.at.port(), format!("m.test:{}:127.0.0.1", bench.at.port()));
    let url = format!("https://m.test:{port}/");
    let shown =
        curl(&["-i", "--http1.1", "--cacert", ca, "--resolve", &resolve, "--cert", cert, "--key", key, &url]);
    assert_eq!(shown.status(), 200, "{}", shown.errors);
    assert!(!curl(&["-i", "--cacert", ca, "--resolve", &resolve, &url]).is_success);
    for version in ["-tls1_2", "-tls1_3"] {
        let arguments = ["-servername", "m.test", version, "-cert", cert, "-key", key];
        assert!(s_client(bench.at, "m.test", &arguments).contains("HTTP/1.1 200 OK"), "{version}");
        let said = s_client(bench.at, "m.test", &arguments[..3]);
        assert!(!said.contains("HTTP/1.1"), "{version}: {said}");
    }
}

#[test]
fn the_depth_bounds_the_chain() {
    let bench = Bench::start();
    let root = Ca::new("root");
    let between = root.below("between");
    let somebody = between.issue(&["somebody"]);
    let client = bench.client().showing(&bench.ca, &somebody, &[&between]);
    bench.certify("1", &["m.test"], asking(&root, json!({"depth": 0})));
    assert!(client.get("m.test", "/").is_err(), "one certificate is between");
    bench.certify("1", &["m.test"], asking(&root, json!({"depth": 1})));
    assert_eq!(client.get("m.test", "/"), Ok(200));
}

#[test]
fn paths_may_be_free_of_it() {
    let bench = Bench::start();
    let (clients, strangers) = (Ca::new("clients"), Ca::new("strangers"));
    let skips = json!({"skip_mtls_uri_regex": ["^/open/", "^/hello$"]});
    bench.certify("1", &["m.test"], asking(&clients, skips));
    let anonymous = bench.client();
    let known = anonymous.showing(&bench.ca, &clients.issue(&["somebody"]), &[]);
    let stranger = anonymous.showing(&bench.ca, &strangers.issue(&["somebody"]), &[]);
    for (path, without) in [
        ("/open/a", 200),
        ("/hello", 200),
        ("/hello?to=/open/", 200),
        ("/closed", 400),
        ("/", 400),
        ("/closed?/open/", 400),
        ("/open/../closed", 400),
        ("/open/%2e%2e/closed", 400),
        ("/hello/", 400),
    ] {
        assert_eq!(anonymous.get("m.test", path), Ok(without), "{path}");
        assert_eq!(stranger.get("m.test", path), Ok(without), "{path}");
        assert_eq!(known.get("m.test", path), Ok(200), "{path}");
    }
}

#[test]
fn a_connection_for_another_name_does_not_lead_in() {
    let bench = Bench::start();
    let clients = Ca::new("clients");
    bench.certify("open", &["open.test", "*.wide.test"], json!({}));
    bench.certify("closed", &["m.test", "m.wide.test"], asking(&clients, json!({})));
    let mut connection = bench.client().connect("open.test").expect("it asks for nothing");
    let hosts =
        ["m.test", "M.TEST", "m.test.", "m.test:443", &format!("m.test:{}", bench.at.port()), "m.wide.test"];
    for host in hosts {
        assert_eq!(connection.get(host, "/"), Ok(421), "{host}");
    }
    assert_eq!(connection.get("open.test", "/"), Ok(200), "the connection itself is good");
    assert_eq!(connection.get("any.wide.test", "/"), Ok(200), "so is it for a name that asks for nothing");
}

#[test]
fn a_connection_for_another_name_does_not_lead_in_by_http_2_or_an_absolute_target() {
    let bench = Bench::start();
    let clients = Ca::new("clients");
    bench.certify("open", &["open.test"], json!({}));
    bench.certify("closed", &["m.test"], asking(&clients, json!({})));
    let (port, ca) = (bench.at.port(), bench.file("ca.pem", &bench.ca.pem));
    let url = format!("https://open.test:{port}/");
    let resolve = format!("open.test:{port}:127.0.0.1");
    let ca = ca.to_str().expect("a path of ASCII");
    let common = [
        "--cacert",
        ca,
        "--resolve",
        &resolve,
        "--write-out",
        "%{http_version} %{http_code}",
        "-o",
        "/dev/null",
    ];
    let by_h2 = curl(&[&common[..], &["--http2", "-H", "Host: m.test", &url]].concat());
    assert_eq!(by_h2.output, "2 421", "{}", by_h2.errors);
    let absolute = ["--http1.1", "--request-target", "https://m.test/", &url];
    let by_target = curl(&[&common[..], &absolute].concat());
    assert_eq!(by_target.output, "1.1 421", "{}", by_target.errors);
}

#[test]
fn the_clients_of_one_name_are_not_those_of_another() {
    let bench = Bench::start();
    let (first, second) = (Ca::new("first"), Ca::new("second"));
    bench.certify("first", &["first.test"], asking(&first, json!({})));
    bench.certify("second", &["second.test"], asking(&second, json!({})));
    let client = bench.client().showing(&bench.ca, &first.issue(&["somebody"]), &[]);
    let mut connection = client.connect("first.test").expect("its own name");
    assert_eq!(connection.get("first.test", "/"), Ok(200));
    assert_eq!(connection.get("second.test", "/"), Ok(421));
    assert!(client.get("second.test", "/").is_err());
}

#[test]
fn a_connection_of_before_has_no_say_after_the_authority_has_changed() {
    let bench = Bench::start();
    let (old, new) = (Ca::new("old"), Ca::new("new"));
    bench.certify("1", &["m.test"], asking(&old, json!({})));
    let of_old = bench.client().showing(&bench.ca, &old.issue(&["somebody"]), &[]);
    let of_new = bench.client().showing(&bench.ca, &new.issue(&["somebody"]), &[]);
    let mut connection = of_old.connect("m.test").expect("the authority of today");
    assert_eq!(connection.get("m.test", "/"), Ok(200));
    bench.certify("1", &["m.test"], asking(&old, json!({})));
    assert_eq!(connection.get("m.test", "/"), Ok(200), "clients have to show what they had to");
    bench.certify("1", &["m.test"], asking(&new, json!({})));
    assert_eq!(connection.get("m.test", "/"), Ok(421));
    assert!(of_old.get("m.test", "/").is_err());
    assert_eq!(of_new.get("m.test", "/"), Ok(200));
}
