//! Asks the nodes of an upstream whether they are well, each at its interval and only so many at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lockgate_http::probe::{ProbeTls, probe};
use lockgate_http::resolver::Resolver;
use lockgate_plugin::without_port;
use lockgate_resource::{ActiveCheck, CheckType};
use rustls_pki_types::ServerName;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::passive::Statuses;
use super::{NodeHealth, Seen};
use crate::snapshot::{CompiledNode, NodeSet, Nodes};

/// How often it is looked whether there are other nodes.
const LOOK: Duration = Duration::from_millis(500);

/// What is asked of nodes, and what their answers mean.
#[derive(Debug)]
pub(crate) struct Plan {
    check: ActiveCheck,
    good: Statuses,
    bad: Statuses,
    /// The Host that requests are sent with, where that is not the node's.
    host: Option<Box<str>>,
    resolver: Resolver,
}

impl Plan {
    /// `host` is the one that requests are sent with, where that is not the node's.
    pub(crate) fn new(check: &ActiveCheck, host: Option<&str>, resolver: &Resolver) -> Self {
        Self {
            good: Statuses::new(&check.healthy.http_statuses),
            bad: Statuses::new(&check.unhealthy.http_statuses),
            host: check.host.as_deref().or(host).map(Into::into),
            check: check.clone(),
            resolver: resolver.clone(),
        }
    }

    /// How nodes are asked, as the Control API writes it.
    pub(super) fn kind(&self) -> &'static str {
        match self.check.kind {
            CheckType::Http => "http",
            CheckType::Https => "https",
            CheckType::Tcp => "tcp",
        }
    }

    /// The port that a node is asked at.
    pub(super) fn port(&self, node: &CompiledNode) -> u16 {
        self.check.port.unwrap_or(node.port())
    }

    fn interval(&self, health: &NodeHealth) -> Duration {
        let (healthy, unhealthy) = (self.check.healthy.interval, self.check.unhealthy.interval);
        Duration::from_secs(u64::from(if health.is_healthy() { healthy } else { unhealthy }))
    }

    fn request(&self, node: &CompiledNode) -> Option<Vec<u8>> {
        if self.check.kind == CheckType::Tcp {
            return None;
        }
        let ActiveCheck { http_method, http_path, http_req_body, req_headers, .. } = &self.check;
        let mut request = format!("{http_method} {http_path} HTTP/1.1\r\n");
        let mut line = |name: &str, value: &str| {
            let is_written = |line: &&String| {
                line.split_once(':').is_some_and(|(written, _)| written.trim().eq_ignore_ascii_case(name))
            };
            if req_headers.iter().find(is_written).is_none() {
                request.extend([name, ": ", value, "\r\n"]);
            }
        };
        line("Host", self.host.as_deref().unwrap_or(&node.host));
        line("User-Agent", "lockgate (health check)");
        line("Connection", "close");
        if !http_req_body.is_empty() {
            line("Content-Length", &http_req_body.len().to_string());
        }
        request.extend(req_headers.iter().flat_map(|header| [header, "\r\n"]));
        request.extend(["\r\n", http_req_body]);
        Some(request.into_bytes())
    }

    fn tls(&self, node: &CompiledNode) -> io::Result<Option<ProbeTls>> {
        if self.check.kind != CheckType::Https {
            return Ok(None);
        }
        let name = self.host.as_deref().map_or(node.name(), without_port);
        let name = name.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        Ok(Some(ProbeTls { verifies: self.check.https_verify_certificate, name }))
    }

    async fn ask(&self, node: &CompiledNode) -> io::Result<Option<u16>> {
        let addresses = self.resolver.addresses(node.name(), self.port(node)).await;
        let addresses = addresses.map_err(io::Error::other)?;
        let at: SocketAddr = *addresses.first().ok_or(io::ErrorKind::NotFound)?;
        node.state().note_address(at.ip());
        probe(at, self.tls(node)?.as_ref(), self.request(node).as_deref()).await
    }

    /// Asks a node once and takes note of the answer.
    async fn check(&self, node: &CompiledNode) {
        let health = &node.state().health;
        let limits = &self.check.unhealthy;
        let success = |health: &NodeHealth| health.observe(Seen::Success, self.check.healthy.successes);
        let has_changed = match timeout(self.check.timeout, self.ask(node)).await {
            Err(_) => health.observe(Seen::Timeout, limits.timeouts),
            Ok(Ok(None)) => success(health),
            Ok(Ok(Some(status))) if self.good.has(status) => success(health),
            Ok(Ok(Some(status))) if !self.bad.has(status) => false,
            Ok(Err(error)) if error.kind() != io::ErrorKind::InvalidData => {
                health.observe(Seen::TcpFailure, limits.tcp_failures)
            }
            Ok(Ok(Some(_)) | Err(_)) => health.observe(Seen::HttpFailure, limits.http_failures),
        };
        if has_changed {
            node.tell_health();
        }
    }
}

/// Checks nodes for as long as it is polled.
pub(crate) async fn watch(plan: Arc<Plan>, nodes: Nodes) {
    loop {
        match nodes.now() {
            Some(set) => watch_set(&plan, &nodes, &set).await,
            None => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Checks nodes until they are others.
async fn watch_set(plan: &Arc<Plan>, nodes: &Nodes, set: &Arc<NodeSet>) {
    let most = usize::try_from(plan.check.concurrency).unwrap_or(usize::MAX).max(1);
    let begun = Instant::now();
    let mut due: BinaryHeap<_> = (0..set.nodes().len()).map(|node| Reverse((begun, node))).collect();
    let mut running = JoinSet::new();
    let mut look = begun + LOOK;
    loop {
        let now = Instant::now();
        while running.len() < most
            && let Some(Reverse((at, node))) = due.pop()
        {
            if at > now {
                due.push(Reverse((at, node)));
                break;
            }
            let (plan, set) = (plan.clone(), set.clone());
            running.spawn(async move {
                plan.check(&set.nodes()[node]).await;
                node
            });
        }
        let next = due.peek().filter(|_| running.len() < most).map_or(look, |Reverse((at, _))| look.min(*at));
        tokio::select! {
            Some(done) = running.join_next() => if let Ok(node) = done {
                let interval = plan.interval(&set.nodes()[node].state().health);
                due.push(Reverse((Instant::now() + jittered(interval), node)));
            },
            () = sleep_until(next) => {}
        }
        if Instant::now() >= look {
            if nodes.now().is_none_or(|now| !Arc::ptr_eq(&now, set)) {
                return;
            }
            look = Instant::now() + LOOK;
        }
    }
}

/// Up to a tenth earlier, so that the checks of many gateways do not come all at once.
fn jittered(interval: Duration) -> Duration {
    let random = RandomState::new().hash_one(0_u8) % 100;
    interval.saturating_sub(interval * u32::try_from(random).unwrap_or_default() / 1000)
}
