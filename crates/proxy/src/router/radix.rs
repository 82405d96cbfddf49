//! A persistent radix tree: a clone is one reference count, a change copies the nodes on its way and no other.

use std::sync::Arc;

use smallvec::SmallVec;

/// Values by byte strings, found by every prefix of a key.
#[derive(Clone, Debug)]
pub(super) struct Tree<V> {
    root: Arc<Node<V>>,
}

/// All of it in one piece where that is possible: among many routes, what costs is waiting for memory.
#[derive(Clone, Debug)]
struct Node<V> {
    label: SmallVec<[u8; 10]>,
    /// The first bytes of the children's labels, in order.
    firsts: SmallVec<[u8; 10]>,
    children: SmallVec<[Arc<Node<V>>; 2]>,
    value: Option<V>,
}

/// The values on the way to a key, shortest first, with the length of the key's part that leads to each.
pub(super) type Prefixes<'a, V> = SmallVec<[(&'a V, usize); 12]>;

impl<V> Default for Tree<V> {
    fn default() -> Self {
        Self { root: Arc::new(Node::leaf(&[])) }
    }
}

impl<V> Node<V> {
    fn leaf(label: &[u8]) -> Self {
        Self { label: label.into(), firsts: SmallVec::new(), children: SmallVec::new(), value: None }
    }

    fn child(&self, first: u8) -> Option<&Arc<Self>> {
        let at = self.firsts.iter().position(|own| *own == first)?;
        self.children.get(at)
    }
}

impl<V> Tree<V> {
    /// Whether there is no value.
    pub(super) fn is_empty(&self) -> bool {
        self.root.value.is_none() && self.root.children.is_empty()
    }

    /// Finds the values of every prefix of `key`, the shortest first, in room of the caller's: returned, all of it
    /// would be moved.
    pub(super) fn prefixes<'a>(&'a self, key: &[u8], found: &mut Prefixes<'a, V>) {
        let (mut node, mut len) = (&self.root, 0);
        loop {
            if let Some(value) = &node.value {
                found.push((value, len));
            }
            let next = key.get(len).and_then(|first| node.child(*first));
            let Some(child) = next.filter(|child| key[len..].starts_with(&child.label)) else { return };
            len += child.label.len();
            node = child;
        }
    }

    fn has(&self, key: &[u8]) -> bool {
        let mut found = Prefixes::new();
        self.prefixes(key, &mut found);
        found.last().is_some_and(|(_, len)| *len == key.len())
    }
}

impl<V: Clone + Default> Tree<V> {
    /// The value at `key`, made where there is none.
    pub(super) fn entry(&mut self, key: &[u8]) -> &mut V {
        let mut node = Arc::make_mut(&mut self.root);
        let mut rest = key;
        while let Some(&first) = rest.first() {
            let at = match node.firsts.binary_search(&first) {
                Ok(at) => at,
                Err(at) => {
                    node.firsts.insert(at, first);
                    node.children.insert(at, Arc::new(Node::leaf(rest)));
                    at
                }
            };
            node = Arc::make_mut(&mut node.children[at]);
            let shared = node.label.iter().zip(rest).take_while(|(own, other)| own == other).count();
            if shared < node.label.len() {
                node.split(shared);
            }
            rest = &rest[shared..];
        }
        node.value.get_or_insert_default()
    }

    /// Changes the value at `key`, where there is one; `change` says whether nothing is left of it.
    pub(super) fn alter(&mut self, key: &[u8], change: impl FnOnce(&mut V) -> bool) {
        if self.has(key) {
            Arc::make_mut(&mut self.root).alter(key, change);
        }
    }
}

impl<V: Clone> Node<V> {
    /// Puts a node of its own in front of what its label has after `at`.
    fn split(&mut self, at: usize) {
        let mut front = Self::leaf(&self.label[..at]);
        self.label.drain(..at);
        front.firsts.push(self.label[0]);
        std::mem::swap(self, &mut front);
        self.children.push(Arc::new(front));
    }

    fn alter(&mut self, key: &[u8], change: impl FnOnce(&mut V) -> bool) {
        let Some(first) = key.first() else {
            if self.value.as_mut().is_some_and(change) {
                self.value = None;
            }
            return;
        };
        let Ok(at) = self.firsts.binary_search(first) else {
            return;
        };
        let child = Arc::make_mut(&mut self.children[at]);
        child.alter(&key[child.label.len()..], change);
        if child.value.is_some() {
            return;
        }
        match child.children.len() {
            0 => {
                self.firsts.remove(at);
                self.children.remove(at);
            }
            1 => child.join(),
            _ => {}
        }
    }

    /// Becomes one with its only child: the tree is what it would be had it never been split.
    fn join(&mut self) {
        let Some(child) = self.children.pop() else { return };
        let child = Arc::unwrap_or_clone(child);
        self.label.extend_from_slice(&child.label);
        (self.firsts, self.children, self.value) = (child.firsts, child.children, child.value);
    }
}
