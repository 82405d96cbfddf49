//! What is known of the health of nodes, for the Control API.

use super::{Counter, Status};
use crate::Snapshot;
use crate::snapshot::{CompiledNode, CompiledUpstream};

/// An upstream whose nodes are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The resource it belongs to: `/apisix/upstreams/1`, `/apisix/routes/1` or `/apisix/services/1`.
    pub name: String,
    /// How it is checked: `http`, `https` or `tcp`.
    pub kind: &'static str,
    /// Its nodes.
    pub nodes: Vec<NodeReport>,
}

/// A node that is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeReport {
    /// Its address; its name as long as that was not resolved.
    pub ip: String,
    /// The port that is checked.
    pub port: u16,
    /// Its name, or its address where it has none.
    pub hostname: String,
    /// How it is.
    pub status: Status,
    /// What was seen of it.
    pub counter: Counter,
}

/// The health of all nodes that are checked, by the name of their resource.
pub fn report(snapshot: &Snapshot) -> Vec<Report> {
    snapshot.attended().filter_map(|(name, upstream)| of(name, upstream)).collect()
}

fn of(name: &str, upstream: &CompiledUpstream) -> Option<Report> {
    let plan = upstream.plan.as_ref()?;
    let set = upstream.nodes.now();
    let node = |node: &CompiledNode| NodeReport {
        ip: node.state().address().map_or_else(|| node.name().to_owned(), |ip| ip.to_string()),
        port: plan.port(node),
        hostname: node.name().to_owned(),
        status: node.state().health.status(),
        counter: node.state().health.counter(),
    };
    let nodes = set.iter().flat_map(|set| set.nodes()).map(node).collect();
    Some(Report { name: name.to_owned(), kind: plan.kind(), nodes })
}
