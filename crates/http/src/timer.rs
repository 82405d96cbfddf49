//! One coarse timer wheel per worker: arming a timer again is a store, not a queue operation.
//!
//! An entry stays in the slot it was first queued in. When that slot comes due and the deadline has moved on,
//! the entry is queued again; so a busy connection, which moves its deadline with each request, touches the
//! queue once per time-out instead of once per request. What is out of date, as its timer is gone or has moved nearer,
//! is swept out when it is the greater part: connections may come and go faster than their time-outs end.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use lockgate_telemetry::clock::{self, Moment};
use tokio::time::sleep_until;

/// How exact time-outs are: 10 ms.
const TICKS_PER_SECOND: u64 = 100;
const NANOS_PER_TICK: u64 = 1_000_000_000 / TICKS_PER_SECOND;
const NEVER: u64 = u64::MAX;

/// A deadline that can be moved cheaply.
pub(crate) struct Timer {
    entry: Rc<Entry>,
}

struct Entry {
    deadline: Cell<u64>,
    /// The slot it stands in; other slots that still name it are out of date.
    queued: Cell<u64>,
    has_fired: Cell<bool>,
    at_drain: Cell<AtDrain>,
    waker: RefCell<Option<Waker>>,
}

/// What draining does to what waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AtDrain {
    /// Nothing: it has work to finish.
    Stays,
    /// It has until the end of the grace to ask for something.
    Ends,
    /// It is woken at once, to tell its client.
    Wakes,
}

/// How much that is out of date the wheel may have, before it is swept.
const MOST_STALE: usize = 1024;

struct Wheel {
    slots: RefCell<BTreeMap<u64, Vec<Rc<Entry>>>>,
    /// How many entries the slots have, and how many of them are out of date.
    places: Cell<usize>,
    stale: Cell<usize>,
    driver: RefCell<Option<Waker>>,
    is_driven: Cell<bool>,
    is_draining: Cell<bool>,
    /// While draining: the tick at which nobody waits for a request any more.
    grace_end: Cell<u64>,
}

thread_local! {
    static WHEEL: Rc<Wheel> = Rc::new(Wheel {
        slots: RefCell::default(),
        places: Cell::new(0),
        stale: Cell::new(0),
        driver: RefCell::default(),
        is_driven: Cell::new(false),
        is_draining: Cell::new(false),
        grace_end: Cell::new(NEVER),
    });
}

impl Timer {
    pub(crate) fn new() -> Self {
        Self {
            entry: Rc::new(Entry {
                deadline: Cell::new(NEVER),
                queued: Cell::new(NEVER),
                has_fired: Cell::new(false),
                at_drain: Cell::new(AtDrain::Stays),
                waker: RefCell::new(None),
            }),
        }
    }

    /// Fires when `after` has passed, unless it is armed again before.
    pub(crate) fn arm(&self, after: Duration) {
        self.arm_at(clock::now(), after, AtDrain::Stays);
    }

    /// Like `arm`, for a connection that waits for its next request: draining fires it when the grace ends.
    pub(crate) fn arm_idle(&self, after: Duration) {
        self.arm_at(clock::now(), after, AtDrain::Ends);
    }

    /// Like `arm`, for a connection that can tell its client to go: draining fires it at once.
    pub(crate) fn arm_open(&self, after: Duration) {
        self.arm_at(clock::now(), after, AtDrain::Wakes);
    }

    /// Like `arm`, where the time was read for the same event.
    pub(crate) fn arm_now(&self, after: Duration) {
        self.arm_at(clock::recent(), after, AtDrain::Stays);
    }

    /// Like `arm_idle`, where the time was read for the same event.
    pub(crate) fn arm_idle_now(&self, after: Duration) {
        self.arm_at(clock::recent(), after, AtDrain::Ends);
    }

    /// Never fires, until it is armed again.
    pub(crate) fn disarm(&self) {
        self.entry.deadline.set(NEVER);
        self.entry.has_fired.set(false);
        self.entry.at_drain.set(AtDrain::Stays);
    }

    fn arm_at(&self, now: Moment, after: Duration, at_drain: AtDrain) {
        WHEEL.with(|wheel| {
            self.entry.at_drain.set(at_drain);
            self.entry.has_fired.set(at_drain == AtDrain::Wakes && wheel.is_draining.get());
            let mut deadline = tick_after(now, after);
            if at_drain == AtDrain::Ends {
                deadline = deadline.min(wheel.grace_end.get());
            }
            self.entry.deadline.set(deadline);
            if self.entry.queued.get() > deadline {
                wheel.queue(&self.entry, deadline);
            }
        });
    }

    /// Ready once it has fired; otherwise the task is woken when it does.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.entry.has_fired.get() {
            return Poll::Ready(());
        }
        let mut waker = self.entry.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // A slot may hold the entry for a while yet: it must not hold the task too.
        self.disarm();
        self.entry.waker.borrow_mut().take();
        if self.entry.queued.replace(NEVER) != NEVER {
            // A thread that is ending has no wheel any more.
            let _ = WHEEL.try_with(|wheel| wheel.outdate());
        }
    }
}

impl Wheel {
    fn queue(self: &Rc<Self>, entry: &Rc<Entry>, slot: u64) {
        if entry.queued.replace(slot) != NEVER {
            self.outdate();
        }
        self.places.set(self.places.get() + 1);
        let mut slots = self.slots.borrow_mut();
        let is_first = slots.first_key_value().is_none_or(|(first, _)| slot < *first);
        slots.entry(slot).or_default().push(entry.clone());
        drop(slots);
        if !self.is_driven.replace(true) {
            tokio::task::spawn_local(drive(self.clone()));
        } else if is_first && let Some(driver) = self.driver.borrow_mut().take() {
            driver.wake();
        }
    }

    /// Counts an entry that is out of date; with too many of them, the slots are swept.
    fn outdate(&self) {
        let stale = self.stale.get() + 1;
        self.stale.set(stale);
        if stale < MOST_STALE || stale < self.places.get() / 2 {
            return;
        }
        let mut slots = self.slots.borrow_mut();
        slots.retain(|slot, entries| {
            entries.retain(|entry| entry.queued.get() == *slot);
            entries.shrink_to_fit();
            !entries.is_empty()
        });
        self.places.set(slots.values().map(Vec::len).sum());
        self.stale.set(0);
    }

    fn fire_due(self: &Rc<Self>) {
        let now = tick(clock::now());
        loop {
            let due = {
                let mut slots = self.slots.borrow_mut();
                match slots.first_entry() {
                    Some(first) if *first.key() <= now => first.remove_entry(),
                    _ => return,
                }
            };
            self.places.set(self.places.get().saturating_sub(due.1.len()));
            for entry in due.1 {
                if entry.queued.get() != due.0 {
                    self.stale.set(self.stale.get().saturating_sub(1));
                    continue;
                }
                entry.queued.set(NEVER);
                match entry.deadline.get() {
                    NEVER => {}
                    deadline if deadline > now => self.queue(&entry, deadline),
                    _ => entry.fire(),
                }
            }
        }
    }
}

/// The tick a time lies in.
const fn tick(at: Moment) -> u64 {
    at.nanos() / NANOS_PER_TICK
}

/// The first tick after a while; a time that no clock will show never comes.
fn tick_after(now: Moment, after: Duration) -> u64 {
    // Both were rounded down.
    tick(now).saturating_add(ticks(after)).saturating_add(2)
}

fn ticks(time: Duration) -> u64 {
    let whole = time.as_secs().saturating_mul(TICKS_PER_SECOND);
    whole.saturating_add(u64::from(time.subsec_nanos()) / NANOS_PER_TICK)
}

impl Entry {
    fn fire(&self) {
        self.has_fired.set(true);
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

async fn drive(wheel: Rc<Wheel>) {
    let mut sleep = Box::pin(sleep_until(clock::epoch()));
    poll_fn(|cx| {
        loop {
            wheel.fire_due();
            *wheel.driver.borrow_mut() = Some(cx.waker().clone());
            let next = wheel.slots.borrow().first_key_value().map(|(slot, _)| *slot);
            let Some(next) = next else {
                return Poll::<()>::Pending;
            };
            sleep.as_mut().reset(clock::epoch() + Duration::from_nanos(next.saturating_mul(NANOS_PER_TICK)));
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await;
}

/// What a future gives, or nothing when `limit` has passed before. The clock has been read when it ends, so that what
/// follows does not reckon from before the wait.
pub(crate) async fn within<F: Future>(limit: Duration, mut future: Pin<&mut F>) -> Option<F::Output> {
    let timer = Timer::new();
    timer.arm(limit);
    let output = poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => timer.poll(cx).map(|()| None),
    })
    .await;
    clock::now();
    output
}

/// From now on nobody waits for requests longer than `grace`, and who can tell a client to go does so now.
pub(crate) fn drain(grace: Duration) {
    WHEEL.with(|wheel| {
        wheel.is_draining.set(true);
        let end = tick_after(clock::now(), grace);
        wheel.grace_end.set(end);
        let armed: Vec<_> = wheel.slots.borrow().values().flatten().cloned().collect();
        for entry in armed {
            match entry.at_drain.get() {
                AtDrain::Wakes => entry.fire(),
                AtDrain::Ends if entry.deadline.get() > end => {
                    entry.deadline.set(end);
                    wheel.queue(&entry, end);
                }
                AtDrain::Ends | AtDrain::Stays => {}
            }
        }
    });
}

/// Whether this worker takes no new requests any more.
pub(crate) fn is_draining() -> bool {
    WHEEL.with(|wheel| wheel.is_draining.get())
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    fn on_a_paused_clock(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build_local(tokio::runtime::LocalOptions::default())
            .unwrap()
            .block_on(test);
    }

    async fn fired(timer: &Timer) -> Duration {
        let start = clock::now();
        poll_fn(|cx| timer.poll(cx)).await;
        start.elapsed()
    }

    #[test]
    fn it_fires_when_its_time_has_passed() {
        on_a_paused_clock(async {
            let timer = Timer::new();
            timer.arm(Duration::from_millis(200));
            let after = fired(&timer).await;
            assert!((200..=230).contains(&after.as_millis()), "{after:?}");
        });
    }

    #[test]
    fn a_deadline_that_moved_on_is_the_one_that_counts() {
        on_a_paused_clock(async {
            let timer = Timer::new();
            timer.arm(Duration::from_millis(100));
            timer.arm(Duration::from_secs(2));
            let after = fired(&timer).await;
            assert!((2000..=2030).contains(&after.as_millis()), "{after:?}");
        });
    }

    #[test]
    fn a_deadline_that_moved_nearer_is_the_one_that_counts() {
        on_a_paused_clock(async {
            let timer = Timer::new();
            timer.arm(Duration::from_mins(1));
            tokio::task::yield_now().await;
            timer.arm(Duration::from_millis(50));
            let after = fired(&timer).await;
            assert!((50..=80).contains(&after.as_millis()), "{after:?}");
        });
    }

    #[test]
    fn what_takes_too_long_is_given_up_and_what_is_ready_is_not() {
        on_a_paused_clock(async {
            let start = clock::now();
            assert_eq!(within(Duration::from_millis(100), pin!(std::future::pending::<()>())).await, None);
            assert!((100..=130).contains(&clock::recent().duration_since(start).as_millis()));
            assert_eq!(within(Duration::ZERO, pin!(std::future::ready(1))).await, Some(1));
            let slow = tokio::time::sleep(Duration::from_millis(80));
            assert_eq!(within(Duration::from_millis(100), pin!(slow)).await, Some(()));
            assert!((180..=230).contains(&clock::recent().duration_since(start).as_millis()));
        });
    }

    #[test]
    fn it_fires_once_in_a_process_that_has_run_for_years() {
        on_a_paused_clock(async {
            clock::now();
            tokio::time::advance(Duration::from_hours(24 * 800)).await;
            let timer = Timer::new();
            timer.arm(Duration::from_millis(200));
            let after = fired(&timer).await;
            assert!((200..=230).contains(&after.as_millis()), "{after:?}");
        });
    }

    #[test]
    fn timers_that_are_gone_are_not_kept_until_their_time() {
        on_a_paused_clock(async {
            let first = Timer::new();
            first.arm(Duration::from_secs(50));
            for _ in 0..100_000 {
                let timer = Timer::new();
                timer.arm(Duration::from_mins(1));
                timer.arm(Duration::from_secs(10));
            }
            let kept: usize = WHEEL.with(|wheel| wheel.slots.borrow().values().map(Vec::len).sum());
            assert!(kept < 5_000, "{kept}");
            let timers: Vec<_> = (0..5_000).map(|_| Timer::new()).collect();
            for timer in &timers {
                timer.arm(Duration::from_secs(20));
            }
            drop(timers);
            let last = Timer::new();
            last.arm(Duration::from_secs(1));
            let after = fired(&last).await;
            assert!((1000..=1030).contains(&after.as_millis()), "{after:?}");
            let after = fired(&first).await;
            assert!(
                (48_000..=49_030).contains(&after.as_millis()),
                "what is not gone still fires: {after:?}"
            );
        });
    }

    #[test]
    fn draining_ends_what_is_idle_and_wakes_what_can_tell() {
        on_a_paused_clock(async {
            let (idle, open, busy) = (Timer::new(), Timer::new(), Timer::new());
            idle.arm_idle(Duration::from_mins(1));
            open.arm_open(Duration::from_mins(1));
            busy.arm(Duration::from_mins(1));
            drain(Duration::from_secs(1));
            assert!(fired(&open).await.is_zero());
            let after = fired(&idle).await;
            assert!((1000..=1030).contains(&after.as_millis()), "{after:?}");
            idle.arm_idle(Duration::from_mins(1));
            assert!(fired(&idle).await < Duration::from_millis(30), "the grace is over");
            assert!(fired(&busy).await >= Duration::from_secs(58));
        });
    }

    #[test]
    fn a_grace_without_end_leaves_idle_timers_as_they_are() {
        on_a_paused_clock(async {
            let idle = Timer::new();
            idle.arm_idle(Duration::from_secs(5));
            drain(Duration::MAX);
            assert!(fired(&idle).await >= Duration::from_secs(5));
            assert!(is_draining());
        });
    }
}
