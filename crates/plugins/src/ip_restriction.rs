//! `ip-restriction`: lets in, or keeps out, the clients of some addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use http::StatusCode;
use ipnet::IpNet;
use lockgate_http::{Request, Response};
use lockgate_plugin::{BuildContext, BuildError, Error, Flow, Phase, Plugin, RequestContext};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// What users write under `ip-restriction`.
#[derive(Deserialize, JsonSchema)]
#[schemars(extend("oneOf" = [{"required": ["whitelist"]}, {"required": ["blacklist"]}]))]
pub(crate) struct Config {
    /// What a client is told that is kept out.
    #[serde(default = "message")]
    #[schemars(length(min = 1, max = 1024))]
    message: String,
    /// The status of that answer.
    #[serde(default = "forbidden")]
    #[schemars(range(min = 403, max = 404))]
    response_code: u16,
    /// Addresses and networks of clients that are let in; all others are kept out.
    #[schemars(length(min = 1), extend("items" = address()))]
    whitelist: Option<Vec<String>>,
    /// Addresses and networks of clients that are kept out.
    #[schemars(length(min = 1), extend("items" = address()))]
    blacklist: Option<Vec<String>>,
}

/// Whom it keeps out, and how.
pub(crate) struct IpRestriction {
    listed: AddressSet,
    /// Whether those that are listed are the ones that are let in.
    lets_in: bool,
    status: StatusCode,
    body: Bytes,
}

impl Plugin for IpRestriction {
    const NAME: &'static str = "ip-restriction";
    const PRIORITY: i32 = 3000;
    const PHASES: &'static [Phase] = &[Phase::Access];
    const NEVER_WAITS: bool = true;
    type Config = Config;

    fn build(config: Config, _: &BuildContext) -> Result<Self, BuildError> {
        let lets_in = config.whitelist.is_some();
        let list = config.whitelist.or(config.blacklist).unwrap_or_default();
        let listed = list.iter().map(|text| network(text)).collect::<Result<AddressSet, _>>()?;
        let status = StatusCode::from_u16(config.response_code)
            .map_err(|_| BuildError(format!("response_code {} is no status", config.response_code)))?;
        let body = format!("{}\n", json!({"message": config.message})).into();
        Ok(Self { listed, lets_in, status, body })
    }

    async fn access(&self, _: &mut Request, cx: &mut RequestContext) -> Result<Flow, Error> {
        if self.listed.has(cx.connection.peer.ip()) == self.lets_in {
            return Ok(Flow::Continue);
        }
        Ok(Flow::Respond(Response::text(self.status, "application/json", self.body.clone())))
    }
}

/// Addresses, as ranges that neither meet nor touch, the first first: a look-up halves them.
#[derive(Debug, Default, PartialEq, Eq)]
struct AddressSet {
    v4: Box<[(Ipv4Addr, Ipv4Addr)]>,
    v6: Box<[(Ipv6Addr, Ipv6Addr)]>,
}

impl AddressSet {
    fn has(&self, ip: IpAddr) -> bool {
        match ip.to_canonical() {
            IpAddr::V4(ip) => is_within(&self.v4, ip),
            IpAddr::V6(ip) => is_within(&self.v6, ip),
        }
    }
}

impl FromIterator<IpNet> for AddressSet {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match network {
                IpNet::V4(network) => v4.push((network.network(), network.broadcast())),
                IpNet::V6(network) => v6.push((network.network(), network.broadcast())),
            }
        }
        Self { v4: joined(v4), v6: joined(v6) }
    }
}

fn is_within<A: Ord + Copy>(ranges: &[(A, A)], address: A) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= address);
    after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|(_, last)| address <= *last)
}

/// Ranges of networks are within one another or apart.
fn joined<A: Ord + Copy>(mut ranges: Vec<(A, A)>) -> Box<[(A, A)]> {
    ranges.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    ranges.dedup_by(|next, kept| next.1 <= kept.1);
    ranges.into()
}

/// An address or a network. An IPv4 address in IPv6's clothes is one: clients are taken for what they are, too.
fn network(text: &str) -> Result<IpNet, BuildError> {
    let address = text.parse().map(|ip: IpAddr| IpNet::from(ip.to_canonical()));
    let network = address.or_else(|_| text.parse::<IpNet>());
    network.map_err(|_| BuildError(format!("invalid ip address: {text}")))
}

/// What an entry of a list looks like. What digits cannot say is looked at when it is read.
fn address() -> serde_json::Value {
    const BYTE: &str = "([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])";
    let v4 = format!(r"^({BYTE}\.){{3}}{BYTE}(/([12]?[0-9]|3[0-2]))?$");
    json!({"type": "string", "anyOf": [
        {"title": "IPv4 or IPv4/CIDR", "pattern": v4},
        {"title": "IPv6 or IPv6/CIDR", "pattern": "^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(/[0-9]{1,3})?$"},
    ]})
}

fn message() -> String {
    "Your IP address is not allowed".to_owned()
}

fn forbidden() -> u16 {
    403
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(networks: &[&str]) -> AddressSet {
        networks.iter().map(|text| network(text).unwrap()).collect()
    }

    #[test]
    fn networks_within_others_are_left_out() {
        let one = set(&["10.1.0.0/16", "10.0.0.0/8", "10.0.0.1", "fe80::/32", "fe80::1", "10.0.0.0/8"]);
        assert_eq!(one, set(&["fe80::/32", "10.0.0.0/8"]));
        assert_eq!((one.v4.len(), one.v6.len()), (1, 1));
    }

    #[test]
    fn an_entry_is_an_address_or_a_network() {
        assert_eq!(network("192.168.0.7/24").unwrap().trunc(), "192.168.0.0/24".parse().unwrap());
        assert_eq!(network("::ffff:10.0.0.1").unwrap(), "10.0.0.1/32".parse().unwrap());
        for wrong in ["10.255.256.0/24", "10.0.0.0/38", "fe80::/200", "::g", "", "10.0.0", "localhost"] {
            assert_eq!(network(wrong).unwrap_err().0, format!("invalid ip address: {wrong}"));
        }
    }

    proptest! {
        #[test]
        fn an_address_is_in_the_set_when_it_is_in_a_network(
            networks in proptest::collection::vec((any::<u8>(), 0..=32_u8), 0..50),
            address in any::<u8>(),
        ) {
            // Few addresses, so that they meet.
            let of = |byte: u8| Ipv4Addr::new(10, byte >> 4, 0, byte & 15);
            let networks: Vec<IpNet> =
                networks.into_iter().map(|(byte, len)| IpNet::new(of(byte).into(), len).unwrap()).collect();
            let ip = IpAddr::from(of(address));
            let set: AddressSet = networks.iter().copied().collect();
            prop_assert_eq!(set.has(ip), networks.iter().any(|network| network.contains(&ip)));
            let mapped = of(address).to_ipv6_mapped().into();
            prop_assert_eq!(set.has(mapped), set.has(ip));
        }
    }
}
