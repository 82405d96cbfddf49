//! Keeps the nodes of an upstream up to what its registry says, for as long as it is polled.

use std::sync::Arc;
use std::time::Duration;

use lockgate_resource::Node;

use super::dns::Answer;
use super::{Discovered, Search};
use crate::snapshot::NodeSet;

/// How long an answer holds at least and at most, whatever its time to live.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);
/// How long after a failure it is asked again: where nodes are known, and where none are.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
const SOON: Duration = Duration::from_secs(1);

impl Search {
    /// Asks again whenever an answer has run out. Where there is no answer, the last one holds.
    pub(crate) async fn keep_up(self: Arc<Self>, found: Arc<Discovered>) {
        let mut last = None;
        loop {
            let wait = match self.dns.nodes(&self.service, last).await {
                Ok(Answer { nodes, holds, kind }) => {
                    last = Some(kind);
                    self.take(&found, &nodes);
                    holds.clamp(SHORTEST, LONGEST)
                }
                Err(reason) => self.miss(&found, &reason),
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Nodes that were found once, for another form of their upstream.
    pub(crate) fn again(&self, before: &NodeSet) -> Option<NodeSet> {
        let nodes: Vec<_> = before.nodes().iter().map(|node| node.written().clone()).collect();
        self.compile(&nodes, Some(before)).ok()
    }

    fn compile(&self, nodes: &[Node], before: Option<&NodeSet>) -> Result<NodeSet, String> {
        NodeSet::compile(nodes, &self.upstream, self.keep_alive, &self.cx.0, before)
    }

    fn take(&self, found: &Discovered, nodes: &[Node]) {
        let before = found.now();
        if before.as_ref().is_some_and(|before| before.are(nodes)) {
            return;
        }
        match self.compile(nodes, before.as_deref()) {
            Ok(set) => {
                tracing::info!(
                    service = self.service.host,
                    nodes = nodes.len(),
                    "nodes of a service have changed"
                );
                found.put(set);
            }
            Err(reason) => {
                tracing::error!(service = self.service.host, reason, "nodes of a service cannot be used");
            }
        }
    }

    fn miss(&self, found: &Discovered, reason: &str) -> Duration {
        let before = found.now();
        tracing::warn!(service = self.service.host, reason, "service is not found, its last nodes serve");
        if before.as_ref().is_some_and(|before| !before.nodes().is_empty()) {
            return AFTER_FAILURE;
        }
        // Whoever waits for nodes is told that there are none.
        if before.is_none()
            && let Ok(none) = self.compile(&[], None)
        {
            found.put(none);
        }
        SOON
    }
}
