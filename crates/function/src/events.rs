//! Calls that nobody waits for: kept in memory, made when there is room, made again when they fail.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::invocation::{Answer, Chunk, Failure, Job, Refusal};
use crate::log::Origin;
use crate::pool::Pool;

/// Calls that wait, of all functions.
const MOST_EVENTS: usize = 10_000;
/// Bytes of events that wait, of all functions.
const MOST_BYTES: usize = 256 << 20;
/// How often a call is made before it is given up, as on Lambda.
const ATTEMPTS: u32 = 3;
/// The pause before the second attempt, and twice that before the third. Lambda's are a minute and two; whoever
/// tries things out does not wait for that.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a call may wait for room.
const OLDEST: Duration = Duration::from_hours(6);

/// The calls that nobody waits for.
#[derive(Debug, Default)]
pub(crate) struct Events {
    count: Cell<usize>,
    bytes: Cell<usize>,
}

/// A place among them.
struct Place {
    events: Rc<Events>,
    bytes: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.events.count.set(self.events.count.get() - 1);
        self.events.bytes.set(self.events.bytes.get() - self.bytes);
    }
}

impl Events {
    /// Takes a call in.
    pub(crate) fn accept(self: &Rc<Self>, pool: &Rc<Pool>, job: Job) -> Result<(), Refusal> {
        let bytes = self.bytes.get() + job.event.len();
        if self.count.get() >= MOST_EVENTS || bytes > MOST_BYTES {
            return Err(Refusal::Throttled);
        }
        self.count.set(self.count.get() + 1);
        self.bytes.set(bytes);
        let place = Place { events: self.clone(), bytes: job.event.len() };
        tokio::task::spawn_local(deliver(pool.clone(), job, place));
        Ok(())
    }
}

async fn deliver(pool: Rc<Pool>, job: Job, _place: Place) {
    let begun = Instant::now();
    let mut attempts = 0;
    loop {
        let result = match pool.invoke(job.clone()).await {
            Ok(answer) => outcome(answer).await,
            Err(Refusal::Throttled | Refusal::WaitedTooLong) if begun.elapsed() < OLDEST => {
                sleep(PAUSE).await;
                continue;
            }
            Err(Refusal::Ending) => Err(Failure::new("Sandbox.Ending", "the program is ending")),
            Err(Refusal::Broken(failure)) => Err(failure),
            Err(_) => Err(Failure::new("TooOld", "there was no room for too long")),
        };
        let Err(failure) = result else { return };
        attempts += 1;
        if attempts >= ATTEMPTS || &*failure.error_type == "Sandbox.Ending" {
            let text = format!("an event was given up after {attempts} attempts: {}", failure.message);
            pool.log.write(Origin::Trouble, Some(&job.id), text);
            return;
        }
        sleep(PAUSE * attempts).await;
    }
}

/// Whether a call succeeded; a streamed answer is read to its end.
async fn outcome(answer: Answer) -> Result<(), Failure> {
    match answer {
        Answer::Whole(_) => Ok(()),
        Answer::Failure(failure) => Err(failure),
        Answer::Stream(mut stream) => loop {
            match stream.chunks.recv().await {
                Some(Chunk::Data(_)) => {}
                Some(Chunk::End) => return Ok(()),
                Some(Chunk::Failed(failure)) => return Err(failure),
                None => return Err(Failure::new("Runtime.ExitError", "the answer broke off")),
            }
        },
    }
}
