//! What a server is told and asks: settings, the service that answers, and what became of an answer.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use http::StatusCode;

use crate::message::{Request, Response};
use crate::stream::Stream;
use crate::{ConnectionInfo, h1, h2};

/// What a server grants its clients.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// How long a connection may wait for its next request.
    pub idle_timeout: Duration,
    /// How long a head may take to arrive.
    pub head_timeout: Duration,
    /// The longest silence inside a request's body.
    pub body_timeout: Duration,
    /// The longest a client may take no bytes of an answer.
    pub send_timeout: Duration,
    /// The longest head, in bytes; at most 128 KiB.
    pub max_head: usize,
    /// The longest request body, in bytes.
    pub max_body: u64,
    /// The value of `Server` in every answer; `None` leaves the upstream's.
    pub server: Option<Box<str>>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_mins(1),
            head_timeout: Duration::from_mins(1),
            body_timeout: Duration::from_mins(1),
            send_timeout: Duration::from_mins(1),
            max_head: 64 * 1024,
            max_body: u64::MAX,
            server: None,
        }
    }
}

/// What became of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Its status.
    pub status: StatusCode,
    /// Bytes of its body that went out.
    pub body_bytes: u64,
    /// Whether its last byte went out.
    pub is_complete: bool,
}

/// What answers requests.
pub trait Service: 'static {
    /// What is kept of a request until its answer is out.
    type Log;

    /// Answers a request.
    fn call(
        &self,
        connection: &Rc<ConnectionInfo>,
        request: Request,
    ) -> impl Future<Output = (Response, Self::Log)>;

    /// The answer to something that is no request: its status and why.
    fn refuse(
        &self,
        connection: &Rc<ConnectionInfo>,
        status: StatusCode,
        reason: &'static str,
    ) -> (Response, Self::Log);

    /// The answer is out, or will never be. The wait for the next request is reckoned from the time that was last
    /// read in this thread: read it here (`clock::now`).
    fn done(&self, log: Self::Log, outcome: Outcome);
}

/// Calls `done` once, also when the connection is dropped half-way.
pub(crate) struct Finish<S: Service> {
    service: Rc<S>,
    log: Option<S::Log>,
    pub(crate) outcome: Outcome,
}

impl<S: Service> Finish<S> {
    pub(crate) fn new(service: &Rc<S>, log: S::Log, status: StatusCode) -> Self {
        let outcome = Outcome {
            status,
            body_bytes: 0,
            is_complete: false,
        };
        Self {
            service: service.clone(),
            log: Some(log),
            outcome,
        }
    }
}

impl<S: Service> Drop for Finish<S> {
    fn drop(&mut self) {
        if let Some(log) = self.log.take() {
            self.service.done(log, self.outcome);
        }
    }
}

/// Serves one connection to its end: HTTP/2 when it opens with that preface, HTTP/1.1 otherwise.
pub async fn serve<S: Service>(
    stream: Stream,
    connection: Rc<ConnectionInfo>,
    service: Rc<S>,
    settings: Rc<ServerSettings>,
    allows_h2: bool,
) {
    let shared = Rc::new(RefCell::new(h1::Connection::new(stream)));
    if !h1::server::wait_for_first(&shared, settings.head_timeout).await {
        return;
    }
    if allows_h2 && h2::has_preface(&shared, &settings).await {
        // Only this function holds the connection yet.
        if let Ok(shared) = Rc::try_unwrap(shared) {
            let (stream, buffer) = shared.into_inner().into_parts();
            Box::pin(h2::serve(stream, buffer, connection, service, settings)).await;
        }
        return;
    }
    h1::server::serve(shared, connection, service, settings).await;
}

/// From now on idle connections of this worker are closed, and busy ones after their answer.
pub fn drain() {
    crate::timer::drain();
}
