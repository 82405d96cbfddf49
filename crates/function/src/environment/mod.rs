//! An environment: one process, its Runtime API, and the one call it has at a time, from its start to its end.

mod life;
mod output;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::id::RequestId;
use crate::invocation::{Answer, Failure, Job};
use crate::log::Origin;
use crate::pool::Pool;
use crate::process::Handle;
use crate::report::Report;

/// How long a process may take to ask for its first call; its function's time-out, where that is longer.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How often the memory of a busy environment is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// The shortest time that a process is given to come back for another call.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

/// What Lambda calls a call that took too long.
pub(crate) const TIMED_OUT: &str = "Sandbox.Timedout";

/// An environment.
pub(crate) struct Environment {
    pub(crate) pool: Rc<Pool>,
    /// Which version of the function's files it was started from.
    pub(crate) generation: u64,
    state: RefCell<State>,
    /// Wakes the task that watches over it.
    changed: Notify,
    /// When that task looks next.
    looks_at: Cell<Option<Instant>>,
    is_told_to_end: Cell<bool>,
    process: Cell<Handle>,
    begun: Instant,
    /// How long the start took; taken by the first call's report.
    init: Cell<Option<Duration>>,
    is_ready: Cell<bool>,
    last_used: Cell<Instant>,
    /// The call that lines of output belong to.
    speaks_for: Cell<Option<RequestId>>,
    /// Most memory seen, in bytes.
    used: Cell<u64>,
    start_failure: RefCell<Option<Failure>>,
    tickets: Cell<u64>,
}

enum State {
    /// The process is on its own until it asks for a call, which has to be by then.
    Away { until: Instant },
    /// It waits for a call.
    Idle { give: oneshot::Sender<Job>, ticket: u64 },
    /// It has one.
    Busy(Call),
    /// It is no more, or soon.
    Ended,
}

struct Call {
    id: RequestId,
    begun: Instant,
    deadline: Instant,
    /// Taken when the answer begins.
    answer: Option<oneshot::Sender<Answer>>,
    wants_log: bool,
}

/// A request for the next call; dropped, the process no longer waits.
pub(crate) struct Parked {
    environment: Rc<Environment>,
    jobs: oneshot::Receiver<Job>,
    ticket: u64,
}

impl Parked {
    /// The call; `None` when there will be none.
    pub(crate) async fn job(&mut self) -> Option<Job> {
        (&mut self.jobs).await.ok()
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        let environment = &self.environment;
        let is_waiting =
            matches!(&*environment.state.borrow(), State::Idle { ticket, .. } if *ticket == self.ticket);
        if is_waiting {
            environment.state.replace(State::Away { until: environment.patience() });
            environment.pool.no_longer_idle(environment);
            environment.changed.notify_one();
        } else if self.jobs.try_recv().is_ok() {
            // The call was on its way to a process that hung up: whether it would have answered nobody knows.
            environment.fail(Failure::new("Runtime.Lost", "the function's process hung up"));
        }
    }
}

/// Why the Runtime API refuses a request of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misuse {
    /// There is no such call, or no longer.
    UnknownCall,
    /// It asks for a call while it has one.
    Busy,
    /// It is to end.
    Ended,
}

impl Environment {
    /// Starts an environment and a task that watches over it to its end.
    pub(crate) fn start(pool: &Rc<Pool>, generation: u64) -> Rc<Self> {
        let now = Instant::now();
        let environment = Rc::new(Self {
            pool: pool.clone(),
            generation,
            state: RefCell::new(State::Away { until: now + START_LIMIT.max(pool.description.timeout) }),
            changed: Notify::new(),
            looks_at: Cell::new(None),
            is_told_to_end: Cell::new(false),
            process: Cell::default(),
            begun: now,
            init: Cell::new(None),
            is_ready: Cell::new(false),
            last_used: Cell::new(now),
            speaks_for: Cell::new(None),
            used: Cell::new(0),
            start_failure: RefCell::new(None),
            tickets: Cell::new(0),
        });
        tokio::task::spawn_local(environment.clone().run());
        environment
    }

    /// Whether the process has asked for a call at least once.
    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready.get()
    }

    /// Whether a call may be given to it.
    pub(crate) fn is_usable(&self) -> bool {
        matches!(&*self.state.borrow(), State::Idle { give, .. } if !give.is_closed())
            && !self.is_told_to_end.get()
            && self.process.get().is_alive()
    }

    /// Gives it a call, or gives the call back.
    pub(crate) fn begin(self: &Rc<Self>, job: Job) -> Result<oneshot::Receiver<Answer>, Job> {
        if !self.is_usable() {
            return Err(job);
        }
        let (sender, receiver) = oneshot::channel();
        let now = Instant::now();
        let call = Call {
            id: job.id,
            begun: now,
            deadline: now + self.pool.description.timeout,
            answer: Some(sender),
            wants_log: job.wants_log,
        };
        self.speaks_for.set(Some(job.id));
        self.last_used.set(now);
        if call.wants_log {
            self.say(Origin::Platform, format!("START RequestId: {} Version: $LATEST", job.id));
        }
        let nearest = (now + LOOK).min(call.deadline);
        if self.looks_at.get().is_none_or(|at| at > nearest + LOOK) {
            self.changed.notify_one();
        }
        match self.state.replace(State::Busy(call)) {
            State::Idle { give, .. } => give.send(job).map(|()| receiver).inspect_err(|_| {
                self.state.replace(State::Away { until: self.patience() });
            }),
            other => {
                self.state.replace(other);
                Err(job)
            }
        }
    }

    /// The process asks for a call.
    pub(crate) fn next(self: &Rc<Self>) -> Result<Parked, Misuse> {
        match &*self.state.borrow() {
            State::Busy(_) => return Err(Misuse::Busy),
            State::Ended => return Err(Misuse::Ended),
            State::Away { .. } | State::Idle { .. } => {}
        }
        if !self.is_ready.replace(true) {
            self.init.set(Some(self.begun.elapsed()));
        }
        let (give, jobs) = oneshot::channel();
        let ticket = self.tickets.get() + 1;
        self.tickets.set(ticket);
        let was = self.state.replace(State::Idle { give, ticket });
        let parked = Parked { environment: self.clone(), jobs, ticket };
        if matches!(was, State::Away { .. }) {
            self.pool.idle(self);
        }
        Ok(parked)
    }

    /// Whether it has this call, and has not begun to answer it.
    pub(crate) fn expects(&self, id: &str) -> bool {
        matches!(&*self.state.borrow(), State::Busy(call) if call.answer.is_some() && call.id.as_str() == id)
    }

    /// By when the call that it has must be over.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &*self.state.borrow() {
            State::Busy(call) => Some(call.deadline),
            _ => None,
        }
    }

    /// The process has an answer, or the beginning of one, for a call.
    pub(crate) fn answer(&self, id: &str) -> Result<oneshot::Sender<Answer>, Misuse> {
        match &mut *self.state.borrow_mut() {
            State::Busy(call) if call.id.as_str() == id => call.answer.take().ok_or(Misuse::UnknownCall),
            _ => Err(Misuse::UnknownCall),
        }
    }

    /// The call is over, as far as the process goes.
    pub(crate) fn over(&self, id: &str, status: Option<&'static str>) {
        let mut state = self.state.borrow_mut();
        if !matches!(&*state, State::Busy(call) if call.id.as_str() == id) {
            return;
        }
        let was = std::mem::replace(&mut *state, State::Away { until: self.patience() });
        drop(state);
        if let State::Busy(call) = was {
            self.report(&call, status);
            self.pool.served();
        }
    }

    /// The process says that it cannot start.
    pub(crate) fn cannot_start(&self, failure: Failure) -> Result<(), Misuse> {
        if self.is_ready.get() {
            return Err(Misuse::UnknownCall);
        }
        self.start_failure.replace(Some(failure));
        Ok(())
    }

    /// Tells it to end once the call it has is over.
    pub(crate) fn end(&self) {
        self.is_told_to_end.set(true);
        self.changed.notify_one();
    }

    /// Ends it without waiting for the call it has.
    pub(crate) fn give_up(&self) {
        self.fail(Failure::new("Runtime.ExitError", "the program is ending"));
    }

    /// Answers the call it has with a failure, and has it ended at once.
    fn fail(&self, failure: Failure) {
        if let State::Busy(call) = self.state.replace(State::Ended) {
            let is_late = &*failure.error_type == TIMED_OUT;
            self.report(&call, Some(if is_late { "timeout" } else { "error" }));
            if let Some(answer) = call.answer {
                // A caller that left wants no answer.
                let _ = answer.send(Answer::Failure(failure));
            }
        }
        self.end();
    }

    /// By when the process has to ask for a call again.
    fn patience(&self) -> Instant {
        Instant::now() + self.pool.description.timeout.max(LEAST_PATIENCE)
    }

    fn say(&self, origin: Origin, text: impl Into<Box<str>>) {
        let id = self.speaks_for.take();
        self.speaks_for.set(id);
        self.pool.log.write(origin, id.as_ref(), text);
    }

    fn report(&self, call: &Call, status: Option<&'static str>) {
        if self.used.get() == 0 {
            self.used.set(self.process.get().resident());
        }
        if call.wants_log {
            self.say(Origin::Platform, format!("END RequestId: {}", call.id));
        }
        let report = Report {
            id: call.id,
            duration: call.begun.elapsed(),
            memory: self.pool.description.memory,
            used: self.used.get().div_ceil(1 << 20),
            init: self.init.take(),
            status,
        };
        self.pool.log.write(Origin::Platform, Some(&call.id), report.to_string());
    }
}
