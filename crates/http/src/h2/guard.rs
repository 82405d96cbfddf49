//! Between the socket and the `h2` crate: counts the frames the other side sends, so that one that floods is sent away.
//!
//! The crate bounds what it keeps in memory; it answers pings and settings for as long as they come, and knows
//! nothing of requests that were taken back after they had begun.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use h2::Reason;
use lockgate_telemetry::clock::{self, Moment};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::PREFACE;
use super::settings::Http2Settings;
use crate::buffer::ReadBuffer;
use crate::stream::Stream;

const FRAME_HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// Control frames that a request pays for.
const PER_REQUEST: u32 = 8;
/// Control frames that a frame of data pays for, either way.
const PER_DATA: u32 = 4;
const CONTROL_PER_SECOND: u32 = 100;
const RESETS_PER_SECOND: u32 = 10;
/// Bytes of a `SETTINGS` frame that count as one frame: ten settings.
const PER_SETTINGS: u32 = 60;
/// Bytes that are read and thrown away when a connection ends, so that its last words arrive.
const LINGER: usize = 1 << 20;

/// What a connection was seen to do.
pub(super) struct Meter {
    control: Bucket,
    resets: Bucket,
    fault: Cell<Option<Reason>>,
    is_in_head: Cell<bool>,
    is_closing: Cell<bool>,
    frames: Cell<u64>,
}

/// A count that leaks.
struct Bucket {
    level: Cell<u32>,
    /// What was made good for beforehand.
    credit: Cell<u32>,
    limit: u32,
    per_second: u32,
    since: Cell<Moment>,
}

impl Bucket {
    fn new(limit: u32, per_second: u32) -> Self {
        Self {
            level: Cell::new(0),
            credit: Cell::new(0),
            limit,
            per_second,
            since: Cell::new(clock::recent()),
        }
    }

    /// Adds; whether it is over its limit.
    fn add(&self, count: u32) -> bool {
        let covered = self.credit.get().min(count);
        self.credit.set(self.credit.get() - covered);
        let level = self.level.get().saturating_add(count - covered);
        self.level.set(level);
        if level <= self.limit {
            return false;
        }
        // The clock is asked only where it may matter.
        let now = clock::now();
        let passed = now.duration_since(self.since.get()).as_millis();
        let leaked = u32::try_from(passed * u128::from(self.per_second) / 1000).unwrap_or(u32::MAX);
        if leaked > 0 {
            self.since.set(now);
            self.level.set(level.saturating_sub(leaked));
        }
        self.level.get() > self.limit
    }

    fn take(&self, count: u32) {
        self.level.set(self.level.get().saturating_sub(count));
    }

    /// Takes one, also of what is still to come: no more of it than the limit.
    fn take_ahead(&self) {
        match self.level.get() {
            0 => self.credit.set((self.credit.get() + 1).min(self.limit)),
            level => self.level.set(level - 1),
        }
    }
}

impl Meter {
    pub(super) fn new(settings: &Http2Settings) -> Rc<Self> {
        Rc::new(Self {
            control: Bucket::new(settings.max_control_frames, CONTROL_PER_SECOND),
            resets: Bucket::new(settings.max_resets, RESETS_PER_SECOND),
            fault: Cell::new(None),
            is_in_head: Cell::new(false),
            is_closing: Cell::new(false),
            frames: Cell::new(0),
        })
    }

    /// Why the client is to be sent away.
    pub(super) fn fault(&self) -> Option<Reason> {
        self.fault.get()
    }

    /// Whether a head has begun and not ended.
    pub(super) fn is_in_head(&self) -> bool {
        self.is_in_head.get()
    }

    /// Whether this side has ended the connection and waits for the client to do so.
    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.get()
    }

    /// Frames received so far.
    pub(super) fn frames(&self) -> u64 {
        self.frames.get()
    }

    /// Data went out.
    pub(super) fn has_sent(&self, bytes: u64) {
        // The crate cuts data into frames of 16 KiB where the client does not grant more.
        self.control.take(PER_DATA.saturating_add(u32::try_from(bytes >> 12).unwrap_or(u32::MAX)));
    }

    /// A request was answered to its end. A client that had not sent all of it may reset it then.
    pub(super) fn has_answered(&self) {
        self.resets.take_ahead();
    }

    fn blame(&self, reason: Reason) {
        self.fault.set(self.fault.get().or(Some(reason)));
    }

    fn count(&self, kind: u8, flags: u8, len: u32) {
        if self.frames.replace(self.frames.get() + 1) == 0 && (kind != SETTINGS || flags & ACK != 0) {
            // RFC 9113 §3.4: either side begins with its settings.
            self.blame(Reason::PROTOCOL_ERROR);
        }
        let is_over = match kind {
            HEADERS => {
                self.control.take(PER_REQUEST);
                false
            }
            DATA => {
                self.control.take(if len > 0 { PER_DATA } else { 0 });
                false
            }
            CONTINUATION => false,
            SETTINGS => self.control.add(1 + len / PER_SETTINGS),
            RST_STREAM => self.resets.add(1) || self.control.add(1),
            _ => self.control.add(1),
        };
        if is_over {
            self.blame(Reason::ENHANCE_YOUR_CALM);
        }
    }
}

/// Where in the stream of frames the next byte stands.
#[derive(Default)]
struct Frames {
    preface: usize,
    head: [u8; FRAME_HEAD],
    have: usize,
    left: usize,
    is_block_open: bool,
}

impl Frames {
    fn look(&mut self, mut bytes: &[u8], meter: &Meter) {
        let preface = (PREFACE.len() - self.preface).min(bytes.len());
        self.preface += preface;
        bytes = &bytes[preface..];
        while !bytes.is_empty() {
            if self.left > 0 {
                let skipped = self.left.min(bytes.len());
                self.left -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let count = (FRAME_HEAD - self.have).min(bytes.len());
            self.head[self.have..self.have + count].copy_from_slice(&bytes[..count]);
            self.have += count;
            bytes = &bytes[count..];
            if self.have == FRAME_HEAD {
                self.have = 0;
                self.begin(meter);
            }
        }
        let is_head = matches!(self.head[3], HEADERS | CONTINUATION);
        meter.is_in_head.set(self.is_block_open || (is_head && self.left > 0));
    }

    fn begin(&mut self, meter: &Meter) {
        let [a, b, c, kind, flags, ..] = self.head;
        let len = u32::from_be_bytes([0, a, b, c]);
        self.left = len as usize;
        if matches!(kind, HEADERS | CONTINUATION) {
            self.is_block_open = flags & END_HEADERS == 0;
        }
        meter.count(kind, flags, len);
    }
}

/// A connection of which some bytes were read already, and whose frames are counted.
pub(super) struct Guard<T = Stream> {
    stream: T,
    buffer: ReadBuffer,
    frames: Frames,
    meter: Rc<Meter>,
    lingered: usize,
    /// Whether bytes have come since the reader last waited.
    is_fresh: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Guard<T> {
    pub(super) fn new(stream: T, buffer: ReadBuffer, meter: Rc<Meter>) -> Self {
        Self { stream, buffer, frames: Frames::default(), meter, lingered: 0, is_fresh: false }
    }

    /// Towards a server, which has no preface but its settings.
    pub(super) fn of_server(stream: T, meter: Rc<Meter>) -> Self {
        let frames = Frames { preface: PREFACE.len(), ..Frames::default() };
        Self { stream, buffer: ReadBuffer::default(), frames, meter, lingered: 0, is_fresh: false }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.buffer.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let count = self.buffer.len().min(buf.remaining());
        buf.put_slice(&self.buffer.data()[..count]);
        self.buffer.consume(count);
        self.buffer.release();
        Poll::Ready(Ok(()))
    }

    /// Reads what the client still sends: a socket closed with unread bytes takes back what was written last.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0; 4096];
        while self.lingered < LINGER {
            let mut buf = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => self.lingered += buf.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guard<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Nothing more is heard of a side that is to go; the connection's task looks after each poll.
        if self.meter.fault().is_some() {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let Poll::Ready(filled) = self.poll_fill(cx, buf) else {
            self.is_fresh = false;
            return Poll::Pending;
        };
        let this = &mut *self;
        let bytes = &buf.filled()[before..];
        if bytes.is_empty() && std::mem::take(&mut this.is_fresh) {
            // Of a side that is gone the crate knows no requests any more, even such as came right before: they are
            // taken first, to be told of the end like all others.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        this.is_fresh = !bytes.is_empty();
        this.frames.look(bytes, &this.meter);
        Poll::Ready(filled)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        self.meter.is_closing.set(true);
        self.poll_linger(cx).map(Ok)
    }
}
