//! The workers of a program as each of them sees the others: how busy each is, and how a connection is passed on.
//!
//! The kernel spreads connections by a hash of their addresses: fair for thousands, not for a few that live long.
//! So whoever accepts looks who has the fewest, and passes a connection on rather than have clearly more.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, mpsc};

use super::accept::ListenerSettings;

/// Connections that may wait for the worker they were passed on to; more stay where they were accepted.
const WAITING: usize = 256;
/// A worker may have this part of its connections more than the one that has the fewest: to pass a connection on
/// costs a wake of another thread, which many short ones are not worth.
const SLACK: usize = 32;

/// How many connections clients may have. Further ones wait to be accepted; where several sockets are listened on,
/// each of them may let in one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Of each worker. At least one.
    pub worker: usize,
    /// Of all workers; `None` is as many as they have together.
    pub all: Option<usize>,
}

/// A connection that another worker accepted. It is counted for the one that gets it.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) service: ListenerSettings,
}

/// A worker's place among the others.
pub struct Place {
    pub(super) member: Member,
    pub(super) handed: mpsc::Receiver<Accepted>,
}

/// What a worker knows of all.
#[derive(Clone)]
pub(super) struct Member {
    number: usize,
    team: Arc<Team>,
}

struct Team {
    seats: Vec<Seat>,
    worker_limit: usize,
    limit: usize,
    open: Count,
    /// There is room again.
    freed: Notify,
}

/// A cache line of its own, and the one that is fetched with it.
#[repr(align(128))]
struct Count(AtomicUsize);

struct Seat {
    open: Count,
    sender: mpsc::Sender<Accepted>,
}

/// A way to another worker, with room for one connection.
pub(super) struct Passing<'a> {
    team: &'a Team,
    seat: &'a Seat,
    place: mpsc::Permit<'a, Accepted>,
}

/// The places of so many workers.
pub fn places(workers: usize, limits: ConnectionLimits) -> Vec<Place> {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..workers).map(|_| mpsc::channel(WAITING)).unzip();
    let seats = senders.into_iter().map(|sender| Seat { open: Count::new(), sender }).collect();
    let together = limits.worker.saturating_mul(workers);
    let team = Arc::new(Team {
        seats,
        worker_limit: limits.worker,
        limit: limits.all.unwrap_or(together).min(together),
        open: Count::new(),
        freed: Notify::new(),
    });
    let member = |number| Member { number, team: team.clone() };
    let place = |(number, handed)| Place { member: member(number), handed };
    receivers.into_iter().enumerate().map(place).collect()
}

impl Member {
    /// How many connections this worker has, those included that wait for it.
    pub(super) fn open(&self) -> usize {
        self.seat().open.get()
    }

    /// Whether as many connections as may be there are.
    pub(super) fn is_full(&self) -> bool {
        !self.team.has_room()
    }

    /// Waits until one more connection may be there.
    pub(super) async fn room(&self) {
        while self.is_full() {
            let freed = self.team.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.is_full() {
                freed.await;
            }
        }
    }

    /// Another worker, if it should have the connection that was accepted here.
    pub(super) fn lighter(&self) -> Option<Passing<'_>> {
        let team = &*self.team;
        let seat = team.lighter(self.number)?;
        seat.sender.try_reserve().ok().map(|place| Passing { team, seat, place })
    }

    /// A connection of this worker's own has begun.
    pub(super) fn began(&self) {
        self.team.count(self.seat());
    }

    /// A connection of this worker has ended.
    pub(super) fn ended(&self) {
        self.seat().open.0.fetch_sub(1, Ordering::Relaxed);
        if self.team.open.0.fetch_sub(1, Ordering::SeqCst) >= self.team.limit {
            self.team.freed.notify_waiters();
        }
    }

    fn seat(&self) -> &Seat {
        &self.team.seats[self.number]
    }
}

impl Passing<'_> {
    /// Passes a connection on.
    pub(super) fn send(self, accepted: Accepted) {
        self.team.count(self.seat);
        self.place.send(accepted);
    }
}

impl Team {
    fn has_room(&self) -> bool {
        self.open.get() < self.limit
    }

    fn count(&self, seat: &Seat) {
        seat.open.0.fetch_add(1, Ordering::Relaxed);
        self.open.0.fetch_add(1, Ordering::SeqCst);
    }

    /// The worker with the fewest connections, if that is another one and has clearly fewer.
    fn lighter(&self, own: usize) -> Option<&Seat> {
        let mine = self.seats[own].open.get();
        let (least, seat) =
            self.seats.iter().map(|seat| (seat.open.get(), seat)).min_by_key(|(open, _)| *open)?;
        let is_clear = least + mine / SLACK < mine;
        (is_clear || (least < mine && mine >= self.worker_limit)).then_some(seat)
    }
}

impl Count {
    const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn connection() -> Accepted {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let peer = stream.local_addr().unwrap();
        Accepted { stream, peer, service: ListenerSettings::default() }
    }

    /// Accepts one; whether it stays here.
    fn accept(member: &Member) -> bool {
        if let Some(passing) = member.lighter() {
            passing.send(connection());
            return false;
        }
        member.began();
        true
    }

    fn limits(worker: usize, all: Option<usize>) -> ConnectionLimits {
        ConnectionLimits { worker, all }
    }

    #[test]
    fn a_few_connections_are_spread_evenly_wherever_they_are_accepted() {
        let places = places(4, limits(100, None));
        for _ in 0..8 {
            accept(&places[1].member);
        }
        let open: Vec<_> = places.iter().map(|place| place.member.open()).collect();
        assert_eq!(open, [2, 2, 2, 2]);
    }

    #[test]
    fn many_are_not_passed_on_for_a_small_difference() {
        let places = places(2, limits(1000, None));
        let (one, two) = (&places[0].member, &places[1].member);
        (0..40).for_each(|_| one.began());
        (0..39).for_each(|_| two.began());
        assert!(accept(one), "one more of forty is no reason");
        assert!(!accept(one), "two more are");
    }

    #[test]
    fn a_worker_that_is_full_passes_on_what_another_has_room_for() {
        let places = places(2, limits(64, None));
        let (one, two) = (&places[0].member, &places[1].member);
        (0..64).for_each(|_| one.began());
        (0..63).for_each(|_| two.began());
        assert!(!accept(one) && one.is_full());
        two.ended();
        assert!(!one.is_full());
    }

    #[test]
    fn what_another_worker_cannot_take_stays() {
        let mut places = places(2, limits(100, None));
        places[1].handed.close();
        assert!((0..3).all(|_| accept(&places[0].member)));
        assert_eq!(places[0].member.open(), 3);
    }

    #[tokio::test]
    async fn there_is_room_for_as_many_as_the_limits_say() {
        for (limits, most) in [(limits(2, None), 6), (limits(2, Some(100)), 6), (limits(2, Some(5)), 5)] {
            let places = places(3, limits);
            for count in 0..most {
                assert!(!places[0].member.is_full(), "{count}");
                accept(&places[count % 3].member);
            }
            assert!(places[2].member.is_full());
            let waiting = places[2].member.clone();
            let waiting = tokio::spawn(async move { waiting.room().await });
            tokio::task::yield_now().await;
            places[0].member.ended();
            waiting.await.unwrap();
        }
    }
}
