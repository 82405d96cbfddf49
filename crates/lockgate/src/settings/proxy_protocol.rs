//! `apisix.proxy_protocol`: ports behind a balancer, which says in front of each connection whose it is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::Listener;
use super::read::Section;

/// Ports on which each connection begins with a PROXY header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProxyProtocol {
    /// `listen_http_port`: for HTTP. Default: none.
    pub(crate) http: Option<Listener>,
    /// `listen_https_port`: for HTTPS. Default: none.
    pub(crate) https: Option<Listener>,
    /// `trusted_addresses`: the balancers; a connection from elsewhere is refused. Default: loopback.
    pub(crate) trusted: Vec<IpNet>,
}

impl Default for ProxyProtocol {
    fn default() -> Self {
        let loopback = IpNet::new_assert(Ipv4Addr::new(127, 0, 0, 0).into(), 8);
        Self { http: None, https: None, trusted: vec![loopback, IpAddr::from(Ipv6Addr::LOCALHOST).into()] }
    }
}

impl ProxyProtocol {
    /// The ports there are, each with the key it is written under.
    pub(crate) fn listeners(&mut self) -> impl Iterator<Item = (&'static str, &mut Listener)> {
        let http = self.http.as_mut().map(|listener| ("listen_http_port", listener));
        http.into_iter().chain(self.https.as_mut().map(|listener| ("listen_https_port", listener)))
    }
}

pub(super) fn read(section: &mut Section<'_>, settings: &mut ProxyProtocol) {
    settings.http = section.get("listen_http_port");
    settings.https = section.get("listen_https_port");
    section.set("trusted_addresses", &mut settings.trusted);
}
