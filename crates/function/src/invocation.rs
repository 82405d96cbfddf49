//! A call of a function on its way to an environment, and what comes back.

use std::rc::Rc;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;

use crate::id::RequestId;

/// The longest event and the longest answer that is not streamed, in bytes.
pub(crate) const MOST_BYTES: usize = 6 << 20;
/// Chunks of a streamed answer that wait for the client.
pub(crate) const CHUNKS: usize = 4;

/// What a process is asked to do.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) id: RequestId,
    pub(crate) event: Bytes,
    pub(crate) trace: Option<Box<str>>,
    /// JSON, decoded.
    pub(crate) client_context: Option<Box<str>>,
    /// Whether the caller wants the end of the log.
    pub(crate) wants_log: bool,
}

impl Job {
    /// A call with an event and nothing else.
    pub(crate) fn new(event: impl Into<Bytes>) -> Self {
        let event = event.into();
        Self { id: RequestId::new(), event, trace: None, client_context: None, wants_log: false }
    }
}

/// What a process answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// All at once.
    Whole(Bytes),
    /// Bit by bit.
    Stream(AnswerStream),
    /// Not at all, or with an error.
    Failure(Failure),
}

/// An answer that is still being made.
#[derive(Debug)]
pub(crate) struct AnswerStream {
    /// What the function says it is; `application/vnd.awslambda.http-integration-response` for a head and a body.
    pub(crate) content_type: Option<Box<str>>,
    pub(crate) chunks: mpsc::Receiver<Chunk>,
}

/// A part of a streamed answer. Without an `End` or `Failed` last, the environment was lost.
#[derive(Debug)]
pub(crate) enum Chunk {
    Data(Bytes),
    End,
    Failed(Failure),
}

/// How a call failed in the function's hands; Lambda calls all of this `Unhandled`.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// `Runtime.ExitError`, `Sandbox.Timedout`, or what the function calls it.
    pub(crate) error_type: Rc<str>,
    /// One line for people.
    pub(crate) message: Rc<str>,
    /// The JSON that the caller of the Invoke API gets.
    pub(crate) payload: Bytes,
}

impl Failure {
    /// A failure that we noticed.
    pub(crate) fn new(error_type: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let payload = json!({"errorType": error_type, "errorMessage": message}).to_string().into();
        Self { error_type: error_type.into(), message: message.into(), payload }
    }

    /// A failure that the function reported.
    pub(crate) fn reported(error_type: Option<&str>, payload: Bytes) -> Self {
        let value: serde_json::Value = serde_json::from_slice(&payload).unwrap_or_default();
        let error_type = value["errorType"].as_str().or(error_type).unwrap_or("Runtime.UnknownReason").into();
        let message = value["errorMessage"].as_str().unwrap_or("the function reported an error").into();
        let is_json = value.is_object();
        let failure = Self { error_type, message, payload };
        if is_json { failure } else { Self::new(&failure.error_type, &*failure.message) }
    }
}

/// Why a call never reached the function.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// All environments are busy, and as many calls wait as may.
    Throttled,
    /// No environment came free in time.
    WaitedTooLong,
    /// Its environments cannot be started; the failure says why.
    Broken(Failure),
    /// The program is ending.
    Ending,
}
