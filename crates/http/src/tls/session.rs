//! Sessions that clients go on with: shared by all workers, each for the terms that it was made under alone.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lockgate_telemetry::clock;
use rustls::server::{ProducesTickets, ServerSessionMemoryCache, StoresServerSessions};

use super::verification::Terms;

/// Sessions that are kept; the oldest goes first.
const SESSIONS: usize = 16 * 1024;
/// How long a session may be gone on with, as in APISIX.
const LIFETIME: Duration = Duration::from_mins(10);
/// Bytes in front of a kept session: when it was made.
const STAMP: usize = 8;

fn sessions() -> Arc<ServerSessionMemoryCache> {
    static SESSIONS_OF_ALL: OnceLock<Arc<ServerSessionMemoryCache>> = OnceLock::new();
    SESSIONS_OF_ALL.get_or_init(|| ServerSessionMemoryCache::new(SESSIONS)).clone()
}

/// The sessions of all workers, as those see them who have these terms.
#[derive(Debug)]
pub(super) struct Sessions {
    all: Arc<ServerSessionMemoryCache>,
    terms: Terms,
}

impl Sessions {
    pub(super) fn of(terms: Terms) -> Self {
        Self { all: sessions(), terms }
    }

    fn key(&self, id: &[u8]) -> Vec<u8> {
        [&self.terms.to_bytes(), id].concat()
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.all.put(self.key(&key), [&clock::now().nanos().to_be_bytes()[..], &value].concat())
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        fresh(self.all.get(&self.key(key))?)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        fresh(self.all.take(&self.key(key))?)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

fn fresh(mut stored: Vec<u8>) -> Option<Vec<u8>> {
    let made = u64::from_be_bytes(stored.get(..STAMP)?.try_into().ok()?);
    let age = Duration::from_nanos(clock::now().nanos().saturating_sub(made));
    stored.drain(..STAMP);
    (age < LIFETIME).then_some(stored)
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
