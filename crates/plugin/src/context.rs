//! What is known of a request besides the request itself.

use std::any::Any;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayString;
use http::Method;
use lockgate_http::{ConnectionInfo, Request};
use lockgate_telemetry::clock::{self, Moment};

use crate::content::Content;
use crate::{Consumer, Credential, Directory, Pipeline, RouteNames};

/// How long an id may be, in bytes.
const LONGEST_ID: usize = 64;

/// What is known of a request besides the request itself: what plugins share, variables read and logs write.
///
/// What the client sent stays with the request: [`Request::original_target`] is never rewritten.
#[derive(Debug)]
pub struct RequestContext {
    /// The connection it came on.
    pub connection: Rc<ConnectionInfo>,
    /// The method, as it came.
    pub method: Method,
    /// When its head was whole.
    pub started: Moment,
    /// The path as rules match on it (percent-decoded, dot segments resolved, slashes merged: nginx's `$uri`),
    /// where it differs from the path that was sent. Read it with [`RequestContext::path`].
    pub normal_path: Option<Box<str>>,
    /// How much of that path the matched rule consumed before its `*`; `None` when it matched the whole path.
    pub matched_prefix: Option<usize>,
    /// `:name` parameters of the matched rule, in order.
    pub params: Vec<(Box<str>, Box<str>)>,
    /// The node or function that was asked last, when one was.
    pub upstream: UpstreamTrace,
    /// The status of the answer; 0 before there is one.
    pub status: u16,
    /// Bytes of the request, as far as its head says: the head itself, by HTTP/1.1, and a body of known length.
    pub bytes_received: u64,
    /// Bytes of the answer's body that were sent.
    pub body_bytes_sent: u64,
    /// Bytes of the answer's head that were sent; 0 by HTTP/2 and HTTP/3, which pack it.
    pub head_bytes_sent: u32,
    /// From `started` to the last byte of the answer; zero before that.
    pub duration: Duration,
    /// Which of the route's `uris` matched.
    pub matched_uri: u32,
    /// Which of its hosts matched, counted from one; `None` where hosts did not decide.
    pub matched_host: Option<NonZeroU32>,
    /// Tells the matched route, in the form it has now, from every other one and from what it was before; 0 before
    /// one was found.
    pub route_number: u64,
    /// Where names of the route are found; `None` where there are none to find.
    pub directory: Option<Rc<dyn Directory>>,
    /// Who calls, once a plugin has found out.
    pub consumer: Option<Arc<Consumer>>,
    /// How it showed that; `None` for who need not.
    pub credential: Option<Arc<Credential>>,
    /// What runs in place of the route's plugins, where the consumer has its own.
    pub merged: Option<Rc<Pipeline>>,
    /// What was read of the body for conditions.
    pub(crate) content: Content,
    route_id: ArrayString<LONGEST_ID>,
}

/// What the upstream did, for logs and variables.
#[derive(Debug, Default)]
pub struct UpstreamTrace {
    /// The address that was asked last.
    pub address: Option<SocketAddr>,
    /// Whether that is a node of an upstream: a function is none.
    pub is_node: bool,
    /// The status it gave; 0 when it gave none.
    pub status: u16,
    /// From the first try to the head of its answer.
    pub duration: Option<Duration>,
    /// `http` or `https`, once one was asked.
    pub scheme: Option<&'static str>,
    /// The Host it was sent, where that is not the client's.
    pub host: Option<Box<str>>,
    /// The path and query it was asked for, where they are not the client's.
    pub target: Option<Box<str>>,
    /// What is to end with the request, however that ends.
    pub held: Option<Box<dyn Any>>,
}

impl RequestContext {
    /// For a request that has just arrived.
    pub fn new(connection: Rc<ConnectionInfo>, method: Method) -> Self {
        Self {
            connection,
            method,
            started: clock::now(),
            normal_path: None,
            matched_prefix: None,
            params: Vec::new(),
            upstream: UpstreamTrace::default(),
            status: 0,
            body_bytes_sent: 0,
            head_bytes_sent: 0,
            duration: Duration::ZERO,
            bytes_received: 0,
            matched_uri: 0,
            matched_host: None,
            route_number: 0,
            directory: None,
            consumer: None,
            credential: None,
            merged: None,
            content: Content::default(),
            route_id: ArrayString::new(),
        }
    }

    /// The path as rules match on it.
    pub fn path<'a>(&'a self, request: &'a Request) -> &'a str {
        self.normal_path.as_deref().unwrap_or_else(|| request.original_path())
    }

    /// The id of the matched route; empty before one was found.
    pub fn route_id(&self) -> &str {
        &self.route_id
    }

    /// The one of the route's `uris` that matched.
    pub fn matched_uri(&self) -> Option<&str> {
        self.names()?.uris.get(self.matched_uri as usize).map(String::as_str)
    }

    /// The one of the route's hosts that matched; `None` where hosts did not decide.
    pub fn matched_host(&self) -> Option<&str> {
        let at = self.matched_host?.get() as usize - 1;
        self.names()?.hosts.get(at).map(String::as_str)
    }

    /// What the route and its service are called; `None` before one was found.
    pub fn names(&self) -> Option<&RouteNames> {
        self.directory.as_ref()?.route(self.route_id())
    }

    /// Says which route was matched.
    pub fn set_route_id(&mut self, id: &str) {
        self.route_id.clear();
        // An id is no longer than there is room.
        let _ = self.route_id.try_push_str(id);
    }
}
