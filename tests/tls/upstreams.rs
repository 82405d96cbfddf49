//! TLS to upstreams: whose certificates are trusted, and what the gateway shows of itself.

use std::sync::Arc;

use lockgate_tests::{Authority, FakeUpstream, Gateway, Settings, Then};
use serde_json::{Value, json};

use crate::support::Https;

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

#[test]
fn http2_is_spoken_by_tls_to_upstreams_and_functions_that_take_it_where_the_settings_say_so() {
    let server = Https::start();
    server.put("1", &["up.example"], json!({}));
    // It answers what comes by HTTP/2 only.
    let by_http2 = json!([["server_protocol", "==", "HTTP/2.0"]]);
    server.gateway.route("1", json!({"uri": "/*", "vars": by_http2}), &server.upstream.node());
    let port = server.port.port();
    for (negotiates, status) in [(true, 200), (false, 404)] {
        let settings = Settings::new().set("lockgate.negotiate_http2", json!(negotiates));
        let gateway = Gateway::with(settings.resolve(format!("up.example:{port}:127.0.0.1:{port}")));
        let node = json!({"scheme": "https", "type": "roundrobin", "pass_host": "rewrite",
            "upstream_host": "up.example", "nodes": {server.port.to_string(): 1}});
        gateway.put("/routes/1", json!({"uri": "/upstream", "upstream": node}));
        let function = format!("https://up.example:{port}/f");
        let plugin = json!({"aws-lambda": {"function_uri": function, "ssl_verify": false}});
        gateway.put("/routes/2", json!({"uri": "/function", "plugins": plugin}));
        for path in ["/upstream", "/function"] {
            let posted = gateway.request("POST", path, &[], b"body");
            assert_eq!(posted.status, status, "{path} {negotiates}");
            assert_eq!(gateway.get(path).status, status, "{path} {negotiates}");
        }
    }
    // Who does not take it gets HTTP/1.1.
    let authority = Authority::new();
    let old = serve(authority.server("up.example"));
    let gateway = Gateway::with(Settings::new().set("lockgate.negotiate_http2", json!(true)));
    gateway.put("/routes/1", json!({"uri": "/*", "upstream": upstream(&old, &json!({}))}));
    assert_eq!((gateway.get("/a").status, gateway.get("/b").status), (200, 200));
    assert_eq!(old.connections(), 1);
}

#[test]
fn a_node_is_asked_for_by_the_name_that_the_client_says_where_its_host_is_passed() {
    let server = Https::start();
    server.put("1", &["a.example", "b.example"], json!({}));
    for name in ["a", "b"] {
        let rule = json!([["ssl_server_name", "==", format!("{name}.example")]]);
        server.gateway.route(name, json!({"uri": format!("/{name}"), "vars": rule}), &server.upstream.node());
    }
    server.gateway.admin("DELETE", "/routes/1", Value::Null);
    let gateway = Gateway::start();
    let node = json!({"scheme": "https", "type": "roundrobin", "nodes": {server.port.to_string(): 1}});
    gateway.put("/routes/1", json!({"uri": "/*", "upstream": node}));
    for _ in 0..2 {
        assert_eq!(gateway.get_as("/a", "a.example").status, 200);
        assert_eq!(gateway.get_as("/b", "B.example:8080").status, 200);
        assert_eq!(gateway.get_as("/a", "b.example").status, 404, "no connection serves two names");
        assert_eq!(gateway.get_as("/a", "c.example").status, 502, "there is no certificate of that name");
    }
}
