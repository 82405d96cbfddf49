//! Interim answers (1xx) on their way to a client of HTTP/2.

use std::cell::{Cell, RefCell};

use bytes::Bytes;
use h2::server::SendResponse;
use http::StatusCode;

use super::convert;
use crate::message::Response;

/// How many may wait for a stream; those beyond are left out, as any may be (RFC 9110 §15.2).
const WAITING: usize = 16;

/// What an upstream said before its answer, and whether the client waits for a `100`.
#[derive(Default)]
pub(crate) struct Interims {
    waiting: RefCell<Vec<http::Response<()>>>,
    awaits_continue: Cell<bool>,
    /// Whether somebody waits for the request's body, and so the client is to be told to send it.
    is_body_wanted: Cell<bool>,
}

impl Interims {
    /// For a client that sends its body after a `100` only.
    pub(crate) fn awaiting() -> Self {
        Self { awaits_continue: Cell::new(true), ..Self::default() }
    }

    /// Somebody waits for the request's body.
    pub(crate) fn want_body(&self) {
        self.is_body_wanted.set(true);
    }

    /// Takes one of the upstream's.
    pub(crate) fn pass_on(&self, response: &Response) {
        let is_wanted = response.status != StatusCode::CONTINUE || self.awaits_continue.replace(false);
        let mut waiting = self.waiting.borrow_mut();
        if is_wanted && waiting.len() < WAITING {
            waiting.push(convert::interim(response));
        }
    }

    /// Sends those there are; `continues` says whether a `100` is this side's to give.
    pub(super) fn send(&self, respond: &mut SendResponse<Bytes>, continues: bool) {
        for head in self.take(continues) {
            // A client that is gone shows with the answer.
            let _ = respond.send_informational(head);
        }
    }

    /// Those there are; `continues` as above.
    pub(crate) fn take(&self, continues: bool) -> Vec<http::Response<()>> {
        if continues && self.is_body_wanted.get() && self.awaits_continue.replace(false) {
            let mut head = http::Response::new(());
            *head.status_mut() = StatusCode::CONTINUE;
            self.waiting.borrow_mut().push(head);
        }
        std::mem::take(&mut *self.waiting.borrow_mut())
    }
}
