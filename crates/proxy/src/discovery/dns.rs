//! Services by DNS: SRV records with port, priority and weight, or addresses alone.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use lockgate_resource::Node;

use super::Service;

/// How long a server may take, and how often one is asked.
const TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;
/// Nodes of one service at most.
const MOST_NODES: usize = 4096;

/// `discovery.dns`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsSettings {
    /// `servers`: whom to ask. Where there are none, those of `resolv_conf`.
    pub servers: Vec<SocketAddr>,
    /// The text of the file that `resolv_conf` names.
    pub resolv_conf: Option<String>,
    /// `order`: which records are asked for, one kind after another until there are some.
    pub order: Vec<DnsOrder>,
}

/// A kind of record to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsOrder {
    /// The kind that there was last time.
    Last,
    /// Services: host, port, priority and weight.
    Srv,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Another name; those for addresses are followed anyway.
    Cname,
}

impl DnsOrder {
    /// What holds where the settings say nothing.
    pub const DEFAULT: [Self; 5] = [Self::Last, Self::Srv, Self::A, Self::Aaaa, Self::Cname];
}

/// Asks DNS for services.
pub struct Dns {
    resolver: TokioResolver,
    order: Vec<DnsOrder>,
}

/// The nodes of a service, how long that holds, and by which kind of record they were found.
pub(super) struct Answer {
    pub(super) nodes: Vec<Node>,
    pub(super) holds: Duration,
    pub(super) kind: DnsOrder,
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dns").field("order", &self.order).finish_non_exhaustive()
    }
}

/// Whether this can be a name in DNS.
pub(super) fn is_name(text: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !text.is_empty() && text.bytes().all(is_fit) && Name::from_ascii(text).is_ok()
}

impl Dns {
    /// Asks the servers of these settings.
    pub fn new(settings: &DnsSettings) -> Result<Self, String> {
        let (config, mut options) = match &settings.resolv_conf {
            Some(text) if settings.servers.is_empty() => {
                hickory_resolver::system_conf::parse_resolv_conf(text).map_err(|error| error.to_string())?
            }
            _ => {
                let servers = settings.servers.iter().map(server).collect();
                (ResolverConfig::from_name_servers(servers), ResolverOpts::default())
            }
        };
        // An answer is kept by whoever asked, for as long as it says.
        options.cache_size = 0;
        (options.timeout, options.attempts) = (TIMEOUT, ATTEMPTS);
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let resolver = builder.with_options(options).build().map_err(|error| error.to_string())?;
        Ok(Self { resolver, order: settings.order.clone() })
    }

    /// The nodes of a service; `last` is the kind of record it was found by last time.
    pub(super) async fn nodes(&self, service: &Service, last: Option<DnsOrder>) -> Result<Answer, String> {
        let mut why = "no kind of record is asked for".to_owned();
        let mut asked = Vec::new();
        for kind in &self.order {
            let kind = if *kind == DnsOrder::Last { last } else { Some(*kind) };
            let Some(kind) = kind.filter(|kind| !asked.contains(kind)) else { continue };
            asked.push(kind);
            let found = match kind {
                DnsOrder::Srv => self.services(service).await,
                DnsOrder::A => self.addresses(service, RecordType::A).await,
                DnsOrder::Aaaa => self.addresses(service, RecordType::AAAA).await,
                DnsOrder::Cname | DnsOrder::Last => continue,
            };
            match found {
                Ok((mut nodes, holds)) if !nodes.is_empty() => {
                    nodes.truncate(MOST_NODES);
                    // Servers turn their answers round; the same nodes are to be the same set.
                    nodes.sort_by(|a, b| (&a.host, a.port).cmp(&(&b.host, b.port)));
                    nodes.dedup_by(|a, b| (&a.host, a.port, a.priority) == (&b.host, b.port, b.priority));
                    return Ok(Answer { nodes, holds, kind });
                }
                Ok(_) => "there are no such records".clone_into(&mut why),
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    async fn records(&self, name: Name, kind: RecordType) -> Result<Vec<Record>, String> {
        let answer = self.resolver.lookup(name, kind).await.map_err(|error| error.to_string())?;
        Ok(answer.answers().iter().filter(|record| record.record_type() == kind).cloned().collect())
    }

    async fn addresses(&self, service: &Service, kind: RecordType) -> Result<(Vec<Node>, Duration), String> {
        let records = self.records(name(&service.host)?, kind).await?;
        let node = |ip: IpAddr| Node { host: ip.to_string(), port: service.port, weight: 1, priority: 0 };
        Ok((records.iter().filter_map(address).map(node).collect(), holds(&records)))
    }

    async fn services(&self, service: &Service) -> Result<(Vec<Node>, Duration), String> {
        let records = self.records(name(&service.host)?, RecordType::SRV).await?;
        let mut time = holds(&records);
        let mut nodes = Vec::new();
        for record in &records {
            let RData::SRV(srv) = &record.data else { continue };
            let mut targets = self.records(srv.target.clone(), RecordType::A).await;
            if targets.as_ref().map_or(true, Vec::is_empty) {
                targets = self.records(srv.target.clone(), RecordType::AAAA).await;
            }
            let targets = targets?;
            time = time.min(holds(&targets));
            nodes.extend(nodes_of(srv, service, &targets));
        }
        Ok((nodes, time))
    }
}

fn server(at: &SocketAddr) -> NameServerConfig {
    let on_port = |mut connection: ConnectionConfig| {
        connection.port = at.port();
        connection
    };
    let connections = vec![on_port(ConnectionConfig::udp()), on_port(ConnectionConfig::tcp())];
    NameServerConfig::new(at.ip(), true, connections)
}

fn name(host: &str) -> Result<Name, String> {
    Name::from_ascii(host).map_err(|error| format!("{host} is no name: {error}"))
}

/// The nodes of one SRV record: its addresses share its weight. RFC 2782 has a small chance for a weight of 0.
fn nodes_of(srv: &SRV, service: &Service, targets: &[Record]) -> Vec<Node> {
    let addresses: Vec<_> = targets.iter().filter_map(address).collect();
    let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let weight = (u32::from(srv.weight) / count).max(1);
    let port = service.port.or(Some(srv.port).filter(|port| *port > 0));
    let node = |ip: IpAddr| Node { host: ip.to_string(), port, weight, priority: -i64::from(srv.priority) };
    addresses.into_iter().map(node).collect()
}

fn address(record: &Record) -> Option<IpAddr> {
    match &record.data {
        RData::A(a) => Some(IpAddr::V4(a.0)),
        RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
        _ => None,
    }
}

/// The shortest time to live.
fn holds(records: &[Record]) -> Duration {
    let shortest = records.iter().map(|record| record.ttl).min();
    Duration::from_secs(shortest.unwrap_or_default().into())
}
