//! A gateway with HTTPS, and clients that ask it for names.

use std::net::{Ipv4Addr, SocketAddr};

use lockgate_tests::{Authority, Curl, FakeUpstream, Gateway, Ports, Settings, curl, sh};
use serde_json::{Value, json};

/// A gateway that serves HTTPS, one route to an upstream that echoes, and an authority.
pub(crate) struct Https {
    pub(crate) gateway: Gateway,
    pub(crate) upstream: FakeUpstream,
    pub(crate) authority: Authority,
    pub(crate) port: SocketAddr,
    _ports: Ports,
}

impl Https {
    pub(crate) fn start() -> Self {
        Self::with(Settings::new(), json!({}))
    }

    /// `ssl` is what else `apisix.ssl` says.
    pub(crate) fn with(settings: Settings, mut ssl: Value) -> Self {
        let ports = Ports::take();
        let port = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.get(0)));
        ssl["listen"] = json!([{"ip": "127.0.0.1", "port": port.port()}]);
        let gateway = Gateway::with(settings.set("apisix.ssl", ssl));
        let upstream = FakeUpstream::echo();
        gateway.route("1", json!({"uri": "/*"}), &upstream.node());
        Self { gateway, upstream, authority: Authority::new(), port, _ports: ports }
    }

    /// PUTs a certificate of the authority for these names; `more` is what else the resource says.
    pub(crate) fn put(&self, id: &str, snis: &[&str], mut more: Value) {
        let kind = &rcgen::PKCS_ECDSA_P256_SHA256;
        let (cert, key) = self.authority.pair_with(snis[0], kind, |params| {
            let name = |sni: &&str| rcgen::SanType::DnsName((*sni).try_into().expect("a name of ASCII"));
            params.subject_alt_names = snis.iter().map(name).collect();
        });
        more["cert"] = json!(cert);
        more["key"] = json!(key);
        more["snis"] = json!(snis);
        self.gateway.put(&format!("/ssls/{id}"), more);
    }

    /// curl, which asks for this name and verifies what it is shown.
    pub(crate) fn curl(&self, name: &str, path: &str, more: &[&str]) -> Curl {
        let (resolve, url) = (format!("{name}:{}:127.0.0.1", self.port.port()), self.url(name, path));
        self.curl_at(&url, &[&["--resolve", &resolve], more].concat())
    }

    /// The same for any URL.
    pub(crate) fn curl_at(&self, url: &str, more: &[&str]) -> Curl {
        let ca = self.authority.file();
        let mut arguments = vec!["-i", "--cacert", ca.to_str().expect("a path of ASCII")];
        arguments.extend(more);
        arguments.push(url);
        curl(&arguments)
    }

    pub(crate) fn url(&self, name: &str, path: &str) -> String {
        format!("https://{name}:{}{path}", self.port.port())
    }

    /// `openssl s_client` without input.
    pub(crate) fn s_client(&self, arguments: &str) -> Curl {
        let version = sh("openssl version");
        assert!(version.is_success, "install openssl");
        sh(&format!("openssl s_client -connect {} {arguments} < /dev/null", self.port))
    }
}
