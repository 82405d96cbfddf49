//! TLS that is cut off between a client and the gateway, in either direction: at every bound of a record, and behind
//! bytes within.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use lockgate_tests::{Authority, DEADLINE, FakeUpstream, Gateway, Ports, Settings};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use serde_json::json;

use crate::support::{End, are_logged, connect, cuts, end, is_well};

/// Which way the bytes go that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

/// A gateway that serves TLS, and a client's configuration.
struct Bench {
    gateway: Gateway,
    at: SocketAddr,
    config: Arc<rustls::ClientConfig>,
    _upstream: FakeUpstream,
    _ports: Ports,
}

impl Bench {
    fn start() -> Self {
        let ports = Ports::take();
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.get(0)));
        let ssl = json!({"enable": true, "listen": [{"ip": "127.0.0.1", "port": at.port()}]});
        let gateway = Gateway::with(Settings::new().set("apisix.ssl", ssl));
        let upstream = FakeUpstream::fixed("well");
        gateway.route("1", json!({"uri": "/*"}), &upstream.node());
        let authority = Authority::new();
        // Its signatures have one length, so each handshake is as long as the next.
        let (cert, key) = authority.pair_with("a.example", &rcgen::PKCS_ED25519, |_| {});
        gateway.put("/ssls/1", json!({"cert": cert, "key": key, "snis": ["a.example"]}));
        let mut roots = rustls::RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("it was written by us");
        roots.add(root).expect("a certificate of an authority");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        Self { gateway, at, config: Arc::new(config), _upstream: upstream, _ports: ports }
    }

    /// Asks for a target through a relay that ends behind so many bytes of one way; what passed that way.
    fn ask(&self, target: &str, way: Way, count: usize, how: End) -> (Vec<u8>, Option<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let relay = listener.local_addr().expect("a bound socket has an address");
        let gateway = self.at;
        let relaying = thread::spawn(move || {
            let (client, _) = listener.accept().expect("the client connects");
            pass(&client, connect(gateway), way, count, how)
        });
        let answer = self.exchange(relay, target).ok();
        (relaying.join().expect("the relay does not fail"), answer)
    }

    fn exchange(&self, address: SocketAddr, target: &str) -> std::io::Result<String> {
        let name = ServerName::try_from("a.example").expect("a name");
        let session = rustls::ClientConnection::new(self.config.clone(), name).expect("it fits");
        let mut stream = rustls::StreamOwned::new(session, connect(address));
        let request = format!("GET {target} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

/// Passes bytes on both ways until so many have passed the one way, or one side ends. The gateway must end, too.
fn pass(client: &TcpStream, gateway: TcpStream, way: Way, count: usize, how: End) -> Vec<u8> {
    client.set_read_timeout(Some(DEADLINE)).expect("more than nothing");
    client.set_nodelay(true).expect("a connected socket");
    let clone = |socket: &TcpStream| socket.try_clone().expect("a socket can be cloned");
    let (counted, other) = match way {
        Way::Up => ((clone(client), clone(&gateway)), (clone(&gateway), clone(client))),
        Way::Down => ((clone(&gateway), clone(client)), (clone(client), clone(&gateway))),
    };
    let back = thread::spawn(move || copy(other.0, other.1, usize::MAX));
    let passed = copy(counted.0, counted.1, count);
    let _ = client.shutdown(Shutdown::Both);
    if how == End::Reset {
        // This wakes the other way's reader and tells the gateway nothing.
        let _ = gateway.shutdown(Shutdown::Read);
    } else {
        let _ = gateway.shutdown(Shutdown::Write);
        let mut watched = clone(&gateway);
        let ended = watched.read_to_end(&mut Vec::new());
        let is_hanging = ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!is_hanging, "the gateway keeps a connection that was cut behind {count} bytes {way:?}");
    }
    drop(back.join());
    end(gateway, how);
    passed
}

/// Copies at most so many bytes; what it has copied.
fn copy(mut from: TcpStream, mut to: TcpStream, count: usize) -> Vec<u8> {
    let (mut copied, mut piece) = (Vec::new(), [0; 16 * 1024]);
    while copied.len() < count {
        let room = piece.len().min(count - copied.len());
        let Ok(read @ 1..) = from.read(&mut piece[..room]) else { break };
        copied.extend_from_slice(&piece[..read]);
        if to.write_all(&piece[..read]).is_err() {
            break;
        }
    }
    copied
}

/// Where the records begin and end.
fn records(bytes: &[u8]) -> Vec<usize> {
    let (mut bounds, mut at) = (vec![0], 0);
    while at + 5 <= bytes.len() {
        at += 5 + usize::from(u16::from_be_bytes([bytes[at + 3], bytes[at + 4]]));
        bounds.extend([at, at + 5]);
    }
    bounds
}

fn hold(way: Way) {
    let bench = Bench::start();
    let name = if way == Way::Up { "up" } else { "down" };
    // Every target is as long as the next one, so that every conversation is, too.
    let (whole, answer) = bench.ask(&format!("/{name}-close-0000"), way, usize::MAX, End::Close);
    assert!(answer.is_some_and(|answer| answer.ends_with("well")), "nothing is cut");
    let bounds = records(&whole);
    assert!(bounds.len() > 6, "{bounds:?}");
    let mut asked = Vec::new();
    for (how, ends) in [(End::Close, "close"), (End::Reset, "reset")] {
        for cut in cuts(whole.len() - 2, 1, &bounds) {
            let target = format!("/{name}-{ends}-{cut:04}");
            let (passed, answer) = bench.ask(&target, way, cut, how);
            let is_whole = answer.is_some_and(|answer| answer.ends_with("well"));
            assert!(!is_whole || way == Way::Up || passed.len() < cut, "{target}: {} passed", passed.len());
            if way == Way::Down && cut > *bounds.iter().rev().nth(5).unwrap_or(&usize::MAX) {
                asked.push(target);
            }
            if cut % 5 == 0 {
                is_well(&mut connect(bench.gateway.proxy), "behind it");
            }
        }
    }
    is_well(&mut connect(bench.gateway.proxy), "behind all of them");
    are_logged(&bench.gateway, &asked, &["200", "499"]);
}

#[test]
fn a_client_whose_tls_is_cut_off_on_its_way_up_does_not_stay() {
    hold(Way::Up);
}

#[test]
fn a_client_whose_tls_is_cut_off_on_its_way_down_does_not_stay() {
    hold(Way::Down);
}
