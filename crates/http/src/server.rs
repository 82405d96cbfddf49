//! What a server is told and asks: settings, the service that answers, and what became of an answer.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use http::StatusCode;

use crate::body::Body;
use crate::limits::Limits;
use crate::message::{Request, Response};
use crate::stream::Stream;
use crate::{ConnectionInfo, h1, h2};

pub use crate::h2::Http2Settings;

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
    /// How large the parts of a request may be.
    pub limits: Limits,
    /// How many bytes of later requests are read while one is answered; what comes beyond waits. At most 64 KiB.
    pub max_pipelined: usize,
    /// Requests on one connection; with the last one the client is told to open another.
    pub max_requests: u64,
    /// How long a client that is told to go may take to close its side, and how long the rest of its upload may take.
    pub linger_timeout: Duration,
    /// The value of `Server` in every answer; `None` leaves the upstream's.
    pub server: Option<Box<str>>,
    /// The value of `Alt-Svc` (RFC 7838) in every answer by HTTP/1.1 and HTTP/2: where HTTP/3 is served.
    pub alt_svc: Option<Box<str>>,
    /// Whether `Expect: 100-continue` goes to the upstream, whose `100 Continue` then goes to the client. Otherwise
    /// the client is told to go on as soon as somebody reads its body.
    pub passes_expect: bool,
    /// What holds for HTTP/2 beside that.
    pub http2: Http2Settings,
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
            limits: Limits::DEFAULT,
            max_pipelined: 8 * 1024,
            max_requests: u64::MAX,
            linger_timeout: Duration::from_secs(2),
            server: None,
            alt_svc: None,
            passes_expect: false,
            http2: Http2Settings::default(),
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
    /// Bytes of its head; 0 where HTTP/2 or HTTP/3 packs it.
    pub head_bytes: u32,
    /// Whether its last byte went out.
    pub is_complete: bool,
}

/// What answers requests.
pub trait Service: 'static {
    /// A request under way, and what is kept of it until its answer is out.
    type UnderWay;

    /// Takes a request in.
    fn begin(&self, connection: &Rc<ConnectionInfo>, request: Request) -> Self::UnderWay;

    /// Answers it. Dropped half-way when the client goes away.
    fn answer(&self, under_way: &mut Self::UnderWay) -> impl Future<Output = Response>;

    /// Gives up what nobody has read of a request's body, now that it is answered. Asked only where there may be some.
    fn unread(&self, _under_way: &mut Self::UnderWay) -> Body {
        Body::empty()
    }

    /// The answer to something that is no request: its status and why.
    fn refuse(
        &self,
        connection: &Rc<ConnectionInfo>,
        status: StatusCode,
        reason: &'static str,
    ) -> (Response, Self::UnderWay);

    /// The answer is out, or will never be. Called once for each request and each refusal. Of an answer that is
    /// complete, `clock::recent` is the time when its last wait ended.
    fn done(&self, under_way: &mut Self::UnderWay, outcome: Outcome);
}

/// What is logged of a request whose client went away before there was an answer, as nginx has it.
const CLIENT_GONE: u16 = 499;

/// A request from its first byte to the last one of its answer: calls `done` however that ends.
pub(crate) struct Finish<S: Service> {
    service: Rc<S>,
    pub(crate) under_way: S::UnderWay,
    pub(crate) outcome: Outcome,
}

impl<S: Service> Finish<S> {
    pub(crate) fn new(service: &Rc<S>, under_way: S::UnderWay) -> Self {
        let status = StatusCode::from_u16(CLIENT_GONE).unwrap_or_default();
        Self {
            service: service.clone(),
            under_way,
            outcome: Outcome { status, body_bytes: 0, head_bytes: 0, is_complete: false },
        }
    }
}

impl<S: Service> Drop for Finish<S> {
    fn drop(&mut self) {
        self.service.done(&mut self.under_way, self.outcome);
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
    h1::server::allow(&shared, settings.head_timeout);
    let is_h2 = if allows_h2 { h2::has_preface(&shared).await } else { Some(false) };
    let Some(is_h2) = is_h2 else { return };
    if is_h2 {
        // Only this function holds the connection yet.
        if let Ok(shared) = Rc::try_unwrap(shared) {
            let (stream, buffer) = shared.into_inner().into_parts();
            Box::pin(h2::serve(stream, buffer, connection, service, settings)).await;
        }
        return;
    }
    h1::server::serve(shared, connection, service, settings).await;
}

/// From now on clients of this worker are told to go: by HTTP/2 at once, by HTTP/1.1 with their next answer. Those
/// that ask for nothing within `grace`, or within their idle time-out where that ends first, are closed.
pub fn drain(grace: Duration) {
    crate::timer::drain(grace);
}
