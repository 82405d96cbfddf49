//! The environments of one function: who gets which, when there are more, and what happens when one is lost.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use crate::description::Description;
use crate::environment::Environment;
use crate::invocation::{Answer, Failure, Job, Refusal};
use crate::log::{Log, Origin};
use crate::server::Shared;

/// How long a call may wait for an environment.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How often a call is given to another environment, when the one it got was just lost.
const ATTEMPTS: usize = 8;
/// The pause before a second failed start is followed by a third; it doubles from there.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between starts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A function and its environments.
pub(crate) struct Pool {
    pub(crate) description: Description,
    pub(crate) arn: String,
    pub(crate) log: Log,
    pub(crate) shared: Rc<Shared>,
    inner: RefCell<Inner>,
    emptied: Notify,
}

#[derive(Default)]
struct Inner {
    all: Vec<Rc<Environment>>,
    /// Those that wait for a call; the one that waited least is last and is used first.
    idle: Vec<Rc<Environment>>,
    waiting: VecDeque<oneshot::Sender<Result<Lease, Refusal>>>,
    generation: u64,
    /// Environments lost in a row, without a call that was answered.
    failures: u32,
    not_before: Option<Instant>,
    is_pausing: bool,
    cannot_start: Option<Failure>,
    is_closed: bool,
}

/// How an environment came to its end.
#[derive(Clone, Debug)]
pub(crate) enum Departure {
    /// We ended it.
    Wanted,
    /// It ended by itself, or never began.
    Failed(Failure),
}

/// An idle environment in somebody's hand; dropped unused, it goes back.
struct Lease(Option<Rc<Environment>>);

impl Lease {
    fn begin(mut self, job: Job) -> Result<oneshot::Receiver<Answer>, Job> {
        match self.0.take() {
            Some(environment) => environment.begin(job),
            None => Err(job),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(environment) = self.0.take()
            && environment.is_usable()
        {
            environment.pool.idle(&environment);
        }
    }
}

impl Pool {
    pub(crate) fn new(description: Description, shared: &Rc<Shared>) -> Rc<Self> {
        let pool = Self {
            arn: format!("arn:aws:lambda:{}:000000000000:function:{}", shared.region, description.name),
            log: Log::new(description.name.clone(), shared.sink.clone()),
            shared: shared.clone(),
            description,
            inner: RefCell::default(),
            emptied: Notify::new(),
        };
        let pool = Rc::new(pool);
        pool.grow();
        pool
    }

    /// Has the function answer a call.
    pub(crate) async fn invoke(self: &Rc<Self>, mut job: Job) -> Result<Answer, Refusal> {
        for _ in 0..ATTEMPTS {
            match self.lease().await?.begin(job) {
                Ok(answer) => return Ok(answer.await.unwrap_or_else(|_| Answer::Failure(lost()))),
                Err(back) => job = back,
            }
        }
        Err(Refusal::Throttled)
    }

    async fn lease(self: &Rc<Self>) -> Result<Lease, Refusal> {
        let turn = {
            let mut inner = self.inner.borrow_mut();
            if inner.is_closed {
                return Err(Refusal::Ending);
            }
            while let Some(environment) = inner.idle.pop() {
                if environment.is_usable() {
                    return Ok(Lease(Some(environment)));
                }
            }
            if let Some(failure) = inner.cannot_start() {
                return Err(Refusal::Broken(failure));
            }
            if inner.waiting.len() >= self.description.queue {
                inner.waiting.retain(|turn| !turn.is_closed());
            }
            let starts = self.description.concurrency.max.saturating_sub(inner.all.len());
            if inner.waiting.len() >= self.description.queue.saturating_add(starts) {
                return Err(Refusal::Throttled);
            }
            let (sender, receiver) = oneshot::channel();
            inner.waiting.push_back(sender);
            receiver
        };
        self.grow();
        match timeout(LONGEST_WAIT, turn).await {
            Ok(Ok(lease)) => lease,
            Ok(Err(_)) => Err(Refusal::Ending),
            Err(_) => Err(Refusal::WaitedTooLong),
        }
    }

    /// Starts as many environments as are wanted, may be, and are not there.
    fn grow(self: &Rc<Self>) {
        let mut inner = self.inner.borrow_mut();
        let now = Instant::now();
        let concurrency = self.description.concurrency;
        let starting = inner.all.iter().filter(|environment| !environment.is_ready()).count();
        let for_calls = inner.waiting.len().saturating_sub(starting);
        let for_minimum = concurrency.min.saturating_sub(inner.all.len());
        let wanted = for_calls.max(for_minimum).min(concurrency.max.saturating_sub(inner.all.len()));
        if wanted == 0 || inner.is_closed {
            return;
        }
        if let Some(at) = inner.not_before.filter(|at| *at > now) {
            if !std::mem::replace(&mut inner.is_pausing, true) {
                tokio::task::spawn_local(self.clone().resume(at));
            }
            return;
        }
        for _ in 0..wanted {
            let environment = Environment::start(self, inner.generation);
            inner.all.push(environment);
        }
    }

    async fn resume(self: Rc<Self>, at: Instant) {
        sleep_until(at).await;
        self.inner.borrow_mut().is_pausing = false;
        self.grow();
    }

    /// An environment waits for a call: the first in line gets it.
    pub(crate) fn idle(&self, environment: &Rc<Environment>) {
        let mut inner = self.inner.borrow_mut();
        if inner.is_closed || environment.generation != inner.generation {
            environment.end();
            return;
        }
        inner.cannot_start = None;
        while let Some(turn) = inner.waiting.pop_front() {
            match turn.send(Ok(Lease(Some(environment.clone())))) {
                Ok(()) => return,
                // Whoever waited has left; the environment is still here.
                Err(Ok(mut lease)) => drop(lease.0.take()),
                Err(Err(_)) => {}
            }
        }
        inner.idle.push(environment.clone());
    }

    /// An environment that waited for a call does so no more.
    pub(crate) fn no_longer_idle(&self, environment: &Rc<Environment>) {
        self.inner.borrow_mut().idle.retain(|other| !Rc::ptr_eq(other, environment));
    }

    /// A call was answered: the function works.
    pub(crate) fn served(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.failures = 0;
        inner.not_before = None;
    }

    /// Whether there are more environments than are to be kept.
    pub(crate) fn may_shrink(&self) -> bool {
        self.inner.borrow().all.len() > self.description.concurrency.min
    }

    /// An environment is no more.
    pub(crate) fn ended(self: &Rc<Self>, environment: &Rc<Environment>, departure: Departure) {
        let mut inner = self.inner.borrow_mut();
        inner.all.retain(|other| !Rc::ptr_eq(other, environment));
        inner.idle.retain(|other| !Rc::ptr_eq(other, environment));
        let is_old = environment.generation != inner.generation;
        let mut told = Vec::new();
        if let Departure::Failed(failure) = departure
            && !is_old
            && !inner.is_closed
        {
            inner.pause();
            if environment.is_ready() {
                self.log.write(Origin::Trouble, None, format!("lost: {}", failure.message));
            } else {
                let text = format!("cannot start: {}: {}", failure.error_type, failure.message);
                self.log.write(Origin::Trouble, None, text);
                // Each start was made for a call. Without any other environment there is nothing to wait for.
                let waiting = inner.waiting.len();
                let count = if inner.all.is_empty() { waiting } else { waiting.min(1) };
                told.extend(inner.waiting.drain(..count));
                inner.cannot_start = Some(failure.clone());
            }
            drop(inner);
            for turn in told {
                let _ = turn.send(Err(Refusal::Broken(failure.clone())));
            }
        } else {
            drop(inner);
        }
        self.emptied.notify_one();
        self.grow();
    }

    /// The function's files have changed: what runs on old ones ends after its call.
    pub(crate) fn reload(self: &Rc<Self>) {
        self.log.write(Origin::Trouble, None, "its files have changed: starting anew");
        let mut inner = self.inner.borrow_mut();
        inner.generation += 1;
        inner.failures = 0;
        inner.not_before = None;
        inner.cannot_start = None;
        inner.idle.clear();
        for environment in &inner.all {
            environment.end();
        }
        drop(inner);
        self.grow();
    }

    /// Takes no more calls; ends every environment once its call is over, and those that are not done by then.
    pub(crate) async fn close(&self, by: Instant) {
        let waiting = {
            let mut inner = self.inner.borrow_mut();
            inner.is_closed = true;
            inner.idle.clear();
            for environment in &inner.all {
                environment.end();
            }
            std::mem::take(&mut inner.waiting)
        };
        drop(waiting);
        let all_gone = async {
            while !self.inner.borrow().all.is_empty() {
                self.emptied.notified().await;
            }
        };
        if timeout(by.saturating_duration_since(Instant::now()), all_gone).await.is_err() {
            let all: Vec<Rc<Environment>> = self.inner.borrow().all.clone();
            for environment in all {
                environment.give_up();
            }
            while !self.inner.borrow().all.is_empty() {
                self.emptied.notified().await;
            }
        }
    }
}

impl Inner {
    /// Why there is no use in waiting, if there is none.
    fn cannot_start(&self) -> Option<Failure> {
        let is_pausing = self.not_before.is_some_and(|at| at > Instant::now());
        self.cannot_start.clone().filter(|_| is_pausing && self.all.is_empty())
    }

    /// After a lost environment: the next start is made at once, those after it later and later.
    fn pause(&mut self) {
        self.failures = self.failures.saturating_add(1);
        let doublings = self.failures.saturating_sub(2).min(16);
        let pause = (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE);
        self.not_before = (self.failures > 1).then(|| Instant::now() + pause);
    }
}

fn lost() -> Failure {
    Failure::new("Runtime.ExitError", "the environment was lost")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Inner;
    use crate::invocation::Failure;

    #[test]
    fn starts_are_tried_again_at_once_and_then_later_and_later() {
        let mut inner = Inner::default();
        let mut pauses = Vec::new();
        for _ in 0..12 {
            inner.pause();
            let pause = inner.not_before.map(|at| at.saturating_duration_since(Instant::now()));
            // Rounded up, since a moment has passed.
            pauses.push(pause.unwrap_or_default().as_secs_f64().mul_add(10.0, 0.9).trunc() / 10.0);
        }
        assert_eq!(pauses[..5], [0.0, 0.1, 0.2, 0.4, 0.8], "{pauses:?}");
        assert_eq!(pauses[8..], [10.0; 4], "{pauses:?}");
    }

    #[test]
    fn while_nothing_can_start_nobody_is_made_to_wait() {
        let mut inner = Inner { cannot_start: Some(Failure::new("E", "why")), ..Inner::default() };
        assert!(inner.cannot_start().is_none(), "the next start is not put off");
        inner.not_before = Some(Instant::now() + Duration::from_mins(1));
        assert_eq!(&*inner.cannot_start().unwrap().message, "why");
    }
}
