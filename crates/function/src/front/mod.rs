//! What callers see: the Invoke API, function URLs, an API Gateway, and the logs; which of them a path means.

pub(crate) mod access;
mod answer;
mod event;
mod frame;
mod functions;
mod invoke;
mod logs;
mod refusal;
mod web;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;

use crate::body::Body;
use crate::invocation::MOST_BYTES;
use crate::pool::Pool;
use crate::server::Server;
use refusal::{Code, refuse};
use web::{Door, Web};

/// The stage of the API Gateway: the one that Lambda's console makes.
const STAGE: &str = "default";

/// Answers a request.
pub(crate) async fn handle(
    server: Rc<Server>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let call = Call { server: &server, peer, head: &head };
    Ok(call.answer(body).await)
}

/// A request and what it needs to be answered.
#[derive(Clone, Copy)]
struct Call<'a> {
    server: &'a Rc<Server>,
    peer: SocketAddr,
    head: &'a Parts,
}

impl<'a> Call<'a> {
    async fn answer(self, body: Incoming) -> Response<Body> {
        let headers = &self.head.headers;
        if !access::names_this_machine(headers) {
            let text = "the Host of the request is not a name of this machine";
            return self.turn_away(body, refuse(Code::Forbidden, text)).await;
        }
        if let Some(name) = access::function_named(headers) {
            return self.web(Door::Url, name, "", body).await;
        }
        let path = self.head.uri.path();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match segments.as_slice() {
            ["2015-03-31" | "2021-11-15" | "lockgate", ..] if access::is_from_another_site(headers) => {
                let response = refuse(Code::Forbidden, "pages of other sites may not call this");
                self.turn_away(body, response).await
            }
            ["2015-03-31", "functions", name, "invocations"] if self.head.method == Method::POST => {
                invoke::invoke(self, name, body).await
            }
            ["2021-11-15", "functions", name, "response-streaming-invocations"]
                if self.head.method == Method::POST =>
            {
                invoke::stream(self, name, body).await
            }
            ["2015-03-31", "functions"] | ["2015-03-31", "functions", ""]
                if self.head.method == Method::GET =>
            {
                functions::list(self)
            }
            ["2015-03-31", "functions", name] if self.head.method == Method::GET => {
                functions::get(self, name)
            }
            ["lockgate", "functions", name, "log"] if self.head.method == Method::GET => {
                logs::show(self, name)
            }
            ["urls", name, ..] if !name.is_empty() => {
                let prefix = format!("/urls/{name}");
                self.web(Door::Url, name, &prefix, body).await
            }
            [STAGE, name, ..] if !name.is_empty() => self.web(Door::Api, name, "", body).await,
            _ => {
                let response =
                    refuse(Code::NotFound, "there is nothing at this path: see the page on functions");
                self.turn_away(body, response).await
            }
        }
    }

    /// Answers without a look at the body, which is read all the same: who has not sent it yet hears no answer.
    async fn turn_away(self, body: Incoming, response: Response<Body>) -> Response<Body> {
        drop(self.server.budget.read(body, MOST_BYTES).await);
        response
    }

    async fn web(self, door: Door, name: &str, prefix: &str, body: Incoming) -> Response<Body> {
        let Some(pool) = self.server.pools.get(name) else {
            return self.turn_away(body, door.no_function(name)).await;
        };
        let held = match self.server.budget.read(body, MOST_BYTES).await {
            Ok(held) => held,
            Err(status) => return door.refusal(status, no_body(status)),
        };
        Web { call: self, pool, door, prefix }.answer(held.bytes.clone()).await
    }

    /// A header as text.
    fn header(self, name: &str) -> Option<&'a str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// The function that a path of the Invoke API names, by its name, a partial ARN or a whole one.
    fn function(self, encoded: &str) -> Result<&'a Rc<Pool>, Box<Response<Body>>> {
        let decoded = decode(encoded);
        let name = named(&decoded);
        self.server.pools.get(name).ok_or_else(|| {
            let arn = format!("arn:aws:lambda:{}:000000000000:function:{name}", self.server.region);
            Box::new(refuse(Code::ResourceNotFound, &format!("Function not found: {arn}")))
        })
    }

    /// Refuses a call of the Invoke API that is not signed as it has to be.
    fn check_signature(self, body: &[u8]) -> Result<(), Box<Response<Body>>> {
        let Some(check) = &self.server.check else { return Ok(()) };
        let request = access::SignedRequest::new("lambda", self.head, body);
        check.check(&request).map_err(|denied| Box::new(refusal::denied(&denied)))
    }
}

/// The name in what Lambda takes for one: `NAME`, `NAME:ALIAS`, `ACCOUNT:function:NAME`, or an ARN of those.
fn named(text: &str) -> &str {
    let rest = text.rsplit_once("function:").map_or(text, |(_, rest)| rest);
    rest.split(':').next().unwrap_or_default()
}

/// Takes percent encoding off; what is no UTF-8 then is replaced.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let pair = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%');
        let value = pair.and_then(|pair| std::str::from_utf8(pair).ok());
        let value = value.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        decoded.push(value.unwrap_or(*byte));
        at += if value.is_some() { 3 } else { 1 };
    }
    String::from_utf8(decoded).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Why a body was not taken in.
fn no_body(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => "the body is longer than 6 MB",
        StatusCode::TOO_MANY_REQUESTS => "too many bodies are held already",
        StatusCode::REQUEST_TIMEOUT => "the body did not come",
        _ => "the body broke off",
    }
}

/// An answer with a body of JSON.
fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Sets a header, where the value can stand in one.
fn set(response: &mut Response<Body>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
