//! A worker's service: the snapshot of each request, its context, and its line in the access log.

use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::Cache;
use http::StatusCode;
use lockgate_http::server::{Outcome, Service};
use lockgate_http::{Body, ConnectionInfo, Request, Response};
use lockgate_plugin::{Consumer, Credential, Directory, RequestContext, RouteNames, Variable};
use lockgate_telemetry::access_log::{Template, Writer};
use lockgate_telemetry::clock;
use lockgate_telemetry::metric::Traffic;

use crate::error::ProxyError;
use crate::request::handle;
use crate::snapshot::{Live, Snapshot};

/// What the access log says of each request, and where to.
pub struct AccessLogSettings {
    /// The compiled format, shared by all workers.
    pub template: Arc<Template<Variable>>,
    /// This worker's end of the log.
    pub writer: Writer,
}

/// The live snapshot as one worker holds it: to share it with a request touches no other worker's memory.
pub(super) type Held = Rc<Hold>;

/// A snapshot, known to a request as what finds names.
#[derive(Debug)]
pub(super) struct Hold(Arc<Snapshot>);

impl Deref for Hold {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.0
    }
}

impl Directory for Hold {
    fn route(&self, id: &str) -> Option<&RouteNames> {
        self.0.route(id)
    }

    fn credential(&self, plugin: &str, key: &[u8]) -> Option<&Arc<Credential>> {
        self.0.credential(plugin, key)
    }

    fn consumer(&self, name: &str) -> Option<&Arc<Consumer>> {
        self.0.consumer(name)
    }
}

/// Answers the requests of one worker.
pub(crate) struct Gateway {
    current: RefCell<Current>,
    log: Option<RefCell<AccessLogSettings>>,
    traffic: Arc<Traffic>,
    /// Whether the log shows fields of answers.
    keeps_heads: bool,
}

/// What is live, and what of it this worker holds.
struct Current {
    live: Cache<Live, Arc<Snapshot>>,
    held: Held,
}

/// What is kept of a request until its answer is out. It is boxed, as it goes through several hands.
pub(crate) struct Served {
    request: Request,
    cx: RequestContext,
    snapshot: Held,
}

impl Gateway {
    pub(crate) fn new(live: Live, log: Option<AccessLogSettings>, traffic: Arc<Traffic>) -> Self {
        let mut live = Cache::new(live);
        let held = Rc::new(Hold(Arc::clone(live.load())));
        let keeps_heads =
            log.as_ref().is_some_and(|log| log.template.variables().any(Variable::is_of_answer));
        Self {
            current: RefCell::new(Current { live, held }),
            log: log.map(RefCell::new),
            traffic,
            keeps_heads,
        }
    }

    /// The snapshot that is live now; one request sees one revision from start to end.
    pub(super) fn snapshot(&self) -> Held {
        let Current { live, held } = &mut *self.current.borrow_mut();
        let live = live.load();
        if !Arc::ptr_eq(live, &held.0) {
            *held = Rc::new(Hold(Arc::clone(live)));
        }
        held.clone()
    }

    /// Lets go of a snapshot that no request needs any more, and of log lines that wait.
    pub(crate) fn tidy(&self) {
        drop(self.snapshot());
        if let Some(log) = &self.log {
            log.borrow_mut().writer.flush();
        }
    }
}

impl Service for Gateway {
    type UnderWay = Box<Served>;

    fn begin(&self, connection: &Rc<ConnectionInfo>, request: Request) -> Box<Served> {
        self.traffic.begun();
        let snapshot = self.snapshot();
        let mut cx = RequestContext::new(connection.clone(), request.method.clone());
        cx.directory = Some(snapshot.clone());
        cx.bytes_received = u64::from(request.head_bytes) + request.body.length().unwrap_or(0);
        if self.keeps_heads {
            cx.keep_heads();
        }
        // Made where it stays: `Box::new` would make it on the stack and move it.
        Box::write(Box::new_uninit(), Served { request, cx, snapshot })
    }

    async fn answer(&self, served: &mut Box<Served>) -> Response {
        let response = handle(&served.snapshot, &mut served.request, &mut served.cx).await;
        served.cx.keep_sent_head(&response);
        response
    }

    fn unread(&self, served: &mut Box<Served>) -> Body {
        std::mem::take(&mut served.request.body)
    }

    fn refuse(
        &self,
        connection: &Rc<ConnectionInfo>,
        status: StatusCode,
        reason: &'static str,
    ) -> (Response, Box<Served>) {
        let response = ProxyError::Refused { status, reason }.into_response();
        (response, self.begin(connection, Request::blank()))
    }

    // Once, for all the places where requests end: then what it calls is laid into it.
    #[inline(never)]
    fn done(&self, served: &mut Box<Served>, outcome: Outcome) {
        self.traffic.done();
        let Served { request, cx, snapshot } = &mut **served;
        cx.status = outcome.status.as_u16();
        (cx.body_bytes_sent, cx.head_bytes_sent) = (outcome.body_bytes, outcome.head_bytes);
        let ended = if outcome.is_complete { clock::recent() } else { clock::now() };
        cx.duration = ended.duration_since(cx.started).max(Duration::from_nanos(1));
        let merged = cx.merged.clone();
        let own = || snapshot.logging_route(cx.route_id()).map(|route| &route.pipeline);
        let pipeline = merged.as_deref().or_else(own);
        if let Some(global) = snapshot.global().filter(|global| global.logs()) {
            global.log(request, cx, pipeline);
        }
        if let Some(pipeline) = pipeline {
            pipeline.log(request, cx, None);
        }
        if let Some(log) = &self.log {
            let AccessLogSettings { template, writer } = &mut *log.borrow_mut();
            writer.append(|out| {
                template.render(out, |variable, out| variable.write(request, cx, out));
            });
        }
    }
}
