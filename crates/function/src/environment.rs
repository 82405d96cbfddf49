//! An environment: one process, its Runtime API, and the one call it has at a time, from its start to its end.

use std::cell::{Cell, RefCell};
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use crate::id::RequestId;
use crate::invocation::{Answer, Failure, Job};
use crate::log::{LONGEST_LINE, Origin};
use crate::pool::{Departure, Pool};
use crate::process::{Handle, Process, describe};
use crate::report::Report;
use crate::{bootstrap, runtime_api};

/// How long a process may take to ask for its first call; its function's time-out, where that is longer.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How often the memory of a busy environment is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long a process may take to end itself before it is ended.
const GRACE: Duration = Duration::from_millis(500);
/// How long output is read on after a process has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

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

/// What the one who watches over an environment has to do.
enum Verdict {
    Fine,
    Kill(Failure),
    LetGo,
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
        Instant::now() + self.pool.description.timeout.max(LAST_WORDS)
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

    /// From the start of the process to the end of its group.
    async fn run(self: Rc<Self>) {
        let departure = match self.live().await {
            Ok(departure) => departure,
            Err(error) => {
                let message =
                    format!("{} cannot be started: {error}", bootstrap::shown(&self.pool.description));
                Departure::Failed(Failure::new("Runtime.InvalidEntrypoint", message))
            }
        };
        if let State::Busy(call) = self.state.replace(State::Ended) {
            self.report(&call, Some("error"));
            if let (Some(answer), Departure::Failed(failure)) = (call.answer, &departure) {
                let _ = answer.send(Answer::Failure(failure.clone()));
            }
        }
        self.pool.ended(&self, departure);
    }

    async fn live(self: &Rc<Self>) -> std::io::Result<Departure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let command = bootstrap::command(&self.pool, listener.local_addr()?);
        let memory = u64::from(self.pool.description.memory) << 20;
        let mut process = Process::start(command, memory)?;
        self.process.set(process.handle());
        let mut readers = JoinSet::new();
        let (out, errors) = process.output();
        if let Some(out) = out {
            readers.spawn_local(self.clone().listen(out));
        }
        if let Some(errors) = errors {
            readers.spawn_local(self.clone().listen(errors));
        }
        let api = Aborted(tokio::task::spawn_local(runtime_api::serve(self.clone(), listener)));
        let verdict = self.watch(&mut process).await;
        self.process.set(Handle::default());
        process.kill();
        let status = process.wait().await?;
        process.bury_group().await;
        drop(process);
        // Everything that it wrote belongs to it; a process that left the group must not keep us.
        let _ = timeout(LAST_WORDS, async { while readers.join_next().await.is_some() {} }).await;
        drop(api);
        Ok(verdict.unwrap_or_else(|| self.departure(&describe(status))))
    }

    /// Watches over the process until it ends or has to; `None` when it ended by itself.
    async fn watch(&self, process: &mut Process) -> Option<Departure> {
        loop {
            let at = self.look_at();
            self.looks_at.set(Some(at));
            tokio::select! {
                _ = process.wait() => return self.is_told_to_end.get().then_some(Departure::Wanted),
                () = sleep_until(at) => {}
                () = self.changed.notified() => {}
            }
            let is_over = !matches!(&*self.state.borrow(), State::Busy(_));
            if self.is_told_to_end.get() && is_over {
                self.state.replace(State::Ended);
                process.ask_to_end();
                let _ = timeout(GRACE, process.wait()).await;
                return Some(Departure::Wanted);
            }
            match self.judge() {
                Verdict::Fine => {}
                Verdict::LetGo => self.end(),
                Verdict::Kill(failure) => {
                    let was_ready = self.is_ready.get();
                    self.pool.log.write(Origin::Trouble, None, &*failure.message);
                    self.fail(failure.clone());
                    return Some(if was_ready { Departure::Wanted } else { Departure::Failed(failure) });
                }
            }
        }
    }

    /// When to look at it next.
    fn look_at(&self) -> Instant {
        let now = Instant::now();
        match &*self.state.borrow() {
            State::Away { until } => (*until).min(now + LOOK),
            State::Busy(call) => call.deadline.min(now + LOOK),
            State::Idle { .. } if self.last_used.get() + LOOK > now => now + LOOK,
            State::Idle { .. } | State::Ended => self.last_used.get() + self.pool.description.idle_timeout,
        }
    }

    fn judge(&self) -> Verdict {
        let now = Instant::now();
        let description = &self.pool.description;
        let id = match &*self.state.borrow() {
            State::Busy(call) if call.deadline <= now => {
                let seconds = description.timeout.as_secs_f64();
                let message =
                    format!("RequestId: {} Error: Task timed out after {seconds:.2} seconds", call.id);
                return Verdict::Kill(Failure::new(TIMED_OUT, message));
            }
            State::Away { until } if *until <= now => return self.stayed_away(),
            State::Idle { .. } => {
                if now < self.last_used.get() + description.idle_timeout {
                    return Verdict::Fine;
                }
                self.last_used.set(now);
                return if self.pool.may_shrink() { Verdict::LetGo } else { Verdict::Fine };
            }
            State::Busy(call) => Some(call.id),
            State::Away { .. } | State::Ended => None,
        };
        let used = self.process.get().resident();
        self.used.set(self.used.get().max(used));
        if used <= u64::from(description.memory) << 20 {
            return Verdict::Fine;
        }
        let whose = id.map_or_else(String::new, |id| format!("RequestId: {id} Error: "));
        let used = used >> 20;
        let message = format!("{whose}it used {used} MB of memory, more than its {} MB", description.memory);
        Verdict::Kill(Failure::new("Runtime.OutOfMemory", message))
    }

    fn stayed_away(&self) -> Verdict {
        let message = if self.is_ready.get() {
            "the process has not asked for another call and is ended"
        } else {
            "the process has not asked for its first call in time: does it speak the Lambda Runtime API?"
        };
        Verdict::Kill(Failure::new("Runtime.InitTimeout", message))
    }

    /// What became of a process that ended by itself.
    fn departure(&self, status: &str) -> Departure {
        if let Some(failure) = self.start_failure.take() {
            return Departure::Failed(failure);
        }
        let whose = match &*self.state.borrow() {
            State::Busy(call) => format!("RequestId: {} Error: ", call.id),
            _ => String::new(),
        };
        let message = format!("{whose}Runtime exited with error: {status}");
        Departure::Failed(Failure::new("Runtime.ExitError", message))
    }

    /// Takes the lines of an output, each for the call that was under way.
    async fn listen(self: Rc<Self>, output: impl AsyncRead + Unpin) {
        let mut reader = BufReader::with_capacity(4096, output);
        let mut line = Vec::new();
        // A pipe that cannot be read any more has ended.
        while let Ok(data) = reader.fill_buf().await {
            if data.is_empty() {
                break;
            }
            let end = data.iter().position(|byte| *byte == b'\n');
            let part = &data[..end.unwrap_or(data.len()).min(LONGEST_LINE - line.len())];
            line.extend_from_slice(part);
            let is_whole = end == Some(part.len());
            let used = part.len() + usize::from(is_whole);
            reader.consume(used);
            if is_whole || line.len() >= LONGEST_LINE {
                self.hear(&mut line);
            }
        }
        if !line.is_empty() {
            self.hear(&mut line);
        }
    }

    fn hear(&self, line: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(line);
        self.say(Origin::Function, text.trim_end_matches('\r'));
        line.clear();
    }
}

/// A task that does not outlive this.
struct Aborted(JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}
