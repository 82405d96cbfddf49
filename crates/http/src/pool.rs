//! Idle connections of one worker, by peer: the one used last is used next, so those not needed sink and close.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

use lockgate_telemetry::clock;

use crate::h1::client::{Exchange, Link};
use crate::peer::{Address, Peer};

/// How long a connection beyond a peer's limit may be unused.
const SURPLUS: Duration = Duration::from_secs(1);
/// How many connections beyond the limit may wait that long.
const MAX_SURPLUS: usize = 1024;
const SWEEP: Duration = Duration::from_millis(500);

/// A link stays in its box from exchange to exchange.
type Links = Vec<Box<Exchange>>;

#[derive(Default)]
struct Pool {
    idle: RefCell<HashMap<u64, Links, BuildHasherDefault<ById>>>,
    is_swept: Cell<bool>,
}

thread_local! {
    static POOL: Pool = Pool::default();
}

/// Peer ids are counted up: they are their own hash.
#[derive(Default)]
struct ById(u64);

impl Hasher for ById {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(257).wrapping_add(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        // The table takes its control bits from the top.
        self.0 = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// An idle connection to a peer that is still good.
pub(crate) fn take(peer: &Peer) -> Option<Box<Exchange>> {
    POOL.with(|pool| {
        let mut idle = pool.idle.borrow_mut();
        let links = idle.get_mut(&peer.id)?;
        while let Some(mut exchange) = links.pop() {
            if clock::recent().duration_since(exchange.link.idle_since) < peer.keep_alive.timeout
                && is_current(&exchange.link, peer)
                && exchange.link.is_quiet()
            {
                return Some(exchange);
            }
        }
        None
    })
}

fn is_current(link: &Link, peer: &Peer) -> bool {
    match &peer.address {
        Address::Fixed(_) => true,
        Address::Named(name) => name.is_current(link.remote),
    }
}

/// Keeps a connection for the next request, if its peer's limits allow.
pub(crate) fn give(mut exchange: Box<Exchange>) {
    let link = &mut exchange.link;
    let limits = link.peer.keep_alive;
    let is_spent = limits.requests > 0 && link.requests >= limits.requests;
    if limits.connections == 0 || is_spent || crate::timer::is_draining() {
        return;
    }
    link.idle_since = clock::recent();
    let id = link.peer.id;
    POOL.with(|pool| {
        let mut idle = pool.idle.borrow_mut();
        let links = idle.entry(id).or_default();
        if links.len() < limits.connections.saturating_add(MAX_SURPLUS) {
            links.push(exchange);
        }
        drop(idle);
        if !pool.is_swept.replace(true) {
            // Every connection is to be looked at, however many there are.
            tokio::task::spawn_local(tokio::task::unconstrained(sweep()));
        }
    });
}

async fn sweep() {
    loop {
        tokio::time::sleep(SWEEP).await;
        let is_empty = POOL.with(|pool| {
            let mut idle = pool.idle.borrow_mut();
            idle.retain(|_, links| {
                keep_good(links);
                !links.is_empty()
            });
            let is_empty = idle.is_empty();
            pool.is_swept.set(!is_empty);
            is_empty
        });
        if is_empty {
            return;
        }
    }
}

/// The oldest stand first.
fn keep_good(links: &mut Links) {
    links.retain_mut(|exchange| {
        let link = &mut exchange.link;
        link.idle_since.elapsed() < link.peer.keep_alive.timeout && link.is_quiet()
    });
    let limit = links.first().map_or(0, |exchange| exchange.link.peer.keep_alive.connections);
    let surplus = links.len().saturating_sub(limit);
    let unused = links
        .iter()
        .take(surplus)
        .take_while(|exchange| exchange.link.idle_since.elapsed() > SURPLUS)
        .count();
    links.drain(..unused);
}
