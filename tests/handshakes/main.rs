//! Handshakes that somebody tries to get around: by other names, paths, sessions, chains, versions, and by noise.

mod certificates;
mod client;
mod keys;
mod mutual;
mod names;
mod sessions;
mod settings;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use lockgate_tests::{FakeUpstream, Gateway, Ports, Settings, eventually};
use serde_json::{Value, json};

use crate::certificates::{Ca, Pair};
use crate::client::Client;

/// A gateway that serves HTTPS before an upstream that answers with what it received.
struct Bench {
    gateway: Gateway,
    ca: Ca,
    at: SocketAddr,
    _upstream: FakeUpstream,
    _ports: Ports,
}

impl Bench {
    fn start() -> Self {
        Self::with(Settings::new())
    }

    fn with(settings: Settings) -> Self {
        Self::listening(settings, json!({}))
    }

    /// With further fields of the listener.
    fn listening(settings: Settings, mut listener: Value) -> Self {
        let ports = Ports::take();
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.get(0)));
        listener["ip"] = json!("127.0.0.1");
        listener["port"] = json!(at.port());
        let gateway = Gateway::with(
            settings.set("apisix.ssl.enable", json!(true)).set("apisix.ssl.listen", json!([listener])),
        );
        let upstream = FakeUpstream::echo();
        gateway.route("1", json!({"uri": "/*"}), &upstream.node());
        Self { gateway, ca: Ca::new("authority of a test"), at, _upstream: upstream, _ports: ports }
    }

    /// Gives the gateway a fresh certificate for names, with further fields; answers with what clients are shown.
    fn certify(&self, id: &str, names: &[&str], fields: Value) -> Pair {
        let pair = self.ca.issue(names);
        self.put(id, names, &pair, fields);
        pair
    }

    fn put(&self, id: &str, names: &[&str], pair: &Pair, fields: Value) {
        self.gateway.put(&format!("/ssls/{id}"), ssl(names, pair, fields));
    }

    /// A client that trusts this bench's authority.
    fn client(&self) -> Client {
        Client::new(self.at, &self.ca)
    }

    /// A file with this text, for programs that read files.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.gateway.home().join(name);
        std::fs::write(&path, text).expect("the temporary directory is writable");
        path
    }

    fn logged(&self, text: &str) {
        eventually(&format!("the log should say {text:?}"), || {
            self.gateway.output().contains(text).then_some(())
        });
    }
}

/// The body of a certificate.
fn ssl(names: &[&str], pair: &Pair, mut fields: Value) -> Value {
    fields["snis"] = json!(names);
    fields["cert"] = json!(pair.cert);
    fields["key"] = json!(pair.key);
    fields
}
