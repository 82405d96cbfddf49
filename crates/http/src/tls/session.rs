//! Sessions that clients go on with: shared by all workers, each for the terms that it was made under alone.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use lockgate_telemetry::clock::{self, Moment};
use rustls::server::{ProducesTickets, StoresServerSessions};

use super::verification::Terms;

/// Sessions that are kept; the oldest goes first.
const SESSIONS: usize = 16 * 1024;
/// Parts that they are kept in, each with its own lock.
const SHARDS: usize = 16;
/// How long a session may be gone on with, as in APISIX.
const LIFETIME: Duration = Duration::from_mins(10);

/// The sessions of all workers, as those see them who have these terms.
#[derive(Debug)]
pub(super) struct Sessions {
    all: Arc<Kept>,
    terms: Terms,
}

impl Sessions {
    pub(super) fn of(terms: Terms) -> Self {
        static ALL: OnceLock<Arc<Kept>> = OnceLock::new();
        Self { all: ALL.get_or_init(Arc::default).clone(), terms }
    }

    fn key(&self, id: &[u8]) -> Vec<u8> {
        [&self.terms.to_bytes(), id].concat()
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let key = self.key(&key);
        self.all.shard(&key).put(key.into(), value, clock::now());
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let key = self.key(key);
        let shard = self.all.shard(&key);
        shard.sessions.get(&key[..]).filter(|session| session.is_fresh()).map(|session| session.value.clone())
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        let key = self.key(key);
        let session = self.all.shard(&key).sessions.remove(&key[..]);
        session.filter(Session::is_fresh).map(|session| session.value)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// Sessions by key. To find, keep or take one costs the same however many there are.
#[derive(Default)]
struct Kept {
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    sessions: HashMap<Arc<[u8]>, Session>,
    /// Keys as they came, each with the number of its session: what was taken meanwhile is passed over.
    order: VecDeque<(Arc<[u8]>, u64)>,
    next: u64,
}

struct Session {
    number: u64,
    made: Moment,
    value: Vec<u8>,
}

impl Kept {
    fn shard(&self, key: &[u8]) -> MutexGuard<'_, Shard> {
        // Ids of sessions are random.
        let shard = key.last().map_or(0, |byte| usize::from(*byte) % SHARDS);
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

impl Shard {
    const MOST: usize = SESSIONS / SHARDS;

    fn put(&mut self, key: Arc<[u8]>, value: Vec<u8>, made: Moment) {
        let number = self.next;
        self.next += 1;
        self.order.push_back((key.clone(), number));
        self.sessions.insert(key, Session { number, made, value });
        while self.sessions.len() > Self::MOST
            && let Some((oldest, number)) = self.order.pop_front()
        {
            if self.sessions.get(&oldest).is_some_and(|session| session.number == number) {
                self.sessions.remove(&oldest);
            }
        }
        if self.order.len() > 2 * Self::MOST {
            let sessions = &self.sessions;
            self.order.retain(|(key, number)| sessions.get(key).is_some_and(|it| it.number == *number));
        }
    }
}

impl Session {
    fn is_fresh(&self) -> bool {
        self.made.elapsed() < LIFETIME
    }
}

/// Tickets (RFC 5077, RFC 8446 §4.6.1) that are good for these terms alone: the client keeps its session itself.
#[derive(Debug)]
pub(super) struct Tickets {
    sealer: Arc<dyn ProducesTickets>,
    terms: Terms,
}

impl Tickets {
    /// Sealed by keys that all workers share and that change every few hours; `None` where there is no randomness.
    pub(super) fn of(terms: Terms) -> Option<Self> {
        static SEALER: OnceLock<Option<Arc<dyn ProducesTickets>>> = OnceLock::new();
        let make = || rustls::crypto::aws_lc_rs::Ticketer::new().ok();
        Some(Self { sealer: SEALER.get_or_init(make).clone()?, terms })
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.sealer.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.sealer.encrypt(&[&self.terms.to_bytes(), plain].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let mut plain = self.sealer.decrypt(cipher)?;
        let terms = self.terms.to_bytes();
        plain.starts_with(&terms).then(|| plain.drain(..terms.len()))?;
        Some(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Arc<[u8]> {
        number.to_be_bytes().into()
    }

    #[test]
    fn the_oldest_go_first_and_what_was_taken_leaves_nothing_behind() {
        let mut shard = Shard::default();
        for number in 0..10 * Shard::MOST {
            shard.put(key(number), vec![1], clock::now());
            if number % 3 > 0 {
                assert!(shard.sessions.remove(&key(number)).is_some());
            }
            assert!(shard.sessions.len() <= Shard::MOST && shard.order.len() <= 2 * Shard::MOST);
        }
        let mut kept: Vec<_> = shard.sessions.keys().cloned().collect();
        kept.sort();
        assert_eq!(kept.last(), Some(&key((10 * Shard::MOST - 1) / 3 * 3)));
        assert_eq!(kept.len(), Shard::MOST);
        assert_eq!(kept[0], key((10 * Shard::MOST - 1) / 3 * 3 - 3 * (Shard::MOST - 1)));
    }

    #[test]
    fn one_that_is_kept_again_is_as_young_as_that() {
        let mut shard = Shard::default();
        shard.put(key(0), vec![1], clock::now());
        for number in 1..Shard::MOST {
            shard.put(key(number), vec![1], clock::now());
        }
        shard.put(key(0), vec![2], clock::now());
        shard.put(key(Shard::MOST), vec![1], clock::now());
        assert_eq!(shard.sessions.get(&key(0)).map(|session| session.value.clone()), Some(vec![2]));
        assert!(!shard.sessions.contains_key(&key(1)));
    }
}
