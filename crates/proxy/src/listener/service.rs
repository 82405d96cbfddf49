//! A worker's service: the snapshot of each request, its context, and its line in the access log.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use lockgate_http::server::{Outcome, Service};
use lockgate_http::{ConnectionInfo, Request, Response};
use lockgate_plugin::{RequestContext, Variable};
use lockgate_telemetry::clock;
use lockgate_telemetry::access_log::{Template, Writer, Written};

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

/// Answers the requests of one worker.
pub(crate) struct Gateway {
    live: Live,
    /// The live snapshot, held by this worker: requests share it without touching other workers' memory.
    current: RefCell<Rc<Arc<Snapshot>>>,
    log: Option<RefCell<AccessLogSettings>>,
}

/// What is kept of a request until its answer is out.
pub(crate) struct Served {
    request: Option<Request>,
    cx: RequestContext,
    snapshot: Rc<Arc<Snapshot>>,
}

impl Gateway {
    pub(crate) fn new(live: Live, log: Option<AccessLogSettings>) -> Self {
        let current = RefCell::new(Rc::new(live.load_full()));
        Self {
            live,
            current,
            log: log.map(RefCell::new),
        }
    }

    /// The snapshot that is live now; one request sees one revision from start to end.
    fn snapshot(&self) -> Rc<Arc<Snapshot>> {
        let live = self.live.load();
        let mut current = self.current.borrow_mut();
        if !Arc::ptr_eq(&live, &current) {
            *current = Rc::new(Arc::clone(&live));
        }
        current.clone()
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
    type Log = Served;

    async fn call(&self, connection: &Rc<ConnectionInfo>, mut request: Request) -> (Response, Served) {
        let snapshot = self.snapshot();
        let mut cx = RequestContext::new(connection.clone(), request.method.clone());
        let response = handle(&snapshot, &mut request, &mut cx).await;
        (
            response,
            Served {
                request: Some(request),
                cx,
                snapshot,
            },
        )
    }

    fn refuse(
        &self,
        connection: &Rc<ConnectionInfo>,
        status: StatusCode,
        reason: &'static str,
    ) -> (Response, Served) {
        let cx = RequestContext::new(connection.clone(), Method::default());
        let response = ProxyError::Refused { status, reason }.into_response();
        (
            response,
            Served {
                request: None,
                cx,
                snapshot: self.snapshot(),
            },
        )
    }

    fn done(&self, served: Served, outcome: Outcome) {
        let Served {
            request,
            mut cx,
            snapshot,
        } = served;
        cx.status = outcome.status.as_u16();
        cx.body_bytes_sent = outcome.body_bytes;
        cx.duration = clock::now().duration_since(cx.started).max(Duration::from_nanos(1));
        // What was no request has a line too: it is written as an empty one.
        let Some(request) = request.or_else(|| Request::new(Method::GET, "/").ok()) else {
            return;
        };
        if let Some(route) = snapshot.route(cx.route_id()) {
            route.pipeline.log(&request, &cx);
        }
        if let Some(log) = &self.log {
            let AccessLogSettings { template, writer } = &mut *log.borrow_mut();
            writer.append(|out| {
                template.render(out, |variable, out| match variable.write(&request, &cx, out) {
                    true if variable.is_safe() => Written::Safe,
                    is_present => is_present.into(),
                });
            });
        }
    }
}
