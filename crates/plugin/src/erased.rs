//! The same plugin without its type: what a pipeline holds. Authors never see it.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use http::StatusCode;
use lockgate_http::{Body, Request, Response};

use crate::{Error, Flow, Phase, Plugin, RequestContext};

/// A phase that has begun.
pub(crate) enum Running<'a> {
    /// It is over already: it never waits.
    Over(Result<Flow, Error>),
    /// It may have to wait.
    UnderWay(Pin<Box<dyn Future<Output = Result<Flow, Error>> + 'a>>),
}

fn begin<'a, P: Plugin>(phase: impl Future<Output = Result<Flow, Error>> + 'a) -> Running<'a> {
    if !P::NEVER_WAITS {
        return Running::UnderWay(Box::pin(phase));
    }
    Running::Over(match pin!(phase).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => {
            tracing::error!(plugin = P::NAME, "waits, though it says that it never does");
            Err(Error { status: StatusCode::INTERNAL_SERVER_ERROR, message: "plugin failed".to_owned() })
        }
    })
}

/// A plugin without its type.
pub(crate) trait Erased: Send + Sync {
    fn phases(&self) -> &'static [Phase];
    fn rewrite<'a>(&'a self, request: &'a mut Request, cx: &'a mut RequestContext) -> Running<'a>;
    fn access<'a>(&'a self, request: &'a mut Request, cx: &'a mut RequestContext) -> Running<'a>;
    fn before_proxy<'a>(&'a self, request: &'a mut Request, cx: &'a mut RequestContext) -> Running<'a>;
    fn header_filter(&self, response: &mut Response, cx: &mut RequestContext);
    fn body_filter(&self, body: Body, cx: &mut RequestContext) -> Body;
    fn logs_once(&self) -> bool;
    fn log(&self, request: &Request, cx: &RequestContext);
}

impl<P: Plugin> Erased for P {
    fn phases(&self) -> &'static [Phase] {
        P::PHASES
    }

    fn rewrite<'a>(&'a self, request: &'a mut Request, cx: &'a mut RequestContext) -> Running<'a> {
        begin::<P>(Plugin::rewrite(self, request, cx))
    }

    fn access<'a>(&'a self, request: &'a mut Request, cx: &'a mut RequestContext) -> Running<'a> {
        begin::<P>(Plugin::access(self, request, cx))
    }

    fn before_proxy<'a>(&'a self, request: &'a mut Request, cx: &'a mut RequestContext) -> Running<'a> {
        begin::<P>(Plugin::before_proxy(self, request, cx))
    }

    fn header_filter(&self, response: &mut Response, cx: &mut RequestContext) {
        Plugin::header_filter(self, response, cx);
    }

    fn body_filter(&self, body: Body, cx: &mut RequestContext) -> Body {
        Plugin::body_filter(self, body, cx)
    }

    fn logs_once(&self) -> bool {
        P::LOGS_ONCE
    }

    fn log(&self, request: &Request, cx: &RequestContext) {
        Plugin::log(self, request, cx);
    }
}
