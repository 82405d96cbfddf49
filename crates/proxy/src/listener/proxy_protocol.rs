//! Who a connection is from, where a balancer in front says so: it is believed only where the settings name it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use lockgate_http::proxy_protocol::read;
use tokio::net::TcpStream;

use super::worker::Shared;

/// The addresses whose PROXY header is believed.
#[derive(Clone, Debug)]
pub struct Trusted(Arc<[IpNet]>);

impl Trusted {
    /// These ranges and no others.
    pub fn new(ranges: impl IntoIterator<Item = IpNet>) -> Self {
        Self(ranges.into_iter().collect())
    }

    fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|range| range.contains(&address))
    }
}

/// A peer that is no balancer of ours.
struct Stranger;

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its address is not in apisix.proxy_protocol.trusted_addresses")
    }
}

/// The client behind `peer`, or `peer` itself where it speaks for itself; `None` for a connection that is refused,
/// of which the log is told. Nothing behind the header is read.
pub(super) async fn identify(
    stream: &mut TcpStream,
    peer: SocketAddr,
    trusted: &Trusted,
    shared: &Shared,
) -> Option<SocketAddr> {
    if !trusted.has(peer.ip()) {
        shared.say_refused(peer, &Stranger);
        return None;
    }
    match read(stream, shared.settings.head_timeout).await {
        Ok(addresses) => Some(addresses.map_or(peer, |addresses| addresses.source)),
        Err(error) => {
            shared.say_refused(peer, &error);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Trusted;

    #[test]
    fn an_ipv4_balancer_is_the_same_on_a_socket_for_both_families() {
        let trusted = Trusted::new(["10.0.0.0/8".parse().unwrap()]);
        assert!(trusted.has("10.1.2.3".parse().unwrap()));
        assert!(trusted.has("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!trusted.has("11.1.2.3".parse().unwrap()));
    }
}
