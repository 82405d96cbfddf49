//! TLS to upstreams: whose certificates are trusted, and what the gateway shows of itself.

use std::sync::Arc;

use lockgate_tests::{Authority, FakeUpstream, Gateway, Settings, Then};
use serde_json::{Value, json};

fn serve(config: Arc<rustls::ServerConfig>) -> FakeUpstream {
    FakeUpstream::scripted(0, Some(config), |request, connection| {
        connection.answer("200 OK", &[], &request.head.raw).map(|()| Then::Keep)
    })
}

fn upstream(node: &FakeUpstream, tls: &Value) -> Value {
    json!({"scheme": "https", "type": "roundrobin", "pass_host": "rewrite", "upstream_host": "up.example",
        "nodes": {node.node(): 1}, "tls": tls})
}

#[test]
fn an_upstream_is_shown_the_certificate_that_is_written_with_it() {
    let authority = Authority::new();
    let node = serve(authority.mutual_server("up.example"));
    let gateway = Gateway::start();
    let (cert, key) = authority.pair("gateway.example");
    let own = upstream(&node, &json!({"client_cert": cert, "client_key": key}));
    gateway.put("/upstreams/1", own.clone());
    gateway.put("/routes/1", json!({"uri": "/shared", "upstream_id": "1"}));
    gateway.put("/routes/2", json!({"uri": "/own", "upstream": own}));
    gateway.put("/routes/3", json!({"uri": "/none", "upstream": upstream(&node, &json!({}))}));
    for (path, status) in [("/shared", 200), ("/own", 200), ("/none", 502)] {
        assert_eq!(gateway.get(path).status, status, "{path}");
    }
    let stranger = Authority::new().pair("gateway.example");
    let other = upstream(&node, &json!({"client_cert": stranger.0, "client_key": stranger.1}));
    gateway.put("/upstreams/1", other);
    assert_eq!(gateway.get("/shared").status, 502);
}

#[test]
fn a_certificate_that_is_named_by_id_is_followed_when_it_changes() {
    let authority = Authority::new();
    let node = serve(authority.mutual_server("up.example"));
    let gateway = Gateway::start();
    let put = |(cert, key): (String, String)| {
        gateway.put("/ssls/c", json!({"type": "client", "cert": cert, "key": key}));
    };
    put(Authority::new().pair("gateway.example"));
    let named = upstream(&node, &json!({"client_cert_id": "c"}));
    gateway.put("/upstreams/1", named.clone());
    gateway.put("/services/1", json!({"upstream": named}));
    gateway.put("/routes/1", json!({"uri": "/shared", "upstream_id": "1"}));
    gateway.put("/routes/2", json!({"uri": "/own", "upstream": named}));
    gateway.put("/routes/3", json!({"uri": "/service", "service_id": "1"}));
    for path in ["/shared", "/own", "/service"] {
        assert_eq!(gateway.get(path).status, 502, "{path}");
    }
    put(authority.pair("gateway.example"));
    for path in ["/shared", "/own", "/service"] {
        assert_eq!(gateway.get(path).status, 200, "{path}");
    }
}

#[test]
fn an_upstream_is_verified_against_the_authorities_of_the_settings() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let trusted = authority.file();
    let gateway = Gateway::with(Settings::new().set("apisix.ssl.ssl_trusted_certificate", json!(trusted)));
    let nodes = [serve(authority.server("up.example")), serve(stranger.server("up.example"))];
    let other_name = serve(authority.server("other.example"));
    for (path, node, verifies, status) in [
        ("/trusted", &nodes[0], true, 200),
        ("/stranger", &nodes[1], true, 502),
        ("/name", &other_name, true, 502),
        ("/unverified", &nodes[1], false, 200),
    ] {
        let value = json!({"uri": path, "upstream": upstream(node, &json!({"verify": verifies}))});
        gateway.put(&format!("/routes{path}"), value);
        assert_eq!(gateway.get(path).status, status, "{path}");
    }
}
