//! What conditions ask of a request's body, and of its GraphQL query: read once, and only where one asks.

mod form;
mod graphql;

#[cfg(test)]
mod tests;

use std::cell::{Cell, OnceCell};

use bytes::Bytes;
use http::Method;
use lockgate_http::{Request, name};
use serde_json::Value;

use crate::RequestContext;
use crate::heads::Heads;
use crate::variable::{argument, query};

pub(crate) use graphql::Operation;

/// How much of a body is read for conditions. A longer one has none of what they ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentLimits {
    /// For `post_arg_NAME` and `post_arg.NAME`, in bytes. Default: 1 MiB.
    pub post_args: u64,
    /// For `graphql_…`, in bytes. Default: 1 MiB.
    pub graphql: u64,
}

impl Default for ContentLimits {
    fn default() -> Self {
        Self { post_args: 1 << 20, graphql: 1 << 20 }
    }
}

/// What few requests have: what was read of their content, and heads of answers that a log shows.
#[derive(Debug, Default)]
pub(crate) struct Content {
    is_asked: Cell<bool>,
    pub(crate) keeps_heads: bool,
    aside: Option<Box<Aside>>,
}

#[derive(Debug, Default)]
struct Aside {
    read: Option<Read>,
    heads: Heads,
}

#[derive(Debug)]
struct Read {
    /// `None` for one that is too long, broke off or is not there to be read first.
    body: Option<Bytes>,
    limits: ContentLimits,
    fields: OnceCell<Option<Value>>,
    operation: OnceCell<Option<Operation>>,
}

impl RequestContext {
    /// Whether a condition asked for what [`RequestContext::read_content`] would read.
    pub fn asks_content(&self) -> bool {
        self.content.is_asked.get() && !self.content.is_read()
    }

    /// Reads the body, where it is not too long, for conditions that ask for it. The request keeps all of it.
    pub async fn read_content(&mut self, request: &mut Request, limits: ContentLimits) {
        if self.content.is_read() {
            return;
        }
        let limit = limits.post_args.max(limits.graphql);
        let body = if is_stream(request) { None } else { request.body.peek(limit).await.ok() };
        let read = Read { body, limits, fields: OnceCell::new(), operation: OnceCell::new() };
        self.content.aside.get_or_insert_default().read = Some(read);
    }

    /// The fields of the body: of a form, or of JSON. A body of another type is not read for them.
    pub(crate) fn fields(&self, request: &Request) -> Option<&Value> {
        let read = Some(&self.content).filter(|_| form::has_fields(content_type(request)))?.read()?;
        read.fields
            .get_or_init(|| form::fields(content_type(request), read.within(read.limits.post_args)?))
            .as_ref()
    }

    /// Whether the body is a form by its name, which is what `post_arg_NAME` asks for.
    pub(crate) fn is_form(request: &Request) -> bool {
        form::is_urlencoded(content_type(request))
    }

    /// The first operation of the GraphQL document that the request has.
    pub(crate) fn operation(&self, request: &Request) -> Option<&Operation> {
        let read = self.content.read()?;
        read.operation.get_or_init(|| read.operation(request)).as_ref()
    }
}

impl Content {
    fn read(&self) -> Option<&Read> {
        self.is_asked.set(true);
        self.aside.as_ref()?.read.as_ref()
    }

    fn is_read(&self) -> bool {
        self.aside.as_ref().is_some_and(|aside| aside.read.is_some())
    }

    pub(crate) fn heads(&self) -> Option<&Heads> {
        self.aside.as_ref().map(|aside| &aside.heads)
    }

    pub(crate) fn heads_mut(&mut self) -> &mut Heads {
        &mut self.aside.get_or_insert_default().heads
    }
}

impl Read {
    fn within(&self, limit: u64) -> Option<&Bytes> {
        self.body.as_ref().filter(|body| body.len() as u64 <= limit)
    }

    fn operation(&self, request: &Request) -> Option<Operation> {
        if request.method == Method::GET {
            let mut document = Vec::new();
            let is_there = argument(query(request.original_target()), "query", &mut document);
            return Operation::read(std::str::from_utf8(&document).ok().filter(|_| is_there)?);
        }
        let body = self.within(self.limits.graphql).filter(|_| request.method == Method::POST)?;
        if form::is_json(content_type(request)) {
            let value: Value = serde_json::from_slice(body).ok()?;
            return Operation::read(value.get("query")?.as_str()?);
        }
        Operation::read(std::str::from_utf8(body).ok()?)
    }
}

/// Whether the body is one side of a conversation: it may not end before there is an answer.
fn is_stream(request: &Request) -> bool {
    let is_grpc =
        content_type(request).get(..16).is_some_and(|name| name.eq_ignore_ascii_case("application/grpc"));
    is_grpc || request.is_extended_connect() || request.method == Method::CONNECT
}

fn content_type(request: &Request) -> &str {
    request.headers.get_str(name::CONTENT_TYPE).unwrap_or_default()
}
