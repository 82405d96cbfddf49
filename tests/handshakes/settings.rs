//! `apisix.ssl`: what is spoken, and what becomes of those who do not speak it.

use std::io::{Read, Write};
use std::net::TcpStream;

use lockgate_tests::{Connection, DEADLINE, Gateway, Settings, eventually};
use serde_json::json;

use crate::Bench;
use crate::client::s_client;

#[test]
fn versions_and_cipher_suites_are_those_of_the_settings() {
    let settings = Settings::new()
        .set("apisix.ssl.ssl_protocols", json!("TLSv1.1 TLSv1.2"))
        .set("apisix.ssl.ssl_ciphers", json!("ECDHE-ECDSA-AES256-GCM-SHA384:AES128-SHA"));
    let bench = Bench::with(settings);
    bench.certify("1", &["a.test"], json!({}));
    for (arguments, is_spoken) in [
        (&["-tls1_2"][..], true),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"], true),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], false),
        (&["-tls1_3"], false),
        (&["-tls1_1"], false),
    ] {
        let said = s_client(bench.at, "a.test", &[&["-servername", "a.test"], arguments].concat());
        assert_eq!(said.contains("HTTP/1.1 200 OK"), is_spoken, "{arguments:?}: {said}");
    }
    bench.logged("AES128-SHA");
    bench.logged("TLSv1.1");
}

#[test]
fn https_can_be_switched_off() {
    let ports = lockgate_tests::Ports::take();
    let listen = json!({"enable": false, "listen": [{"ip": "127.0.0.1", "port": ports.get(0)}]});
    let _gateway = Gateway::with(Settings::new().set("apisix.ssl", listen));
    assert!(TcpStream::connect(("127.0.0.1", ports.get(0))).is_err());
}

#[test]
fn who_does_not_shake_hands_is_let_go_in_time() {
    let bench = Bench::with(Settings::new().set("nginx_config.http.client_header_timeout", json!("1s")));
    bench.certify("1", &["a.test"], json!({}));
    let mut silent: Vec<_> = (0..20).map(|_| Connection::open(bench.at)).collect();
    // A record of a hello that never comes whole.
    silent[0].send([22, 3, 1, 2, 0, 1]).expect("the gateway reads");
    for connection in &mut silent {
        connection.read_to_close();
    }
    assert_eq!(bench.client().get("a.test", "/"), Ok(200));
}

#[test]
fn a_scanner_neither_breaks_anything_nor_floods_the_log() {
    let bench = Bench::start();
    bench.certify("1", &["a.test"], json!({}));
    let before = bench.gateway.output().lines().count();
    for number in 0..200_usize {
        let mut socket = TcpStream::connect(bench.at).expect("it listens");
        socket.set_read_timeout(Some(DEADLINE)).expect("a deadline of more than zero");
        let garbage: Vec<u8> = (0..number).map(|byte| u8::try_from(byte * 31 % 256).unwrap_or(0)).collect();
        let bytes = match number % 3 {
            0 => b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n".to_vec(),
            1 => garbage,
            _ => [&[22, 3, 1, 0, 200, 1, 0, 0, 196][..], &garbage].concat(),
        };
        let _ = socket.write_all(&bytes);
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "it was served without TLS");
    }
    assert_eq!(bench.client().get("a.test", "/"), Ok(200));
    eventually("the request should be logged", || bench.gateway.output().contains("\"GET / ").then_some(()));
    let lines = bench.gateway.output().lines().count() - before;
    assert!(lines < 20, "{lines} lines for 200 connections: {}", bench.gateway.output());
}
