//! The doors that browsers and gateways use: function URLs, and an API Gateway with its stage and its keys.

use bytes::Bytes;
use http::{Response, StatusCode, Version, header};
use jiff::Timestamp;
use serde_json::json;

use std::rc::Rc;

use super::access::SignedRequest;
use super::event::{self, Facts};
use super::{Call, STAGE, answer, json, set};
use crate::body::Body;
use crate::description::Auth;
use crate::environment::TIMED_OUT;
use crate::id::{RequestId, trace_id};
use crate::invocation::{Answer, Failure, Job, MOST_BYTES, Refusal};
use crate::pool::Pool;

/// Which door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// A function URL: format 2.0, answers without a status are the body of a 200.
    Url,
    /// A REST API: format 1.0.
    Api,
}

impl Door {
    /// There is no function behind this door.
    pub(super) fn no_function(self, name: &str) -> Response<Body> {
        match self {
            // What API Gateway says of a path that it does not know.
            Self::Api => self.refusal(StatusCode::FORBIDDEN, "Missing Authentication Token"),
            Self::Url => self.refusal(StatusCode::NOT_FOUND, &format!("there is no function {name}")),
        }
    }

    /// An answer that is not the function's.
    pub(super) fn refusal(self, status: StatusCode, message: &str) -> Response<Body> {
        let key = if self == Self::Url { "Message" } else { "message" };
        json(status, json!({ key: message }).to_string())
    }
}

/// A request at a door.
#[derive(Clone, Copy)]
pub(super) struct Web<'a> {
    pub(super) call: Call<'a>,
    pub(super) pool: &'a Rc<Pool>,
    pub(super) door: Door,
    /// What of the path only this server knows of.
    pub(super) prefix: &'a str,
}

impl Web<'_> {
    /// Answers it.
    pub(super) async fn answer(self, body: Bytes) -> Response<Body> {
        let id = RequestId::new();
        let mut response = match self.admit(&body) {
            Ok(()) => self.called(id, &body).await,
            Err(refusal) => *refusal,
        };
        set(&mut response, "x-amzn-requestid", id.as_str());
        if self.door == Door::Api {
            set(&mut response, "x-amz-apigw-id", id.as_str().split('-').next().unwrap_or_default());
        }
        response
    }

    /// Asks for the key and for the signature, where there are to be any.
    fn admit(self, body: &[u8]) -> Result<(), Box<Response<Body>>> {
        let forbidden = |message: &str| Err(Box::new(self.door.refusal(StatusCode::FORBIDDEN, message)));
        if self.pool.description.auth == Auth::Iam {
            let service = if self.door == Door::Url { "lambda" } else { "execute-api" };
            let request = SignedRequest::new(service, self.call.head, body);
            // A server with such a function and nothing to check by does not start.
            let checked = self.call.server.check.as_ref().map(|check| check.check(&request));
            match checked {
                Some(Ok(())) => {}
                Some(Err(denied)) => return forbidden(&format!("Forbidden: {denied}")),
                None => return forbidden("Forbidden"),
            }
        }
        match &self.pool.description.api_key {
            Some(key) if self.door == Door::Api && !is_same(self.call.header("x-api-key"), key) => {
                forbidden("Forbidden")
            }
            _ => Ok(()),
        }
    }

    async fn called(self, id: RequestId, body: &[u8]) -> Response<Body> {
        let now = Timestamp::now();
        let trace = match self.call.header("x-amzn-trace-id") {
            Some(trace) => trace.to_owned(),
            None => trace_id(u64::try_from(now.as_second()).unwrap_or_default()),
        };
        let event = self.event(id, body, &trace, now);
        if event.len() > MOST_BYTES {
            return self.door.refusal(StatusCode::PAYLOAD_TOO_LARGE, "the event is longer than 6 MB");
        }
        let job =
            Job { id, event, trace: Some(trace.as_str().into()), client_context: None, wants_log: false };
        let answer = match self.pool.invoke(job).await {
            Ok(answer) => answer,
            Err(refusal) => return self.not_called(&refusal),
        };
        let made = match answer {
            Answer::Whole(payload) => answer::of_payload(&payload, self.door == Door::Url),
            Answer::Stream(stream) => answer::of_stream(stream).await,
            Answer::Failure(failure) => return self.failed(&failure),
        };
        made.map_or_else(
            |malformed| {
                self.pool.log.write(crate::log::Origin::Trouble, Some(&id), malformed.to_string());
                self.failed(&Failure::new("Runtime.MalformedAnswer", malformed.to_string()))
            },
            |mut response| {
                set(&mut response, "x-amzn-trace-id", trace.split(';').next().unwrap_or_default());
                response
            },
        )
    }

    fn event(self, id: RequestId, body: &[u8], trace: &str, now: Timestamp) -> Bytes {
        let head = self.call.head;
        let path = head.uri.path();
        let path = match self.door {
            Door::Url => path.strip_prefix(self.prefix).unwrap_or(path),
            Door::Api => path.strip_prefix('/').and_then(|path| path.strip_prefix(STAGE)).unwrap_or(path),
        };
        let facts = Facts {
            method: head.method.as_str(),
            path: if path.is_empty() { "/" } else { path },
            query: head.uri.query().unwrap_or_default(),
            headers: &head.headers,
            protocol: if head.version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" },
            body,
            source_ip: self.call.peer.ip().to_string(),
            host: self.call.header(header::HOST.as_str()).unwrap_or_default(),
            function: self.pool.description.name.as_str(),
            id,
            trace,
            now,
        };
        match self.door {
            Door::Url => event::of_url(&facts),
            Door::Api => event::of_api(&facts, STAGE),
        }
    }

    /// A call that the function failed: 502, with what happened; a function that was too slow is 504 at an API.
    fn failed(self, failure: &Failure) -> Response<Body> {
        let is_late = &*failure.error_type == TIMED_OUT && self.door == Door::Api;
        let status = if is_late { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY };
        let name = &self.pool.description.name;
        let text = format!("function {name} failed: {}: {}", failure.error_type, failure.message);
        let mut response = self.door.refusal(status, &text);
        set(&mut response, "x-amzn-errortype", &failure.error_type);
        response
    }

    fn not_called(self, refusal: &Refusal) -> Response<Body> {
        match refusal {
            Refusal::Broken(failure) => self.failed(failure),
            Refusal::Ending => self.door.refusal(StatusCode::SERVICE_UNAVAILABLE, "the program is ending"),
            Refusal::Throttled | Refusal::WaitedTooLong => {
                let mut response = self.door.refusal(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests");
                set(&mut response, "retry-after", "1");
                response
            }
        }
    }
}

/// Compares a key without telling by the time it takes where they differ.
fn is_same(given: Option<&str>, key: &str) -> bool {
    let given = given.unwrap_or_default().as_bytes();
    let differing = given.iter().zip(key.as_bytes()).fold(0, |sum, (left, right)| sum | left ^ right);
    given.len() == key.len() && differing == 0
}
