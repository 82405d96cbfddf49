//! An upstream, compiled: its nodes, or who finds them, and how they are asked.

use std::sync::Arc;
use std::time::Duration;

use lockgate_http::Request;
use lockgate_http::client::Timeouts;
use lockgate_http::peer::KeepAlive;
use lockgate_plugin::{BuildContext, RequestContext};
use lockgate_resource::{PassHost, Upstream};

use super::node::NodeSet;
use crate::balancer::HashKey;
use crate::discovery::{Discovered, Discovery, Search};
use crate::health::Plan;

/// Nodes, and how they are asked.
#[derive(Debug)]
pub(crate) struct CompiledUpstream {
    pub(crate) nodes: Nodes,
    pub(crate) host: HostRule,
    /// Seconds written in the upstream itself; a route may say otherwise.
    pub(crate) timeouts: Option<Timeouts>,
    pub(crate) retry_timeout: Option<Duration>,
    key: Option<HashKey>,
    /// How nodes are asked whether they are well, where they are.
    pub(crate) plan: Option<Arc<Plan>>,
    /// Where nodes are looked for, where they are.
    pub(crate) search: Option<Arc<Search>>,
    /// What it was compiled from, but for what is for people only.
    written: Upstream,
}

/// Where nodes come from.
#[derive(Clone, Debug)]
pub(crate) enum Nodes {
    /// They are written.
    Fixed(Arc<NodeSet>),
    /// Somebody looks for them.
    Discovered(Arc<Discovered>),
}

/// Nodes for one request.
pub(crate) enum Lent<'a> {
    Fixed(&'a NodeSet),
    Discovered(Arc<NodeSet>),
}

/// Which Host a node is sent.
#[derive(Debug)]
pub(crate) enum HostRule {
    Pass,
    Node,
    Rewrite(Box<str>),
}

impl CompiledUpstream {
    /// Compiles an upstream. One that says the same as `previous` is `previous`; otherwise nodes of it keep their
    /// connections, and what is known of them.
    pub(crate) fn compile(
        upstream: &Upstream,
        defaults: KeepAlive,
        cx: &BuildContext,
        previous: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, String> {
        let written = without_words(upstream);
        if let Some(same) = previous.filter(|previous| previous.written == written) {
            return Ok(same.clone());
        }
        let keep_alive = upstream.keepalive_pool.map_or(defaults, |pool| KeepAlive {
            connections: pool.size as usize,
            timeout: if pool.idle_timeout.is_zero() { Duration::MAX } else { pool.idle_timeout },
            requests: pool.requests,
        });
        let before = previous.and_then(|previous| previous.nodes.now());
        let (nodes, search) = if upstream.discovery_type.is_some() {
            let discovery = cx.shared.get(Discovery::default);
            let search = Search::new(&discovery, upstream, keep_alive, cx)?;
            let known = previous.filter(|previous| previous.written.service_name == upstream.service_name);
            let known = known.and(before.as_deref()).and_then(|before| search.again(before));
            let discovered = Discovered::new(known);
            (Nodes::Discovered(Arc::new(discovered)), Some(Arc::new(search)))
        } else {
            let set = NodeSet::compile(&upstream.nodes, upstream, keep_alive, cx, before.as_deref())?;
            (Nodes::Fixed(Arc::new(set)), None)
        };
        let host = HostRule::of(upstream);
        let active = upstream.checks.as_ref().and_then(|checks| checks.active.as_ref());
        Ok(Arc::new(Self {
            nodes,
            plan: active.map(|check| Arc::new(Plan::new(check, host.fixed(), &cx.resolver))),
            host,
            timeouts: upstream.timeout.map(|timeout| super::timeouts(&timeout)),
            retry_timeout: upstream.retry_timeout.filter(|timeout| !timeout.is_zero()),
            key: HashKey::of(upstream)?,
            search,
            written,
        }))
    }

    /// The nodes as they are now. Where none were found yet, they are waited for.
    #[inline]
    pub(crate) async fn nodes(&self, within: Duration) -> Option<Lent<'_>> {
        match &self.nodes {
            Nodes::Fixed(set) => Some(Lent::Fixed(set)),
            Nodes::Discovered(discovered) => match discovered.now() {
                Some(set) => Some(Lent::Discovered(set)),
                None => Box::pin(discovered.wait(within)).await.map(Lent::Discovered),
            },
        }
    }

    /// What `chash` goes by.
    #[inline]
    pub(crate) fn key(&self, request: &Request, cx: &RequestContext) -> u64 {
        self.key.as_ref().map_or(0, |key| key.hash(request, cx))
    }
}

impl Nodes {
    /// The nodes as they are now, where any were found yet.
    pub(crate) fn now(&self) -> Option<Arc<NodeSet>> {
        match self {
            Self::Fixed(set) => Some(set.clone()),
            Self::Discovered(discovered) => discovered.now(),
        }
    }
}

impl std::ops::Deref for Lent<'_> {
    type Target = NodeSet;

    fn deref(&self) -> &NodeSet {
        match self {
            Self::Fixed(set) => set,
            Self::Discovered(set) => set,
        }
    }
}

impl HostRule {
    fn of(upstream: &Upstream) -> Self {
        match upstream.pass_host {
            PassHost::Pass => Self::Pass,
            PassHost::Node => Self::Node,
            PassHost::Rewrite => Self::Rewrite(upstream.upstream_host.as_deref().unwrap_or_default().into()),
        }
    }

    /// The one that is the same for every node and client.
    fn fixed(&self) -> Option<&str> {
        match self {
            Self::Rewrite(host) => Some(host),
            Self::Pass | Self::Node => None,
        }
    }
}

/// An upstream without what changes nothing.
fn without_words(upstream: &Upstream) -> Upstream {
    let mut written = upstream.clone();
    (written.id, written.name, written.desc) = (None, None, None);
    (written.create_time, written.update_time) = (None, None);
    written.labels.clear();
    written
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

    fn compile(upstream: &Value, previous: Option<&Arc<CompiledUpstream>>) -> Arc<CompiledUpstream> {
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
        let peer = |upstream: &CompiledUpstream| upstream.nodes.now().unwrap().nodes()[0].peer.clone();
        let heavier = compile(&https("a.example", 2), Some(&first));
        assert!(Arc::ptr_eq(&peer(&first), &peer(&heavier)));
        let renamed = compile(&https("b.example", 1), Some(&first));
        assert!(!Arc::ptr_eq(&peer(&first), &peer(&renamed)));
    }

    #[test]
    fn what_is_known_of_a_node_outlives_changes_of_it() {
        let upstream = |size: u32, weight: u32| {
            json!({"type": "least_conn", "keepalive_pool": {"size": size}, "name": format!("{weight}"),
                "nodes": {"127.0.0.1": weight, "127.0.0.2:80": 1}})
        };
        let first = compile(&upstream(1, 1), None);
        let held = first.nodes.now().unwrap().hold(0);
        let next = compile(&upstream(2, 7), Some(&first));
        assert_eq!(next.nodes.now().unwrap().nodes()[0].state().under_way(), 1);
        drop(held);
        assert_eq!(next.nodes.now().unwrap().nodes()[0].state().under_way(), 0);
        let mut same = upstream(2, 7);
        (same["name"], same["update_time"]) = (json!("another"), json!(7));
        assert!(Arc::ptr_eq(&next, &compile(&same, Some(&next))), "words change nothing");
    }
}
