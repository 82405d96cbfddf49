//! The rules below one host, in a tree of the literals of their uris.

use std::cmp::Reverse;
use std::net::IpAddr;
use std::sync::Arc;

use lockgate_plugin::Condition;
use smallvec::SmallVec;

use super::pattern::Pattern;
use super::radix::Tree;
use super::{Found, MethodSet, Rule};

/// Rules by the first literal of their uris.
#[derive(Clone, Debug)]
pub(super) struct Paths<T>(Tree<Slot<T>>);

/// What there is at the end of a literal.
#[derive(Clone, Debug)]
struct Slot<T> {
    /// Uris that end here.
    ends: Entries<T>,
    /// Uris with a `*` here.
    tails: Entries<T>,
    /// Uris with a parameter here, by the literal behind it.
    parameter: Option<Paths<T>>,
}

type Entries<T> = SmallVec<[Entry<T>; 1]>;

/// One uri of one rule, for one of its hosts.
#[derive(Clone, Debug)]
pub(super) struct Entry<T> {
    rule: Arc<Rule>,
    value: T,
    uri: usize,
    host: Option<usize>,
    /// How long the text is that a path must end with behind the `*`.
    rest: usize,
    /// Kept beside the rule, so that most rules are decided without looking at it.
    methods: Option<MethodSet>,
    asks_more: bool,
}

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self(Tree::default())
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self {
            ends: SmallVec::new(),
            tails: SmallVec::new(),
            parameter: None,
        }
    }
}

impl<T> Entry<T> {
    pub(super) fn new(
        rule: &Arc<Rule>,
        uri: usize,
        host: Option<usize>,
        pattern: &Pattern<'_>,
        value: T,
    ) -> Self {
        Self {
            rule: rule.clone(),
            value,
            uri,
            host,
            rest: pattern.tail.map_or(0, str::len),
            methods: rule.methods.filter(|methods| !methods.is_empty()),
            asks_more: !rule.remote_addrs.is_empty() || rule.condition.is_some(),
        }
    }

    /// Whether everything but host and path fits.
    pub(super) fn fits(
        &self,
        method: MethodSet,
        remote: IpAddr,
        check: &mut impl FnMut(&Condition) -> bool,
    ) -> bool {
        if self.methods.is_some_and(|methods| !methods.meets(method)) {
            return false;
        }
        if !self.asks_more {
            return true;
        }
        let networks = &self.rule.remote_addrs;
        let remote = remote.to_canonical();
        (networks.is_empty() || networks.iter().any(|network| network.contains(&remote)))
            && self.rule.condition.as_ref().is_none_or(check)
    }

    /// The answer; `tail` is where the `*` begins.
    pub(super) fn found(&self, tail: Option<usize>) -> Found<'_, T> {
        Found {
            value: &self.value,
            rule: &self.rule,
            uri: self.uri(),
            host: self
                .host
                .and_then(|at| self.rule.hosts.get(at))
                .map(String::as_str),
            tail: tail.filter(|_| self.rest == 0),
        }
    }

    fn uri(&self) -> &str {
        self.rule.uris.get(self.uri).map_or("", String::as_str)
    }

    /// Whether a path whose first `from` bytes are matched ends as the uri does behind its `*`.
    fn ends_as(&self, path: &str, from: usize) -> bool {
        let uri = self.uri().as_bytes();
        self.rest == 0 || path.as_bytes()[from..].ends_with(&uri[uri.len() - self.rest..])
    }

    /// The order of entries at one place.
    fn rank(&self) -> impl Ord + '_ {
        (
            Reverse(self.rest),
            Reverse(self.rule.priority),
            &self.rule.id,
            self.uri,
        )
    }
}

impl<T> Paths<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first entry in order for which `fits` says yes, and where its `*` begins.
    pub(super) fn find(
        &self,
        path: &str,
        fits: &mut impl FnMut(&Entry<T>) -> bool,
    ) -> Option<(&Entry<T>, Option<usize>)> {
        self.find_from(path, 0, fits)
    }

    fn find_from(
        &self,
        path: &str,
        from: usize,
        fits: &mut impl FnMut(&Entry<T>) -> bool,
    ) -> Option<(&Entry<T>, Option<usize>)> {
        let rest = &path.as_bytes()[from..];
        for (slot, len) in self.0.prefixes(rest).into_iter().rev() {
            if len == rest.len()
                && let Some(entry) = slot.ends.iter().find(|entry| fits(entry))
            {
                return Some((entry, None));
            }
            if let Some(below) = &slot.parameter {
                let segment = rest[len..]
                    .iter()
                    .position(|byte| *byte == b'/')
                    .unwrap_or(rest.len() - len);
                if segment > 0
                    && let Some(found) = below.find_from(path, from + len + segment, fits)
                {
                    return Some(found);
                }
            }
            let at = from + len;
            if let Some(entry) = slot
                .tails
                .iter()
                .find(|entry| entry.ends_as(path, at) && fits(entry))
            {
                return Some((entry, Some(at)));
            }
        }
        None
    }
}

impl<T: Clone> Paths<T> {
    pub(super) fn insert(&mut self, pattern: &Pattern<'_>, entry: Entry<T>) {
        self.slot(&pattern.literals).insert(pattern.tail.is_some(), entry);
    }

    fn slot(&mut self, literals: &[&str]) -> &mut Slot<T> {
        let Some((first, rest)) = literals.split_first() else {
            return self.0.entry(b"");
        };
        let slot = self.0.entry(first.as_bytes());
        if rest.is_empty() {
            slot
        } else {
            slot.parameter.get_or_insert_default().slot(rest)
        }
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
                slot.entries(has_tail).retain(|entry| entry.rule.id != id);
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
        self.ends.is_empty() && self.tails.is_empty() && self.parameter.is_none()
    }

    fn entries(&mut self, has_tail: bool) -> &mut Entries<T> {
        if has_tail { &mut self.tails } else { &mut self.ends }
    }

    fn insert(&mut self, has_tail: bool, entry: Entry<T>) {
        let entries = self.entries(has_tail);
        let at = entries.partition_point(|other| other.rank() <= entry.rank());
        entries.insert(at, entry);
    }
}
