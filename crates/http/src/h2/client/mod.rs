//! The client's side of HTTP/2: requests to one peer share a connection, each driven by the task that made it.

mod exchange;
mod head;
mod lines;
mod replay;
mod upload;

use std::sync::Arc;

pub(crate) use exchange::ResponseBody;

use exchange::Exchange;
use lines::Found;

use crate::body::Body;
use crate::client::{Answer, SendFailure, Timeouts};
use crate::error::ClientError;
use crate::h1;
use crate::h1::write::request_framing;
use crate::message::Request;
use crate::outgoing::Outgoing;
use crate::peer::Peer;

/// How often a request is sent, where nothing can have come of it before.
const ATTEMPTS: usize = 2;

/// What became of a request.
pub(crate) enum Sent {
    /// It went out by HTTP/2.
    Http2(Result<Answer, Box<SendFailure>>),
    /// The peer speaks HTTP/1.1: the body, unused, and the connection that this was learnt from.
    Http1(Body, Option<Box<h1::client::Exchange>>),
}

/// Sends a request to a peer that speaks HTTP/2, or may.
pub(crate) async fn send(
    peer: &Arc<Peer>,
    request: &Request,
    mut body: Body,
    outgoing: &Outgoing<'_>,
    timeouts: &Timeouts,
) -> Sent {
    let framing = request_framing(&request.method, &body);
    let mut copy = body.duplicate();
    let mut attempts = 0;
    loop {
        attempts += 1;
        let slot = match lines::take(peer, timeouts.connect).await {
            Ok(Found::Line(slot)) => slot,
            Ok(Found::Http1(link)) => return Sent::Http1(body, link),
            Err(error) => {
                return Sent::Http2(Err(Box::new(SendFailure { error, remote: None, body: Some(body) })));
            }
        };
        let remote = slot.remote();
        let Some(head) = head::request(request, outgoing, framing, peer.is_tls()) else {
            let error = ClientError::Refused { peer: peer.label().to_owned() };
            return Sent::Http2(Err(Box::new(SendFailure { error, remote: None, body: None })));
        };
        let interims = request.interims.clone();
        let exchange = Exchange::begin(slot, head, body, framing, interims, timeouts);
        let failure = match exchange.response().await {
            Ok(response) => return Sent::Http2(Ok(Answer { response, remote })),
            Err(failure) => failure,
        };
        let unused = failure.unused.or_else(|| copy.take());
        match unused {
            Some(again) if failure.may_repeat && attempts < ATTEMPTS => {
                copy = again.duplicate();
                body = again;
            }
            unused => {
                let body = unused.filter(|_| failure.error.is_safe_to_retry());
                let failure = SendFailure { error: failure.error, remote: Some(remote), body };
                return Sent::Http2(Err(Box::new(failure)));
            }
        }
    }
}
