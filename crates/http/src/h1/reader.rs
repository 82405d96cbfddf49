//! A body as it arrives: what is in the buffer, then what the socket gives.

use std::task::{Context, Poll, ready};

use super::framing::Framing;
use crate::buffer::ReadBuffer;
use crate::error::BodyErrorKind;
use crate::headers::Headers;
use crate::stream::Stream;

/// Reads one body; between bodies it is at its end.
#[derive(Default)]
pub(crate) struct BodyReader {
    framing: Framing,
    /// Bytes of data at the front of the buffer.
    available: usize,
}

impl BodyReader {
    pub(crate) fn new(framing: Framing) -> Self {
        Self { framing, available: 0 }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.framing.is_done()
    }

    pub(crate) fn length(&self) -> Option<u64> {
        self.framing.length()
    }

    pub(crate) fn trailers(&mut self) -> Option<Headers> {
        self.framing.trailers()
    }

    pub(crate) fn available(&self) -> usize {
        self.available
    }

    pub(crate) fn consume(&mut self, buffer: &mut ReadBuffer, count: usize) {
        let count = count.min(self.available);
        buffer.consume(count);
        self.framing.consume(count);
        self.available -= count;
    }

    /// Looks at what the buffer has: `Some(true)` for data, `Some(false)` for the end, `None` to read on.
    pub(crate) fn look(&mut self, buffer: &mut ReadBuffer) -> Result<Option<bool>, BodyErrorKind> {
        if self.available == 0 && !self.framing.is_done() {
            let step = self.framing.step(buffer.data()).map_err(BodyErrorKind::Framing)?;
            buffer.consume(step.skip);
            self.available = step.data;
        }
        Ok(match self.available {
            0 if self.framing.is_done() => Some(false),
            0 => None,
            _ => Some(true),
        })
    }

    /// Reads once from the socket, when `look` has said to read on.
    pub(crate) fn poll_read(
        &mut self,
        buffer: &mut ReadBuffer,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), BodyErrorKind>> {
        if ready!(buffer.poll_fill(stream, cx))? > 0 {
            return Poll::Ready(Ok(()));
        }
        match self.framing {
            Framing::UntilClose => self.framing = Framing::Done,
            _ => return Poll::Ready(Err(BodyErrorKind::Truncated)),
        }
        Poll::Ready(Ok(()))
    }
}
