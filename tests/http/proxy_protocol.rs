//! The PROXY protocol (`apisix.proxy_protocol`): whose a connection is, as the balancer in front says.

use std::net::{Ipv4Addr, SocketAddr};

use lockgate_tests::{Authority, Connection, FakeUpstream, Gateway, Ports, Settings, curl, eventually};
use serde_json::json;

const LINE: &str = "PROXY TCP4 203.0.113.7 10.0.0.1 55555 80\r\n";
const GET: &str = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";

struct Behind {
    gateway: Gateway,
    upstream: FakeUpstream,
    port: SocketAddr,
    _ports: Ports,
}

fn behind(settings: Settings) -> Behind {
    let ports = Ports::take();
    let port = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.get(0)));
    let listen = json!({"ip": "127.0.0.1", "port": port.port()});
    let settings = settings.set("apisix.proxy_protocol.listen_http_port", listen);
    let gateway = Gateway::with(settings);
    let upstream = FakeUpstream::echo();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    Behind { gateway, upstream, port, _ports: ports }
}

fn logged(gateway: &Gateway, what: &str) {
    eventually(what, || gateway.output().contains(what).then_some(()));
}

/// A header of version 2 for the same client, with a field behind the addresses.
fn version_2() -> Vec<u8> {
    let addresses = [203, 0, 113, 7, 10, 0, 0, 1, 0xD9, 0x03, 0, 80, 4, 0, 1, 0];
    [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0"[..], &[16], &addresses].concat()
}

#[test]
fn the_client_that_a_balancer_names_is_the_client() {
    let behind = behind(Settings::new());
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec();
    for (header, client) in [
        (LINE.into(), "203.0.113.7"),
        (version_2(), "203.0.113.7"),
        ("PROXY TCP6 2001:db8::7 ::1 1 2\r\n".into(), "2001:db8::7"),
        ("PROXY UNKNOWN\r\n".into(), "127.0.0.1"),
        (local, "127.0.0.1"),
    ] {
        let mut connection = Connection::open(behind.port);
        // Only the first request of a connection has it in front.
        for header in [&header[..], b""] {
            connection.send([header, GET.as_bytes()].concat()).expect("the gateway reads");
            assert_eq!(connection.reply().status, 200);
            let head = behind.upstream.next().head;
            assert_eq!(head.get("X-Forwarded-For"), Some(client));
            assert_eq!(head.get("X-Real-IP"), Some(client));
        }
        logged(&behind.gateway, &format!("{client} - "));
    }
}

#[test]
fn routes_see_the_client_that_a_balancer_names() {
    let behind = behind(Settings::new());
    let node = behind.upstream.node();
    behind.gateway.route("1", json!({"uri": "/*", "remote_addr": "203.0.113.0/24"}), &node);
    let status = |header: &str| Connection::open(behind.port).exchange(format!("{header}{GET}")).status;
    assert_eq!(status(LINE), 200);
    assert_eq!(status("PROXY TCP4 198.51.100.7 10.0.0.1 55555 80\r\n"), 404);
}

#[test]
fn a_header_and_what_follows_it_may_come_byte_by_byte() {
    let behind = behind(Settings::new());
    for header in [LINE.into(), version_2()] {
        let mut connection = Connection::open(behind.port);
        connection.send_byte_by_byte([&header[..], GET.as_bytes()].concat()).expect("the gateway reads");
        assert_eq!(connection.reply().status, 200);
        assert_eq!(behind.upstream.next().head.get("X-Forwarded-For"), Some("203.0.113.7"));
    }
}

#[test]
fn http_2_follows_a_header_too() {
    let behind = behind(Settings::new());
    let mut connection = Connection::open(behind.port);
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    connection.send([LINE.as_bytes(), preface].concat()).expect("the gateway reads");
    assert_eq!(connection.read_exact(9).expect("settings")[3], 4);
}

#[test]
fn a_header_stands_in_front_of_tls() {
    let (authority, ports) = (Authority::new(), Ports::take());
    let port = ports.get(0);
    let listen = json!({"ip": "127.0.0.1", "port": port});
    let gateway = Gateway::with(Settings::new().set("apisix.proxy_protocol.listen_https_port", listen));
    let upstream = FakeUpstream::echo();
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    let (certificate, key) = authority.files("gateway.test");
    let read = |path| std::fs::read_to_string(path).expect("the authority has written it");
    gateway.put("/ssls/1", json!({"snis": ["gateway.test"], "cert": read(certificate), "key": read(key)}));
    let (authority, resolve) =
        (authority.file().display().to_string(), format!("gateway.test:{port}:127.0.0.1"));
    let url = format!("https://gateway.test:{port}/x");
    let call = |more: &[&str]| curl(&[&["--cacert", &authority, "--resolve", &resolve, &url], more].concat());
    for version in ["--http1.1", "--http2"] {
        let said = call(&["--haproxy-protocol", version]);
        assert!(said.output.contains("X-Forwarded-Proto: https"), "{said:?}");
    }
    assert!(!call(&[]).is_success, "TLS without a header");
}

#[test]
fn a_connection_without_a_header_is_not_served() {
    let behind = behind(Settings::new());
    for wrong in [
        GET,
        "PROXY TCP4 1.2.3.4\r\n",
        "PROXY TCP9 1.2.3.4 1.2.3.4 1 2\r\n",
        "\r\n\r\n\0\r\nQUIT\n\x31\0\0\0",
    ] {
        let mut connection = Connection::open(behind.port);
        connection.send(wrong).expect("the gateway reads");
        assert!(connection.read_to_close().is_empty(), "{wrong:?}");
    }
    assert!(behind.upstream.pending().is_empty());
    logged(&behind.gateway, "a connection with PROXY protocol is refused");
}

#[test]
fn nobody_is_believed_who_is_not_trusted() {
    let trusted = json!(["192.0.2.0/24"]);
    let behind = behind(Settings::new().set("apisix.proxy_protocol.trusted_addresses", trusted));
    let mut connection = Connection::open(behind.port);
    let _ = connection.send(format!("{LINE}{GET}"));
    assert!(connection.read_to_close().is_empty());
    logged(&behind.gateway, "trusted_addresses");
}

#[test]
fn a_header_has_to_come_in_time() {
    let behind = behind(Settings::new().set("nginx_config.http.client_header_timeout", json!("200ms")));
    let mut connection = Connection::open(behind.port);
    connection.send("PROXY TCP4").expect("the gateway reads");
    assert!(connection.read_to_close().is_empty());
}

#[test]
fn a_header_is_no_part_of_http_on_other_ports() {
    let behind = behind(Settings::new());
    let mut connection = behind.gateway.connect();
    connection.send(format!("{LINE}{GET}")).expect("the gateway reads");
    assert_eq!(connection.reply().status, 400);
}
