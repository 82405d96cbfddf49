//! The life of an environment: its process is started, watched over, and ended with all of its group.

use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::{Environment, LOOK, State, TIMED_OUT};
use crate::invocation::{Answer, Failure};
use crate::log::Origin;
use crate::pool::Departure;
use crate::process::{Handle, Process, describe};
use crate::{bootstrap, runtime_api};

/// How long a process may take to end itself before it is ended.
const GRACE: Duration = Duration::from_millis(500);
/// How long output is read on after a process has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the one who watches over an environment has to do.
enum Verdict {
    Fine,
    Kill(Failure),
    LetGo,
}

impl Environment {
    /// From the start of the process to the end of its group.
    pub(super) async fn run(self: Rc<Self>) {
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
}

/// A task that does not outlive this.
struct Aborted(JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}
