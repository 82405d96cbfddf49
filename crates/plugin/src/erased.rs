//! The same plugin without its type: what a pipeline holds. Authors never see it.

use std::future::Future;
use std::pin::Pin;

use lockgate_http::{Body, Request, Response};

use crate::{Error, Flow, Phase, Plugin, RequestContext};

/// A phase under way.
pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Result<Flow, Error>> + 'a>>;

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
        Box::pin(Plugin::rewrite(self, request, cx))
    }

    fn access<'a>(&'a self, request: &'a mut Request, cx: &'a mut RequestContext) -> Running<'a> {
        Box::pin(Plugin::access(self, request, cx))
    }

    fn before_proxy<'a>(&'a self, request: &'a mut Request, cx: &'a mut RequestContext) -> Running<'a> {
        Box::pin(Plugin::before_proxy(self, request, cx))
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
