//! The nodes of an upstream, compiled: peers to connect to, and whose turn it is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use lockgate_http::peer::{KeepAlive, Peer, PeerTls, Protocol};
use lockgate_http::{ClientError, Fault, Request, tls};
use lockgate_plugin::BuildContext;
use lockgate_resource::{Node, PassHost, Scheme, Upstream};
use lockgate_telemetry::clock::Moment;
use rustls_pki_types::ServerName;

use super::by_host::ByHost;

use crate::balancer::{Balancer, Candidate, Held, NodeState};
use crate::health::Passive;

/// Nodes, and whose turn it is.
#[derive(Debug)]
pub(crate) struct NodeSet {
    nodes: Box<[CompiledNode]>,
    balancer: Balancer,
    passive: Option<Passive>,
    /// Whether it matters how nodes answer.
    is_watched: bool,
    /// How many more nodes are asked when one cannot be reached.
    pub(crate) retries: usize,
}

/// A node, compiled.
#[derive(Clone, Debug)]
pub(crate) struct CompiledNode {
    pub(crate) peer: Arc<Peer>,
    /// Peers by the client's Host, where that is what the node is asked for by.
    by_host: Option<Arc<ByHost>>,
    /// Host and port as `pass_host: node` sends them.
    pub(crate) host: Box<str>,
    written: Node,
    port: u16,
    tls: Option<NodeTls>,
    keep_alive: KeepAlive,
    state: Arc<NodeState>,
}

/// How TLS is spoken to a node.
#[derive(Clone, Debug)]
struct NodeTls {
    /// Whether the node's certificate is verified, and what it is shown of ours.
    config: Arc<rustls::ClientConfig>,
    /// What the certificate is asked for by: the name that the node is sent as Host, where that is known
    /// beforehand.
    name: Box<str>,
    /// Whether the client's Host comes before that name.
    is_clients: bool,
}

impl NodeTls {
    fn of(node: &Node, upstream: &Upstream) -> Result<Option<Self>, String> {
        let name = match (&upstream.pass_host, &upstream.upstream_host) {
            (PassHost::Rewrite, Some(host)) => without_port(host),
            _ => &node.host,
        };
        if !upstream.scheme.is_tls() {
            return Ok(None);
        }
        let written = upstream.tls.as_ref();
        let verifies = written.is_some_and(|tls| tls.verify);
        let shown = written.and_then(|tls| Some((tls.client_cert.as_ref()?, tls.client_key.as_ref()?)));
        let config = match shown {
            None => tls::client_config(verifies),
            Some((cert, key)) => tls::client_config_as(verifies, cert, key)
                .map_err(|reason| format!("tls.client_cert and tls.client_key: {reason}"))?,
        };
        Ok(Some(Self { config, name: name.into(), is_clients: upstream.pass_host == PassHost::Pass }))
    }
}

impl PartialEq for NodeTls {
    fn eq(&self, other: &Self) -> bool {
        let names = |tls: &Self| (tls.name.clone(), tls.is_clients);
        Arc::ptr_eq(&self.config, &other.config) && names(self) == names(other)
    }
}

/// A host without its port, and an IPv6 address without its brackets.
pub(super) fn without_port(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        return address;
    }
    match host.split_once(':') {
        Some((name, port)) if !port.contains(':') => name,
        _ => host,
    }
}

impl NodeSet {
    /// Compiles nodes of an upstream. Those that `previous` has keep their connections, and what is known of them.
    pub(crate) fn compile(
        nodes: &[Node],
        upstream: &Upstream,
        keep_alive: KeepAlive,
        cx: &BuildContext,
        previous: Option<&Self>,
    ) -> Result<Self, String> {
        let before = previous.iter().flat_map(|previous| &previous.nodes);
        let before: HashMap<_, _> = before.map(|node| ((&*node.written.host, node.port), node)).collect();
        let node = |node: &Node| {
            let port = node.port.unwrap_or(upstream.scheme.default_port());
            let before = before.get(&(&*node.host, port)).copied();
            CompiledNode::compile(node, upstream, keep_alive, cx, before)
        };
        let compiled = nodes.iter().map(node).collect::<Result<Box<[_]>, String>>()?;
        let is_checked = upstream.checks.is_some();
        let candidate = |node: &CompiledNode| {
            if !is_checked {
                node.state.health.forget();
            }
            let name = format!("{}:{}", node.written.host, node.port).into();
            let (weight, priority, state) = (node.written.weight, node.written.priority, node.state.clone());
            Candidate { name, weight, priority, state }
        };
        let candidates: Vec<_> = compiled.iter().map(candidate).collect();
        let balancer = Balancer::new(upstream.balance, &candidates, is_checked);
        let passive = upstream.checks.as_ref().and_then(|checks| checks.passive.as_ref()).map(Passive::new);
        let others = balancer.usable().saturating_sub(1);
        Ok(Self {
            nodes: compiled,
            is_watched: passive.is_some() || balancer.is_timed(),
            balancer,
            passive,
            retries: upstream.retries.map_or(others, |retries| others.min(retries as usize)),
        })
    }

    /// All of them.
    pub(crate) fn nodes(&self) -> &[CompiledNode] {
        &self.nodes
    }

    /// Whether these are the nodes.
    pub(crate) fn are(&self, nodes: &[Node]) -> bool {
        self.nodes.iter().map(|node| &node.written).eq(nodes)
    }

    /// The next node that was not asked yet; `key` is what `chash` goes by.
    pub(crate) fn pick(&self, key: u64, asked: &[usize]) -> Option<(usize, &CompiledNode)> {
        let node = self.balancer.pick(key, asked)?;
        Some((node, &self.nodes[node]))
    }

    /// A mark on a node that a request is under way there, where that is counted.
    pub(crate) fn hold(&self, node: usize) -> Option<Held> {
        self.balancer.hold(node)
    }

    /// A node gave an answer of this status, or failed, after so long.
    #[inline]
    pub(crate) fn observe(
        &self,
        node: usize,
        answer: Result<u16, &ClientError>,
        took: Duration,
        now: Moment,
    ) {
        if self.is_watched {
            self.take_note(node, answer, took, now);
        }
    }

    #[cold]
    fn take_note(&self, node: usize, answer: Result<u16, &ClientError>, took: Duration, now: Moment) {
        if answer.is_err_and(|error| error.fault() != Fault::Upstream) {
            return;
        }
        let node = &self.nodes[node];
        if self.balancer.is_timed() {
            node.state.took(took, answer.is_err(), now);
        }
        let Some(passive) = &self.passive else { return };
        let has_changed = match answer {
            Ok(status) => passive.answered(&node.state.health, status),
            Err(error) => passive.failed(&node.state.health, error),
        };
        if has_changed {
            node.tell_health();
        }
    }
}

impl CompiledNode {
    /// The node of before, where it is the same; a new one that shares what is known of it otherwise.
    fn compile(
        node: &Node,
        upstream: &Upstream,
        keep_alive: KeepAlive,
        cx: &BuildContext,
        before: Option<&Self>,
    ) -> Result<Self, String> {
        let tls = NodeTls::of(node, upstream)?;
        let is_same = |before: &&Self| {
            before.tls == tls
                && before.keep_alive == keep_alive
                && before.peer.protocol() == protocol(upstream.scheme, cx)
        };
        if let Some(same) = before.filter(is_same) {
            return Ok(Self { written: node.clone(), ..same.clone() });
        }
        let port = node.port.unwrap_or(upstream.scheme.default_port());
        let is_v6 = node.host.contains(':');
        let shown = if is_v6 { format!("[{}]", node.host) } else { node.host.clone() };
        let host = if port == upstream.scheme.default_port() { shown } else { format!("{shown}:{port}") };
        let peer_tls = tls.as_ref().map(|tls| {
            let name = ServerName::try_from(String::from(&*tls.name));
            let name = name.map_err(|_| format!("{} cannot be a TLS name", tls.name))?;
            let config = tls.config.clone();
            Ok::<_, String>(PeerTls { config, name })
        });
        let peer_tls = peer_tls.transpose()?;
        let by_host = tls.as_ref().filter(|tls| tls.is_clients).map(|tls| {
            Arc::new(ByHost {
                host: node.host.as_str().into(),
                port,
                config: tls.config.clone(),
                keep_alive,
                protocol: protocol(upstream.scheme, cx),
                resolver: cx.resolver.clone(),
                known: ArcSwap::default(),
            })
        });
        let peer = Peer::new(&node.host, port, peer_tls, keep_alive, &cx.resolver);
        Ok(Self {
            by_host,
            peer: Arc::new(peer.speaking(protocol(upstream.scheme, cx))),
            host: host.into(),
            written: node.clone(),
            port,
            tls,
            keep_alive,
            state: before.map(|before| before.state.clone()).unwrap_or_default(),
        })
    }

    /// The peer by the name that the client says, where the node is asked for by that.
    #[inline]
    pub(crate) fn peer_for(&self, request: &Request) -> Option<Arc<Peer>> {
        self.by_host.as_ref().and_then(|by_host| by_host.peer(request.host()))
    }

    /// Its name or address, without brackets.
    pub(crate) fn name(&self) -> &str {
        &self.written.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// As it was written, or found.
    pub(crate) fn written(&self) -> &Node {
        &self.written
    }

    /// What is known of it.
    pub(crate) fn state(&self) -> &NodeState {
        &self.state
    }

    /// Its health has changed sides.
    pub(crate) fn tell_health(&self) {
        let status = self.state.health.status().name();
        tracing::warn!(node = self.peer.label(), status, "health of a node has changed");
    }
}

/// gRPC is HTTP/2 from the first byte; HTTP stays with 1.1, as nginx and Envoy have it, unless the settings say that
/// HTTPS may be more.
fn protocol(scheme: Scheme, cx: &BuildContext) -> Protocol {
    match scheme {
        Scheme::Grpc | Scheme::Grpcs => Protocol::Http2,
        Scheme::Http => Protocol::Http1,
        Scheme::Https => cx.https(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn a_certificate_is_asked_for_without_a_port() {
        for (host, name) in [("a:8443", "a"), ("a", "a"), ("[::1]:443", "::1"), ("::1", "::1")] {
            assert_eq!(without_port(host), name);
        }
    }
}
