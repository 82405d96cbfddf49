//! What a function says: the lines of its processes and of its reports, kept for a while and shown to who asks.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::broadcast;

use crate::description::Name;
use crate::id::RequestId;

/// The longest line, in bytes; a longer one is broken.
pub(crate) const LONGEST_LINE: usize = 16 << 10;
/// What is kept of a function's log, in bytes.
const KEPT_BYTES: usize = 256 << 10;
/// Lines that a slow reader of the log may lag behind.
const LAG: usize = 1024;
/// What the Invoke API gives of a call's log, in bytes.
const TAIL: usize = 4096;

/// Where a line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The process wrote it.
    Function,
    /// Lambda's own START, END and REPORT.
    Platform,
    /// What befell its environments: failed starts, crashes, changed files.
    Trouble,
}

/// A line of a function's log.
#[derive(Clone, Debug)]
pub struct Line {
    /// Whose it is.
    pub function: Name,
    /// The call it belongs to, where that is known.
    pub request_id: Option<Box<str>>,
    /// Where it comes from.
    pub origin: Origin,
    /// What it says, without a line end.
    pub text: Box<str>,
}

/// Where every line goes besides.
pub type Sink = Arc<dyn Fn(&Line) + Send + Sync>;

/// The log of one function.
pub(crate) struct Log {
    function: Name,
    sink: Sink,
    kept: RefCell<VecDeque<Arc<Line>>>,
    kept_bytes: Cell<usize>,
    followers: broadcast::Sender<Arc<Line>>,
}

impl Log {
    pub(crate) fn new(function: Name, sink: Sink) -> Self {
        let followers = broadcast::Sender::new(LAG);
        Self { function, sink, kept: RefCell::default(), kept_bytes: Cell::new(0), followers }
    }

    /// Writes a line.
    pub(crate) fn write(&self, origin: Origin, request: Option<&RequestId>, text: impl Into<Box<str>>) {
        let line = Arc::new(Line {
            function: self.function.clone(),
            request_id: request.map(|id| id.as_str().into()),
            origin,
            text: text.into(),
        });
        (self.sink)(&line);
        // Without a follower there is nobody to tell.
        let _ = self.followers.send(line.clone());
        let mut kept = self.kept.borrow_mut();
        let mut bytes = self.kept_bytes.get() + size_of(&line);
        kept.push_back(line);
        while bytes > KEPT_BYTES
            && let Some(oldest) = kept.pop_front()
        {
            bytes -= size_of(&oldest);
        }
        self.kept_bytes.set(bytes);
    }

    /// The last lines, the oldest first.
    pub(crate) fn last(&self, count: usize) -> Vec<Arc<Line>> {
        let kept = self.kept.borrow();
        kept.iter().skip(kept.len().saturating_sub(count)).cloned().collect()
    }

    /// The lines from now on.
    pub(crate) fn follow(&self) -> broadcast::Receiver<Arc<Line>> {
        self.followers.subscribe()
    }

    /// The end of what was written about a call.
    pub(crate) fn tail(&self, request: &RequestId) -> String {
        let kept = self.kept.borrow();
        let of = |line: &&Arc<Line>| line.request_id.as_deref() == Some(request.as_str());
        let mut lines = Vec::new();
        let mut length = 0;
        for line in kept.iter().rev().filter(of) {
            length += line.text.len() + 1;
            lines.push(&*line.text);
            if length > TAIL {
                break;
            }
        }
        let mut text: String = lines.into_iter().rev().flat_map(|line| [line, "\n"]).collect();
        let mut start = text.len().saturating_sub(TAIL);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        text.split_off(start)
    }
}

/// About what a line takes in memory, in bytes.
fn size_of(line: &Line) -> usize {
    line.text.len() + 128
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{KEPT_BYTES, Log, Origin, TAIL};
    use crate::id::RequestId;

    fn log() -> Log {
        Log::new("hello".parse().unwrap(), Arc::new(|_| {}))
    }

    #[test]
    fn only_so_much_is_kept() {
        let log = log();
        for number in 0..10_000 {
            log.write(Origin::Function, None, format!("line {number}"));
        }
        assert!(log.kept_bytes.get() <= KEPT_BYTES);
        let last = log.last(2);
        assert_eq!((&*last[0].text, &*last[1].text), ("line 9998", "line 9999"));
    }

    #[test]
    fn the_tail_of_a_call_has_its_own_lines_and_no_more_than_4_kb() {
        let log = log();
        let (mine, other) = (RequestId::new(), RequestId::new());
        log.write(Origin::Function, Some(&other), "theirs");
        log.write(Origin::Function, Some(&mine), "mine");
        assert_eq!(log.tail(&mine), "mine\n");
        for _ in 0..100 {
            log.write(Origin::Function, Some(&mine), "é".repeat(50));
        }
        let tail = log.tail(&mine);
        assert!(tail.len() <= TAIL && tail.len() > TAIL - 4 && tail.ends_with("é\n"), "{}", tail.len());
    }
}
