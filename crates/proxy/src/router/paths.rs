//! The rules below one host, in a tree of the literals of their uris.

use std::cmp::Reverse;
use std::num::NonZeroU32;
use std::sync::Arc;

use lockgate_plugin::Condition;
use smallvec::SmallVec;

use super::pattern::{Names, Pattern};
use super::radix::{Prefixes, Tree};
use super::{Found, MethodSet, Query, Rule, host};

/// Rules by the first literal of their uris.
#[derive(Clone, Debug)]
pub(super) struct Paths<T>(Tree<Slot<T>>);

/// What there is at the end of a literal.
#[derive(Clone, Debug)]
struct Slot<T> {
    /// Uris that end here, and then uris with a `*` here.
    entries: SmallVec<[Entry<T>; 1]>,
    /// Uris with a parameter here, by the literal behind it.
    parameter: Option<Paths<T>>,
}

/// One uri of one rule, for one of its hosts. It is small, and most requests are decided by it alone: among
/// many routes each look at another piece of memory is a wait.
#[derive(Clone, Debug)]
pub(super) struct Entry<T> {
    pub(super) value: T,
    pub(super) rule: Arc<Rule>,
    pub(super) uri: u32,
    pub(super) host: Option<NonZeroU32>,
    /// How long the text is that a path must end with behind the `*`.
    rest: usize,
    methods: MethodSet,
    has_tail: bool,
    pub(super) names: Names,
    /// Whether the hosts of the rule were not looked at before its path.
    asks_host: bool,
    asks_more: bool,
}

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self(Tree::default())
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { entries: SmallVec::new(), parameter: None }
    }
}

impl<T> Entry<T> {
    /// `host` counts from 1; `None` for a rule for all hosts.
    pub(super) fn new(
        rule: &Arc<Rule>,
        uri: u32,
        host: Option<NonZeroU32>,
        pattern: &Pattern<'_>,
        value: T,
    ) -> Self {
        Self {
            value,
            rule: rule.clone(),
            uri,
            host,
            rest: pattern.tail.map_or(0, str::len),
            methods: rule.methods.unwrap_or_default(),
            has_tail: pattern.tail.is_some(),
            names: pattern.names,
            asks_host: false,
            asks_more: !rule.remote_addrs.is_empty() || rule.condition.is_some(),
        }
    }

    /// One whose hosts are asked for when its path has matched.
    pub(super) fn of_hosts(mut self) -> Self {
        self.asks_host = !self.rule.hosts.is_empty();
        self.asks_more |= self.asks_host;
        self
    }

    /// Whether everything but the path fits.
    pub(super) fn fits(
        &self,
        method: MethodSet,
        query: &Query<'_>,
        check: &mut impl FnMut(&Condition) -> bool,
    ) -> bool {
        if !self.methods.is_empty() && !self.methods.meets(method) {
            return false;
        }
        if !self.asks_more {
            return true;
        }
        if self.asks_host && !host::is_among(&self.rule.hosts, query.host) {
            return false;
        }
        let networks = &self.rule.remote_addrs;
        let remote = query.remote_addr.to_canonical();
        (networks.is_empty() || networks.iter().any(|network| network.contains(&remote)))
            && self.rule.condition.as_ref().is_none_or(check)
    }

    /// The answer; `at` is where the path goes on behind what the literals matched.
    fn found(&self, at: usize) -> Found<'_, T> {
        Found { value: &self.value, tail: (self.has_tail && self.rest == 0).then_some(at), entry: self }
    }

    pub(super) fn uri(&self) -> &str {
        self.rule.uris.get(self.uri as usize).map_or("", String::as_str)
    }

    /// Whether a path whose first `from` bytes are matched ends as the uri does behind its `*`.
    fn ends_as(&self, path: &str, from: usize) -> bool {
        let uri = self.uri().as_bytes();
        path.as_bytes()[from..].ends_with(&uri[uri.len() - self.rest..])
    }

    /// The order of entries at one place.
    fn rank(&self) -> impl Ord + '_ {
        (self.has_tail, Reverse(self.rest), Reverse(self.rule.priority), &self.rule.id, self.uri)
    }
}

impl<T> Paths<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first entry in order for which `fits` says yes.
    pub(super) fn find(&self, path: &str, fits: &mut impl FnMut(&Entry<T>) -> bool) -> Option<Found<'_, T>> {
        self.find_from(path, 0, fits)
    }

    fn find_from(
        &self,
        path: &str,
        from: usize,
        fits: &mut impl FnMut(&Entry<T>) -> bool,
    ) -> Option<Found<'_, T>> {
        let rest = &path.as_bytes()[from..];
        let mut prefixes = Prefixes::new();
        self.0.prefixes(rest, &mut prefixes);
        for &(slot, len) in prefixes.iter().rev() {
            let at = from + len;
            let mut ends = slot.entries.iter().take_while(|entry| !entry.has_tail);
            if at == path.len()
                && let Some(entry) = ends.find(|entry| fits(entry))
            {
                return Some(entry.found(at));
            }
            if let Some(below) = &slot.parameter {
                let segment = rest[len..].iter().position(|byte| *byte == b'/').unwrap_or(rest.len() - len);
                if segment > 0
                    && let Some(found) = below.find_from(path, at + segment, fits)
                {
                    return Some(found);
                }
            }
            let mut tails = slot.entries.iter().filter(|entry| entry.has_tail);
            if let Some(entry) =
                tails.find(|entry| (entry.rest == 0 || entry.ends_as(path, at)) && fits(entry))
            {
                return Some(entry.found(at));
            }
        }
        None
    }
}

impl<T: Clone> Paths<T> {
    pub(super) fn insert(&mut self, pattern: &Pattern<'_>, entry: Entry<T>) {
        self.slot(&pattern.literals).insert(entry);
    }

    fn slot(&mut self, literals: &[&str]) -> &mut Slot<T> {
        let Some((first, rest)) = literals.split_first() else {
            return self.0.entry(b"");
        };
        let slot = self.0.entry(first.as_bytes());
        if rest.is_empty() { slot } else { slot.parameter.get_or_insert_default().slot(rest) }
    }

    pub(super) fn remove(&mut self, pattern: &Pattern<'_>, id: &str) {
        self.remove_below(&pattern.literals, pattern.tail.is_some(), id);
    }

    fn remove_below(&mut self, literals: &[&str], has_tail: bool, id: &str) {
        let Some((first, rest)) = literals.split_first() else {
            return;
        };
        self.0.alter(first.as_bytes(), |slot| {
            if rest.is_empty() {
                slot.entries.retain(|entry| entry.has_tail != has_tail || entry.rule.id != id);
            } else if let Some(below) = &mut slot.parameter {
                below.remove_below(rest, has_tail, id);
                if below.is_empty() {
                    slot.parameter = None;
                }
            }
            slot.is_empty()
        });
    }
}

impl<T> Slot<T> {
    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.parameter.is_none()
    }

    fn insert(&mut self, entry: Entry<T>) {
        let at = self.entries.partition_point(|other| other.rank() <= entry.rank());
        self.entries.insert(at, entry);
    }
}
