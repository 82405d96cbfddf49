//! Which route is a request's: hosts first, then the uri, walking up to less specific ones where the method,
//! the client's address or a condition does not fit.
//!
//! The order is that of APISIX's `radixtree_host_uri`, with `:name` parameters in addition: an exact host,
//! then wildcards by the length of what follows the `*`, then rules without a host. Below one host an exact
//! uri first, then, where two uris part, a literal before a parameter before a `*`, so that the longest prefix
//! comes first. On one uri the higher priority, then the smaller id. [`Kind`] names the other orders there are.

mod host;
mod kind;
mod method;
mod paths;
mod pattern;
mod radix;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use ipnet::IpNet;
use lockgate_plugin::Condition;

pub use kind::Kind;
pub use method::{MethodSet, UnknownMethod};

use host::{HostPattern, Reversed};
use paths::{Entry, Paths};
use pattern::{Names, Pattern};
use radix::{Prefixes, Tree};

/// What a request must look like.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// Tells rules apart, and orders those that are alike in all else: the route's id.
    pub id: String,
    /// Patterns of the path, one of which must match: `/a`, `/a/*`, `/a*`, `/a/:name/b`.
    pub uris: Vec<String>,
    /// Hosts, one of which must match, `a.example.com` or `*.example.com`; none for all. A wildcard stands for
    /// one label or more.
    pub hosts: Vec<String>,
    /// The methods; `None` or an empty set for all.
    pub methods: Option<MethodSet>,
    /// Networks, one of which the client must be in; none for all.
    pub remote_addrs: Vec<IpNet>,
    /// What else must hold.
    pub condition: Option<Condition>,
    /// Among rules with the same uri the higher comes first.
    pub priority: i32,
}

/// A rule that can match nothing, or nothing that was meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRule {
    /// It has no uri, or an empty one.
    #[error("rule {0} has no uri")]
    NoUri(String),
    /// A uri has a wildcard or parameter behind its `*`.
    #[error("uri {0} has a wildcard behind its *")]
    Wildcards(String),
    /// A host is empty or has a `*` that is not its first character.
    #[error("host {0} is not a name or *.name")]
    Host(String),
}

/// What is asked of the router.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The normal path.
    pub path: &'a str,
    /// The host as the client named it: any case, with or without port. Nobody asks for it where
    /// [`Router::has_hosts`] says no.
    pub host: &'a str,
    /// The method.
    pub method: &'a http::Method,
    /// The client's address.
    pub remote_addr: IpAddr,
}

/// The answer of the router.
#[derive(Debug)]
pub struct Found<'r, T> {
    /// What was inserted with the rule.
    pub value: &'r T,
    /// Where in the path begins what the `*` at the end of the uri stands for; `None` for a whole match.
    pub tail: Option<usize>,
    entry: &'r Entry<T>,
}

impl<'r, T> Found<'r, T> {
    /// The rule.
    pub fn rule(&self) -> &'r Arc<Rule> {
        &self.entry.rule
    }

    /// The uri of the rule that matched.
    pub fn uri(&self) -> &'r str {
        self.entry.uri()
    }

    /// Which of the rule's uris matched.
    pub fn uri_index(&self) -> u32 {
        self.entry.uri
    }

    /// Which of the rule's hosts matched, counted from one; `None` for a rule for all, and where hosts do not order
    /// rules.
    pub fn host_index(&self) -> Option<NonZeroU32> {
        self.entry.host
    }

    /// The host of the rule that matched; `None` where [`Found::host_index`] is.
    pub fn host(&self) -> Option<&'r str> {
        let at = self.host_index()?.get() as usize - 1;
        self.entry.rule.hosts.get(at).map(String::as_str)
    }

    /// The `:name` parameters in order, and a `*name`, read from the path that was asked for.
    pub fn parameters(&self, path: &'r str) -> impl Iterator<Item = (&'r str, &'r str)> + use<'r, T> {
        let uri = if self.entry.names == Names::None { "" } else { self.uri() };
        pattern::parameters(uri, path, self.entry.names == Names::Segments)
    }
}

/// Rules and what they lead to. A clone is two reference counts and shares everything; a change copies only
/// what lies on its way.
#[derive(Clone, Debug)]
pub struct Router<T> {
    kind: Kind,
    hosts: Tree<HostSlot<T>>,
    any: Paths<T>,
    /// Rules in `any` that are for some hosts only.
    hosted: usize,
}

/// The paths below one host.
#[derive(Clone, Debug)]
struct HostSlot<T> {
    exact: Paths<T>,
    wildcard: Paths<T>,
}

impl<T> Default for HostSlot<T> {
    fn default() -> Self {
        Self { exact: Paths::default(), wildcard: Paths::default() }
    }
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Self { kind: Kind::default(), hosts: Tree::default(), any: Paths::default(), hosted: 0 }
    }
}

impl<T: Clone> Router<T> {
    /// A router with no rule.
    pub fn new(kind: Kind) -> Self {
        Self { kind, ..Self::default() }
    }

    /// Which order it has.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Adds a rule. One with the same id must be removed before. Where it is refused nothing has changed.
    pub fn insert(&mut self, rule: &Arc<Rule>, value: T) -> Result<(), InvalidRule> {
        let (hosts, patterns) = self.understand(rule)?;
        self.hosted += usize::from(self.has_hosts_in_rules(rule));
        for (uri, pattern) in (0..).zip(&patterns) {
            let entry = |host| Entry::new(rule, uri, host, pattern, value.clone());
            if !self.kind.orders_by_host() {
                self.any.insert(pattern, entry(None).of_hosts());
                continue;
            }
            if hosts.is_empty() {
                self.any.insert(pattern, entry(None));
            }
            for (at, host) in (1..).zip(&hosts) {
                let slot = self.hosts.entry(&host.key);
                let paths = if host.is_wildcard { &mut slot.wildcard } else { &mut slot.exact };
                paths.insert(pattern, entry(NonZeroU32::new(at)));
            }
        }
        Ok(())
    }

    /// Takes a rule out: the one that was inserted, with the same uris, hosts and id.
    pub fn remove(&mut self, rule: &Arc<Rule>) {
        let Ok((hosts, patterns)) = self.understand(rule) else {
            return;
        };
        self.hosted -= usize::from(self.has_hosts_in_rules(rule));
        for pattern in &patterns {
            if hosts.is_empty() || !self.kind.orders_by_host() {
                self.any.remove(pattern, &rule.id);
                continue;
            }
            for host in &hosts {
                self.hosts.alter(&host.key, |slot| {
                    let paths = if host.is_wildcard { &mut slot.wildcard } else { &mut slot.exact };
                    paths.remove(pattern, &rule.id);
                    slot.exact.is_empty() && slot.wildcard.is_empty()
                });
            }
        }
    }

    /// Whether any rule is for some hosts only.
    pub fn has_hosts(&self) -> bool {
        self.hosted > 0 || !self.hosts.is_empty()
    }

    /// The first rule in order that fits; `check` says whether a condition holds, and is asked only for rules
    /// that fit in all else. Nothing is allocated.
    pub fn find(&self, query: &Query<'_>, mut check: impl FnMut(&Condition) -> bool) -> Option<Found<'_, T>> {
        let method = MethodSet::only(query.method);
        let mut fits = |entry: &Entry<T>| entry.fits(method, query, &mut check);
        if !self.hosts.is_empty()
            && let Some(host) = Reversed::of(query.host)
        {
            let host = host.as_bytes();
            let mut prefixes = Prefixes::new();
            self.hosts.prefixes(host, &mut prefixes);
            for &(slot, len) in prefixes.iter().rev() {
                let paths = if len == host.len() { &slot.exact } else { &slot.wildcard };
                if let Some(found) = paths.find(query.path, &mut fits) {
                    return Some(found);
                }
            }
        }
        self.any.find(query.path, &mut fits)
    }

    /// Whether a rule's hosts are looked at beside its path, and not before it.
    fn has_hosts_in_rules(&self, rule: &Rule) -> bool {
        !self.kind.orders_by_host() && !rule.hosts.is_empty()
    }

    fn understand<'a>(&self, rule: &'a Rule) -> Result<(Vec<HostPattern>, Vec<Pattern<'a>>), InvalidRule> {
        if rule.uris.is_empty() || rule.uris.iter().any(String::is_empty) {
            return Err(InvalidRule::NoUri(rule.id.clone()));
        }
        let host = |host: &String| HostPattern::parse(host).ok_or_else(|| InvalidRule::Host(host.clone()));
        let has_parameters = self.kind.has_parameters();
        let uri =
            |uri| Pattern::parse(uri, has_parameters).ok_or_else(|| InvalidRule::Wildcards(uri.to_owned()));
        let hosts = rule.hosts.iter().map(host).collect::<Result<_, _>>()?;
        let patterns = rule.uris.iter().map(|text| uri(text.as_str())).collect::<Result<_, _>>()?;
        Ok((hosts, patterns))
    }
}
