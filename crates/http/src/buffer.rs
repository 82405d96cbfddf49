//! A thread's read and write buffers, lent to whoever has bytes: an idle connection holds none.

use std::cell::RefCell;
use std::io;
use std::task::{Context, Poll};

use crate::stream::Stream;

/// What a connection reads into at first: enough for any common head.
pub(crate) const SMALL: usize = 16 * 1024;
/// What it reads into while a body streams, or a head is large.
pub(crate) const LARGE: usize = 128 * 1024;
/// How many buffers of each size a thread keeps.
const POOLED_SMALL: usize = 128;
const POOLED_LARGE: usize = 32;

#[derive(Default)]
struct Pool {
    small: Vec<Box<[u8]>>,
    large: Vec<Box<[u8]>>,
    out: Vec<Vec<u8>>,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// Bytes that were read and not yet used.
#[derive(Default)]
pub(crate) struct ReadBuffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    wants_large: bool,
    /// Whether nothing was there to read when it was looked at last.
    is_awaited: bool,
}

impl ReadBuffer {
    pub(crate) fn data(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Reads once. Gives the buffer back to the thread while there is nothing in it and nothing to read.
    pub(crate) fn poll_fill(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // A wait begins with nothing to read, nearly always: that is found out without memory to read into.
        if !std::mem::replace(&mut self.is_awaited, true)
            && self.is_empty()
            && stream.poll_worth_reading(cx).is_pending()
        {
            self.release();
            return Poll::Pending;
        }
        self.make_room();
        let Poll::Ready(result) = stream.poll_read_some(cx, &mut self.bytes[self.end..]) else {
            self.release();
            return Poll::Pending;
        };
        self.is_awaited = false;
        let count = result?;
        self.end += count;
        // A read that filled what there was is a stream worth larger reads.
        self.wants_large |= self.end == self.bytes.len();
        Poll::Ready(Ok(count))
    }

    /// Says that somebody has looked whether there is anything to read, and waits if there was nothing.
    pub(crate) fn was_looked_for(&mut self) {
        self.is_awaited = true;
    }

    /// Reads until there are at least `count` bytes, for heads.
    pub(crate) fn poll_fill_more(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if !self.bytes.is_empty() && self.len() == self.bytes.len() {
            self.wants_large = true;
        }
        self.poll_fill(stream, cx)
    }

    fn make_room(&mut self) {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
            if self.wants_large && self.bytes.len() < LARGE {
                self.release();
            }
            if self.bytes.is_empty() {
                self.bytes = take(self.wants_large);
            }
        } else if self.end == self.bytes.len() {
            if self.start > 0 {
                self.bytes.copy_within(self.start..self.end, 0);
            } else if self.bytes.len() < LARGE {
                let mut larger = take(true);
                larger[..self.end].copy_from_slice(&self.bytes);
                give(std::mem::replace(&mut self.bytes, larger));
            }
            (self.start, self.end) = (0, self.end - self.start);
        }
    }

    /// Gives the memory back when there is nothing in it.
    pub(crate) fn release(&mut self) {
        if self.is_empty() && !self.bytes.is_empty() {
            (self.start, self.end) = (0, 0);
            give(std::mem::take(&mut self.bytes));
        }
    }

    /// The next reads are a new message: small again.
    pub(crate) fn reset(&mut self) {
        self.wants_large = false;
        self.release();
    }

    /// Whether there is no room for another byte.
    pub(crate) fn is_full(&self) -> bool {
        self.len() == LARGE
    }
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        self.start = self.end;
        self.release();
    }
}

fn take(is_large: bool) -> Box<[u8]> {
    let pooled = POOL.with(|pool| {
        let mut pool = pool.borrow_mut();
        if is_large { pool.large.pop() } else { pool.small.pop() }
    });
    pooled.unwrap_or_else(|| vec![0; if is_large { LARGE } else { SMALL }].into())
}

fn give(bytes: Box<[u8]>) {
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        match bytes.len() {
            SMALL if pool.small.len() < POOLED_SMALL => pool.small.push(bytes),
            LARGE if pool.large.len() < POOLED_LARGE => pool.large.push(bytes),
            _ => {}
        }
    });
}

/// Bytes on their way out: a head, and as much of a body as fits into the same write.
pub(crate) struct WriteBuffer {
    bytes: Vec<u8>,
    sent: usize,
}

impl WriteBuffer {
    pub(crate) fn new() -> Self {
        let bytes = POOL.with(|pool| pool.borrow_mut().out.pop());
        Self { bytes: bytes.unwrap_or_else(|| Vec::with_capacity(4096)), sent: 0 }
    }

    /// What is still to be sent.
    pub(crate) fn data(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Where to write more to; what was sent and is not kept is dropped first.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        if self.is_empty() {
            self.clear();
        }
        &mut self.bytes
    }

    pub(crate) fn advance(&mut self, count: usize) {
        self.sent = (self.sent + count).min(self.bytes.len());
    }

    /// Everything is to be sent again.
    pub(crate) fn rewind(&mut self) {
        self.sent = 0;
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.sent = 0;
    }
}

impl Drop for WriteBuffer {
    fn drop(&mut self) {
        if self.bytes.capacity() > LARGE || self.bytes.capacity() == 0 {
            return;
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.out.len() < POOLED_SMALL {
                pool.out.push(bytes);
            }
        });
    }
}
