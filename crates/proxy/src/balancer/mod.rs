//! Which node a request goes to: by priority, and among those of one priority by the method of the upstream.

mod chash;
mod ewma;
mod key;
mod least_conn;
mod node;
mod round_robin;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use lockgate_resource::Balance;

pub use chash::hash;
pub(crate) use key::HashKey;
pub(crate) use node::Held;
pub use node::NodeState;

use chash::Ring;
use ewma::TwoChoices;
use least_conn::LeastConn;
use round_robin::RoundRobin;

/// A node as balancers see it.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What it is told from others by, after changes too: host and port.
    pub name: Box<str>,
    /// How much it gets in relation to the others; 0 is nothing.
    pub weight: u32,
    /// Higher ones are asked first.
    pub priority: i64,
    /// What is known of it, shared by all workers.
    pub state: Arc<NodeState>,
}

/// Picks nodes, by index. Compiled when nodes change; a pick takes no lock.
#[derive(Debug)]
pub struct Balancer {
    /// One for each priority, the highest first.
    levels: Box<[Level]>,
    states: Box<[Arc<NodeState>]>,
    /// Whether the health of nodes is known at all.
    is_checked: bool,
}

/// The nodes of one priority.
#[derive(Debug)]
struct Level {
    /// Those with a weight.
    members: Box<[usize]>,
    method: Method,
}

#[derive(Debug)]
enum Method {
    RoundRobin(RoundRobin),
    Chash(Ring),
    Ewma(TwoChoices),
    LeastConn(LeastConn),
}

impl Balancer {
    /// For these nodes; `is_checked` says whether somebody watches their health.
    pub fn new(balance: Balance, nodes: &[Candidate], is_checked: bool) -> Self {
        let mut by_priority: BTreeMap<Reverse<i64>, Vec<usize>> = BTreeMap::new();
        for (index, node) in nodes.iter().enumerate().filter(|(_, node)| node.weight > 0) {
            by_priority.entry(Reverse(node.priority)).or_default().push(index);
        }
        Self {
            levels: by_priority.into_values().map(|members| Level::new(balance, nodes, members)).collect(),
            states: nodes.iter().map(|node| node.state.clone()).collect(),
            is_checked,
        }
    }

    /// The next node that was not asked yet; `key` is what `chash` goes by. Unhealthy nodes are passed over, unless
    /// there are no others.
    pub fn pick(&self, key: u64, asked: &[usize]) -> Option<usize> {
        let untried = |node: usize| !asked.contains(&node);
        let is_healthy = |node: usize| self.states[node].health.is_healthy();
        // Asked first: a pick that finds nobody has moved the turn on nevertheless.
        if !self.is_checked || !self.levels.iter().any(|level| level.has(&is_healthy)) {
            return self.pick_fit(key, &untried);
        }
        self.pick_fit(key, &|node| untried(node) && is_healthy(node))
    }

    fn pick_fit(&self, key: u64, is_fit: &impl Fn(usize) -> bool) -> Option<usize> {
        self.levels.iter().find_map(|level| level.pick(&self.states, key, is_fit))
    }

    /// A mark on a node that a request is under way there, where that is counted; it ends when it is dropped.
    pub(crate) fn hold(&self, node: usize) -> Option<Held> {
        let is_counted =
            self.levels.first().is_some_and(|level| matches!(level.method, Method::LeastConn(_)));
        is_counted.then(|| Held::new(&self.states[node]))
    }

    /// Whether it wants to know how long nodes take.
    pub(crate) fn is_timed(&self) -> bool {
        self.levels.first().is_some_and(|level| matches!(level.method, Method::Ewma(_)))
    }

    /// How many nodes may be asked.
    pub(crate) fn usable(&self) -> usize {
        self.levels.iter().map(|level| level.members.len()).sum()
    }
}

impl Level {
    fn new(balance: Balance, nodes: &[Candidate], members: Vec<usize>) -> Self {
        let weights = || members.iter().map(|node| (*node, nodes[*node].weight));
        let method = match balance {
            Balance::RoundRobin => {
                let mut all = vec![0; nodes.len()];
                weights().for_each(|(node, weight)| all[node] = weight);
                Method::RoundRobin(RoundRobin::new(&all))
            }
            Balance::Chash => {
                Method::Chash(Ring::new(weights().map(|(node, weight)| (node, &*nodes[node].name, weight))))
            }
            Balance::Ewma => Method::Ewma(TwoChoices::new(&members)),
            Balance::LeastConn => Method::LeastConn(LeastConn::new(weights())),
        };
        Self { members: members.into(), method }
    }

    fn has(&self, is_fit: &impl Fn(usize) -> bool) -> bool {
        self.members.iter().any(|node| is_fit(*node))
    }

    fn pick(&self, states: &[Arc<NodeState>], key: u64, is_fit: &impl Fn(usize) -> bool) -> Option<usize> {
        match &self.method {
            Method::RoundRobin(round) => round.pick(is_fit),
            Method::Chash(ring) => ring.pick(key, is_fit, || self.has(is_fit)),
            Method::Ewma(choices) => choices.pick(states, is_fit),
            Method::LeastConn(fewest) => fewest.pick(states, is_fit),
        }
    }
}
