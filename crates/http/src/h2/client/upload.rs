//! A request's body on its way up, and the wait for what the peer says to it.

use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;

use super::replay::Replay;
use crate::body::Body;
use crate::error::BodyError;
use crate::h2::guard::Meter;
use crate::h2::outflow::{Outflow, Stopped};
use crate::timer::Timer;

/// How much of the request is out.
pub(super) struct Upload {
    /// `None` when there is nothing more to send, or nobody who takes it.
    pub(super) outflow: Option<Outflow>,
    /// What is still to be sent.
    pub(super) body: Body,
    /// What was sent, until a response has begun; `None` when it was too much to keep.
    pub(super) sent: Option<Vec<Bytes>>,
}

impl Upload {
    /// Sends on what there is to send. Only the request's own body can fail it: a peer that takes no more may still
    /// answer.
    pub(super) fn poll(&mut self, meter: &Meter, cx: &mut Context<'_>) -> Result<(), BodyError> {
        let Some(outflow) = &mut self.outflow else { return Ok(()) };
        let before = outflow.sent();
        let sent = outflow.poll(&mut self.body, cx);
        let moved = outflow.sent() - before;
        if moved > 0 {
            meter.has_sent(moved);
        }
        match sent {
            Poll::Pending => return Ok(()),
            Poll::Ready(Ok(())) => self.body = Body::empty(),
            Poll::Ready(Err(Stopped::Closed | Stopped::Stalled)) => {}
            Poll::Ready(Err(Stopped::Body(error))) => {
                outflow.reset(Reason::CANCEL);
                return Err(error);
            }
        }
        self.sent = outflow.take_kept();
        self.outflow = None;
        Ok(())
    }

    /// The whole body again, where what was sent of it is at hand.
    pub(super) fn into_whole(mut self) -> Option<Body> {
        let sent = match &mut self.outflow {
            Some(outflow) => outflow.take_kept(),
            None => self.sent,
        };
        sent.map(|sent| if sent.is_empty() { self.body } else { Replay::body(sent, self.body) })
    }

    pub(super) fn is_over(&self) -> bool {
        self.outflow.is_none()
    }
}

/// The wait for the next sign of a peer.
pub(super) struct Silence {
    pub(super) timer: Option<Timer>,
    pub(super) is_armed: bool,
    pub(super) within: Duration,
}

impl Silence {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(Timer::new);
        if !std::mem::replace(&mut self.is_armed, true) {
            timer.arm(self.within);
        }
        timer.poll(cx)
    }
}
