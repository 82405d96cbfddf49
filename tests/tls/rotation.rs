//! Certificates that change while clients connect.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use crate::sessions::{client, connect, get};
use crate::support::Https;

/// How often the certificate changes.
const CHANGES: usize = 200;

#[test]
fn no_handshake_fails_and_no_connection_ends_while_certificates_change() {
    let https = Https::start();
    https.put("1", &["a.example"], json!({}));
    let (done, handshakes) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // A fresh client each time, so that every handshake is a whole one.
                    let mut tls = connect(&https, "a.example", &client(&https));
                    assert!(get(&mut tls, "a.example").starts_with("HTTP/1.1 200"));
                    handshakes.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut lasting = connect(&https, "a.example", &client(&https));
        for _ in 0..CHANGES {
            https.put("1", &["a.example"], json!({}));
            assert!(get(&mut lasting, "a.example").starts_with("HTTP/1.1 200"));
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(handshakes.into_inner() > 20);
}
