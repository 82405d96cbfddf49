//! An upstream, compiled: peers to connect to, and whose turn it is.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lockgate_http::client::Timeouts;
use lockgate_http::peer::{KeepAlive, Peer, PeerTls, Protocol};
use lockgate_http::tls;
use lockgate_plugin::BuildContext;
use lockgate_resource::{Balance, Node, PassHost, Scheme, Upstream};
use rustls_pki_types::ServerName;

use crate::balancer::RoundRobin;

/// Nodes, and how they are asked.
#[derive(Debug)]
pub(crate) struct CompiledUpstream {
    nodes: Vec<CompiledNode>,
    /// One round for each priority, the highest first.
    rounds: Vec<RoundRobin>,
    pub(crate) host: HostRule,
    /// Seconds written in the upstream itself; a route may say otherwise.
    pub(crate) timeouts: Option<Timeouts>,
    /// How many more nodes are asked when one cannot be reached.
    pub(crate) retries: usize,
    pub(crate) retry_timeout: Option<Duration>,
}

/// A node, compiled.
#[derive(Debug)]
pub(crate) struct CompiledNode {
    pub(crate) peer: Arc<Peer>,
    /// Host and port as `pass_host: node` sends them.
    pub(crate) host: Box<str>,
    written: Node,
    tls: Option<NodeTls>,
    keep_alive: KeepAlive,
}

/// How TLS is spoken to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NodeTls {
    verifies: bool,
    /// What the certificate is asked for by: the name that the node is sent as Host, where that is known
    /// beforehand.
    name: Box<str>,
}

impl NodeTls {
    fn of(node: &Node, upstream: &Upstream) -> Option<Self> {
        let name = match (&upstream.pass_host, &upstream.upstream_host) {
            (PassHost::Rewrite, Some(host)) => without_port(host),
            _ => &node.host,
        };
        let verifies = upstream.tls.as_ref().is_some_and(|tls| tls.verify);
        upstream.scheme.is_tls().then(|| Self { verifies, name: name.into() })
    }
}

/// A host without its port, and an IPv6 address without its brackets.
fn without_port(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        return address;
    }
    match host.split_once(':') {
        Some((name, port)) if !port.contains(':') => name,
        _ => host,
    }
}

/// Which Host a node is sent.
#[derive(Debug)]
pub(crate) enum HostRule {
    Pass,
    Node,
    Rewrite(Box<str>),
}

impl CompiledUpstream {
    /// Compiles an upstream. Nodes that `previous` has keep their connections.
    pub(crate) fn compile(
        upstream: &Upstream,
        defaults: KeepAlive,
        cx: &BuildContext,
        previous: Option<&Self>,
    ) -> Result<Self, String> {
        refuse_unsupported(upstream)?;
        let keep_alive = upstream.keepalive_pool.map_or(defaults, |pool| KeepAlive {
            connections: pool.size as usize,
            timeout: if pool.idle_timeout.is_zero() { Duration::MAX } else { pool.idle_timeout },
            requests: pool.requests,
        });
        let node = |node: &Node| {
            let tls = NodeTls::of(node, upstream);
            let kept = previous.and_then(|previous| previous.node(node, tls.as_ref(), keep_alive));
            match kept.filter(|kept| kept.peer.protocol() == protocol(upstream.scheme)) {
                Some(kept) => Ok(kept),
                None => CompiledNode::new(node, upstream, tls, keep_alive, cx),
            }
        };
        let nodes = upstream.nodes.iter().map(node).collect::<Result<Vec<_>, String>>()?;
        let usable = upstream.nodes.iter().filter(|node| node.weight > 0).count();
        let retries = upstream.retries.map_or(usable.saturating_sub(1), |retries| retries as usize);
        Ok(Self {
            rounds: rounds(&upstream.nodes),
            nodes,
            host: match upstream.pass_host {
                PassHost::Pass => HostRule::Pass,
                PassHost::Node => HostRule::Node,
                PassHost::Rewrite => {
                    HostRule::Rewrite(upstream.upstream_host.as_deref().unwrap_or_default().into())
                }
            },
            timeouts: upstream.timeout.map(|timeout| super::timeouts(&timeout)),
            retries: retries.min(usable.saturating_sub(1)),
            retry_timeout: upstream.retry_timeout.filter(|timeout| !timeout.is_zero()),
        })
    }

    fn node(&self, written: &Node, tls: Option<&NodeTls>, keep_alive: KeepAlive) -> Option<CompiledNode> {
        let same = |node: &&CompiledNode| {
            let at = (&node.written.host, node.written.port);
            at == (&written.host, written.port) && node.tls.as_ref() == tls && node.keep_alive == keep_alive
        };
        let kept = self.nodes.iter().find(same)?;
        Some(CompiledNode {
            peer: kept.peer.clone(),
            host: kept.host.clone(),
            written: written.clone(),
            tls: kept.tls.clone(),
            keep_alive,
        })
    }

    /// The next node that was not asked yet; by priority, then by turn.
    pub(crate) fn pick(&self, asked: &[usize]) -> Option<(usize, &CompiledNode)> {
        let node = self.rounds.iter().find_map(|round| round.pick(|node| !asked.contains(&node)))?;
        Some((node, &self.nodes[node]))
    }
}

fn refuse_unsupported(upstream: &Upstream) -> Result<(), String> {
    let refused = |what: &str| Err(format!("{what} is not supported by this version"));
    match upstream {
        upstream if upstream.balance != Balance::RoundRobin => {
            refused("an upstream type other than roundrobin")
        }
        upstream if upstream.discovery_type.is_some() => refused("discovery_type"),
        upstream
            if upstream
                .tls
                .as_ref()
                .is_some_and(|tls| tls.client_cert.is_some() || tls.client_cert_id.is_some()) =>
        {
            refused("tls.client_cert")
        }
        _ => Ok(()),
    }
}

/// gRPC is HTTP/2 from the first byte; HTTP stays with 1.1, as nginx and Envoy have it.
fn protocol(scheme: Scheme) -> Protocol {
    match scheme {
        Scheme::Grpc | Scheme::Grpcs => Protocol::Http2,
        Scheme::Http | Scheme::Https => Protocol::Http1,
    }
}

fn rounds(nodes: &[Node]) -> Vec<RoundRobin> {
    let mut by_priority: BTreeMap<Reverse<i64>, Vec<u32>> = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        let weights = by_priority.entry(Reverse(node.priority)).or_insert_with(|| vec![0; nodes.len()]);
        weights[index] = node.weight;
    }
    by_priority.values().map(|weights| RoundRobin::new(weights)).collect()
}

impl CompiledNode {
    fn new(
        node: &Node,
        upstream: &Upstream,
        tls: Option<NodeTls>,
        keep_alive: KeepAlive,
        cx: &BuildContext,
    ) -> Result<Self, String> {
        let port = node.port.unwrap_or(upstream.scheme.default_port());
        let is_v6 = node.host.contains(':');
        let shown = if is_v6 { format!("[{}]", node.host) } else { node.host.clone() };
        let host = if port == upstream.scheme.default_port() { shown } else { format!("{shown}:{port}") };
        let peer_tls = tls.as_ref().map(|tls| {
            let name = ServerName::try_from(String::from(&*tls.name));
            let name = name.map_err(|_| format!("{} cannot be a TLS name", tls.name))?;
            let config = tls::client_config(tls.verifies);
            Ok::<_, String>(PeerTls { config, name })
        });
        let peer_tls = peer_tls.transpose()?;
        let peer = Peer::new(&node.host, port, peer_tls, keep_alive, &cx.resolver);
        Ok(Self {
            peer: Arc::new(peer.speaking(protocol(upstream.scheme))),
            host: host.into(),
            written: node.clone(),
            tls,
            keep_alive,
        })
    }
}

#[cfg(test)]
mod tests {
    use lockgate_http::resolver::Resolver;
    use lockgate_plugin::Secrets;
    use serde_json::{Value, json};

    use super::*;

    struct Nothing;

    impl Secrets for Nothing {
        fn open(&self, _: &str) -> Option<String> {
            None
        }
    }

    fn compile(upstream: &Value, previous: Option<&CompiledUpstream>) -> CompiledUpstream {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let resolver = Resolver::new(runtime.handle().clone(), []);
        let cx = BuildContext::new(resolver, Arc::new(Nothing));
        let upstream = Upstream::from_value(upstream).unwrap();
        CompiledUpstream::compile(&upstream, KeepAlive::default(), &cx, previous).unwrap()
    }

    fn https(host: &str, weight: u32) -> Value {
        json!({
            "scheme": "https", "pass_host": "rewrite", "upstream_host": host,
            "nodes": [{"host": "127.0.0.1", "port": 443, "weight": weight}],
        })
    }

    #[test]
    fn a_node_keeps_its_connections_only_while_its_certificate_has_the_same_name() {
        let first = compile(&https("a.example", 1), None);
        let peer = |upstream: &CompiledUpstream| upstream.nodes[0].peer.clone();
        let heavier = compile(&https("a.example", 2), Some(&first));
        assert!(Arc::ptr_eq(&peer(&first), &peer(&heavier)));
        let renamed = compile(&https("b.example", 1), Some(&first));
        assert!(!Arc::ptr_eq(&peer(&first), &peer(&renamed)));
    }

    #[test]
    fn a_certificate_is_asked_for_without_a_port() {
        for (host, name) in [("a:8443", "a"), ("a", "a"), ("[::1]:443", "::1"), ("::1", "::1")] {
            assert_eq!(without_port(host), name);
        }
    }
}
