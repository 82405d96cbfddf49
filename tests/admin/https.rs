//! The Admin API by HTTPS, and for holders of certificates alone: real curl, as an operator calls it.

use lockgate_tests::{ADMIN_KEY, Authority, Curl, Gateway, Settings, sh};
use serde_json::json;

/// Settings with these files.
fn settings(server: &Authority, clients: Option<&Authority>) -> Settings {
    let (cert, key) = server.files("admin.test");
    let mut files = json!({"admin_ssl_cert": cert, "admin_ssl_cert_key": key});
    if let Some(clients) = clients {
        files["admin_ssl_ca_cert"] = json!(clients.file());
    }
    Settings::new()
        .set("deployment.admin.https_admin", json!(true))
        .set("deployment.admin.admin_api_mtls", files)
}

/// Calls by the name of the certificate.
fn call(gateway: &Gateway, server: &Authority, arguments: &str) -> Curl {
    let (at, port, ca) = (gateway.admin, gateway.admin.port(), server.file());
    sh(&format!(
        "curl -sS -i --resolve admin.test:{port}:{} --cacert '{}' -H 'X-API-KEY: {ADMIN_KEY}' {arguments} \
         https://admin.test:{port}/apisix/admin/routes",
        at.ip(),
        ca.display()
    ))
}

/// What curl shows a certificate with.
fn showing(issuer: &Authority) -> String {
    let (cert, key) = issuer.files("operator.test");
    format!("--cert '{}' --key '{}'", cert.display(), key.display())
}

#[test]
fn the_admin_api_is_called_by_https() {
    let authority = Authority::new();
    let gateway = Gateway::with(settings(&authority, None));
    let answer = call(&gateway, &authority, "");
    assert!(answer.is_success && answer.status() == 200, "{answer:?}");
    assert!(answer.output.contains("\"total\":0"), "{answer:?}");
    assert!(gateway.output().contains("https://127.0.0.1"), "the banner says so");
    let plain = sh(&format!("curl -sS -i http://{}/apisix/admin/routes", gateway.admin));
    assert!(plain.is_success && plain.status() == 400, "{plain:?}");
    assert!(plain.output.contains("begin with https://"), "{plain:?}");
    assert!(!call(&gateway, &Authority::new(), "").is_success, "another authority has not issued it");
}

#[test]
fn clients_without_the_right_certificate_are_not_let_in() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let gateway = Gateway::with(settings(&authority, Some(&clients)));
    let answer = call(&gateway, &authority, &showing(&clients));
    assert!(answer.is_success && answer.status() == 200, "{answer:?}");
    for refused in [call(&gateway, &authority, ""), call(&gateway, &authority, &showing(&authority))] {
        assert!(!refused.is_success && !refused.output.contains("HTTP/"), "{refused:?}");
    }
    let with_wrong_key = format!("{} -H 'X-API-KEY: wrong'", showing(&clients));
    let keyless = sh(&format!(
        "curl -sS -i --resolve admin.test:{0}:127.0.0.1 --cacert '{1}' {with_wrong_key} https://admin.test:{0}/apisix/admin/routes",
        gateway.admin.port(),
        authority.file().display()
    ));
    assert_eq!(keyless.status(), 401, "a certificate stands for no key");
}
