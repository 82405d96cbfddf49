//! `discovery`: who finds the nodes of upstreams that name a service in their place.

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};

use lockgate_proxy::discovery::{DnsOrder, DnsSettings};

use super::read::{Place, Readable, Section};

/// The port of DNS.
const PORT: u16 = 53;
/// A file of the kind of `/etc/resolv.conf` is never longer than this, in bytes.
const LONGEST_FILE: u64 = 1 << 16;

pub(super) fn read(section: &mut Section<'_>, dns: &mut Option<DnsSettings>) {
    if let Some(place) = section.place("dns") {
        *dns = place.mapping(|dns| read_dns(dns)).flatten();
    }
}

fn read_dns(section: &mut Section<'_>) -> Option<DnsSettings> {
    let order = section.get::<Vec<DnsOrder>>("order").unwrap_or_else(|| DnsOrder::DEFAULT.into());
    let servers = section.get::<Vec<Server>>("servers");
    let resolv_conf = section.get::<ResolvConf>("resolv_conf");
    match (servers, resolv_conf) {
        (None, None) => section.miss("servers"),
        (servers, file) => Some(DnsSettings {
            servers: servers.unwrap_or_default().into_iter().map(|server| server.0).collect(),
            resolv_conf: file.map(|file| file.0),
            order,
        }),
    }
}

/// A server: an address, perhaps with a port.
struct Server(SocketAddr);

impl Readable for Server {
    fn read(place: &Place<'_>) -> Option<Self> {
        let alone = |text: &str| text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, PORT));
        let server = place.text().and_then(|text| text.parse().ok().or_else(|| alone(text)));
        server.map(Self).or_else(|| place.refuse("an address such as 127.0.0.1:8600"))
    }
}

/// The text of a file.
struct ResolvConf(String);

impl Readable for ResolvConf {
    fn read(place: &Place<'_>) -> Option<Self> {
        let read = |path: &str| -> io::Result<String> {
            let mut text = String::new();
            File::open(path)?.take(LONGEST_FILE).read_to_string(&mut text)?;
            Ok(text)
        };
        match place.text().map(read) {
            Some(Ok(text)) => Some(Self(text)),
            Some(Err(error)) => place.complain(format!("cannot be read: {error}")),
            None => place.refuse("a file such as /etc/resolv.conf"),
        }
    }
}

impl Readable for DnsOrder {
    fn read(place: &Place<'_>) -> Option<Self> {
        match place.text() {
            Some("last") => Some(Self::Last),
            Some("SRV") => Some(Self::Srv),
            Some("A") => Some(Self::A),
            Some("AAAA") => Some(Self::Aaaa),
            Some("CNAME") => Some(Self::Cname),
            _ => place.refuse("last, SRV, A, AAAA or CNAME"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn dns(written: &str) -> Result<Option<DnsSettings>, String> {
        let read = Settings::parse(&format!("discovery: {{dns: {written}}}"), |_| None);
        read.map(|(settings, _)| settings.dns).map_err(|error| error.to_string())
    }

    #[test]
    fn servers_have_the_port_of_dns_unless_they_say_another() {
        let settings = dns("{servers: [127.0.0.1, '10.0.0.2:8600', '::1', '[::1]:54']}").unwrap().unwrap();
        let servers: Vec<_> = settings.servers.iter().map(SocketAddr::to_string).collect();
        assert_eq!(servers, ["127.0.0.1:53", "10.0.0.2:8600", "[::1]:53", "[::1]:54"]);
        assert_eq!(settings.order, DnsOrder::DEFAULT);
        let settings = dns("{servers: [127.0.0.1], order: [A, SRV]}").unwrap().unwrap();
        assert_eq!(settings.order, [DnsOrder::A, DnsOrder::Srv]);
    }

    #[test]
    fn mistakes_are_named() {
        for (written, why) in [
            ("{servers: [dns.test]}", "discovery.dns.servers[0]: expected an address such as 127.0.0.1:8600"),
            ("{order: [A]}", "discovery.dns"),
            ("{servers: [127.0.0.1], order: [MX]}", "expected last, SRV, A, AAAA or CNAME"),
            ("{resolv_conf: /no/such/file}", "discovery.dns.resolv_conf: cannot be read"),
        ] {
            let said = dns(written).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}
