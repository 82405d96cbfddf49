//! The Invoke API: calls that wait for their answer, calls that do not, and answers in an event stream.

use std::rc::Rc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Response, StatusCode, header};
use hyper::body::Incoming;
use serde::de::IgnoredAny;
use serde_json::json;

use super::frame::Frames;
use super::refusal::{Code, not_called, refuse};
use super::{Call, json, no_body, set};
use crate::body::Body;
use crate::body::Held;
use crate::id::RequestId;
use crate::invocation::{Answer, AnswerStream, Chunk, Failure, Job, MOST_BYTES};
use crate::pool::Pool;

/// The longest event of a call that nobody waits for, in bytes.
const MOST_EVENT: usize = 1 << 20;
/// The longest `X-Amz-Client-Context`, in bytes.
const LONGEST_CONTEXT: usize = 3583;
/// How long the last lines of a log are waited for.
const LAST_LINES: Duration = Duration::from_millis(50);

type Refused = Box<Response<Body>>;

/// How a call is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    RequestResponse,
    Event,
    DryRun,
}

/// `Invoke`.
pub(super) async fn invoke(call: Call<'_>, name: &str, body: Incoming) -> Response<Body> {
    match prepared(call, name, body).await {
        Ok((pool, Kind::DryRun, job, _)) => bare(StatusCode::NO_CONTENT, pool, &job.id),
        Ok((_, Kind::Event, job, _)) if job.event.len() > MOST_EVENT => refuse(
            Code::TooLarge,
            &format!(
                "{} byte payload is too large for the Event invocation type (limit {MOST_EVENT} bytes)",
                job.event.len()
            ),
        ),
        Ok((pool, Kind::Event, job, _)) => {
            let id = job.id;
            match call.server.events.accept(pool, job) {
                Ok(()) => bare(StatusCode::ACCEPTED, pool, &id),
                Err(refusal) => not_called(&refusal),
            }
        }
        Ok((pool, Kind::RequestResponse, job, _held)) => waited_for(pool, job).await,
        Err(refusal) => *refusal,
    }
}

/// `InvokeWithResponseStream`.
pub(super) async fn stream(call: Call<'_>, name: &str, body: Incoming) -> Response<Body> {
    let (pool, kind, job, _held) = match prepared(call, name, body).await {
        Ok(prepared) => prepared,
        Err(refusal) => return *refusal,
    };
    let (id, wants_log) = (job.id, job.wants_log);
    if kind == Kind::DryRun {
        return bare(StatusCode::NO_CONTENT, pool, &id);
    }
    let answer = match pool.invoke(job).await {
        Ok(answer) => answer,
        Err(refusal) => return not_called(&refusal),
    };
    let content_type = match &answer {
        Answer::Stream(stream) => stream.content_type.clone(),
        Answer::Whole(_) | Answer::Failure(_) => Some("application/json".into()),
    };
    let frames = Frames::new(answer, wants_log.then(|| (pool.clone(), id)));
    let mut response = Response::new(Body::Stream(Box::new(frames)));
    let stream_type = HeaderValue::from_static("application/vnd.amazon.eventstream");
    response.headers_mut().insert(header::CONTENT_TYPE, stream_type);
    if let Some(content_type) = content_type {
        set(&mut response, "x-amz-response-stream-content-type", &content_type);
    }
    label(&mut response, &id);
    response
}

/// Everything that is to be known before a function is called.
async fn prepared<'a>(
    call: Call<'a>,
    name: &str,
    body: Incoming,
) -> Result<(&'a Rc<Pool>, Kind, Job, Held), Refused> {
    let held = call.server.budget.read(body, MOST_BYTES).await.map_err(|status| match status {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let text =
                format!("Request must be smaller than {MOST_BYTES} bytes for the InvokeFunction operation");
            refuse(Code::TooLarge, &text)
        }
        StatusCode::TOO_MANY_REQUESTS => refuse(Code::TooMany, no_body(status)),
        _ => refuse(Code::InvalidContent, no_body(status)),
    })?;
    let body = held.bytes.clone();
    call.check_signature(&body)?;
    let pool = call.function(name)?;
    let kind = match call.header("x-amz-invocation-type") {
        None | Some("RequestResponse") => Kind::RequestResponse,
        Some("Event") => Kind::Event,
        Some("DryRun") => Kind::DryRun,
        Some(other) => {
            let other: String = other.chars().take(60).collect();
            return Err(refuse(Code::InvalidParameter, &format!("{other} is no invocation type")).into());
        }
    };
    let event = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(&event) {
        let message = format!("Could not parse request body into json: {error}");
        return Err(refuse(Code::InvalidContent, &message).into());
    }
    let mut job = Job::new(event);
    job.wants_log = call.header("x-amz-log-type") == Some("Tail");
    job.trace = call.header("x-amzn-trace-id").map(Into::into);
    job.client_context = client_context(call)?;
    Ok((pool, kind, job, held))
}

fn client_context(call: Call<'_>) -> Result<Option<Box<str>>, Refused> {
    let Some(context) = call.header("x-amz-client-context") else { return Ok(None) };
    let refuse = |text: &str| Err(refuse(Code::InvalidContent, text).into());
    if context.len() > LONGEST_CONTEXT {
        return refuse("the client context is longer than 3583 bytes");
    }
    let decoded = STANDARD.decode(context).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded.filter(|text| serde_json::from_str::<IgnoredAny>(text).is_ok()) {
        // A header holds one line.
        Some(text) => Ok(Some(text.replace(['\r', '\n'], " ").into())),
        None => refuse("Client context must be a valid Base64-encoded JSON object."),
    }
}

async fn waited_for(pool: &Rc<Pool>, job: Job) -> Response<Body> {
    let (id, wants_log) = (job.id, job.wants_log);
    let answer = match pool.invoke(job).await {
        Ok(answer) => answer,
        Err(refusal) => return not_called(&refusal),
    };
    let result = match answer {
        Answer::Whole(body) => Ok(body),
        Answer::Failure(failure) => Err(failure),
        Answer::Stream(stream) => gathered(stream).await,
    };
    let mut response = match result {
        Ok(body) => json(StatusCode::OK, body),
        Err(failure) => {
            let mut response = json(StatusCode::OK, failure.payload);
            set(&mut response, "x-amz-function-error", "Unhandled");
            response
        }
    };
    set(&mut response, "x-amz-executed-version", "$LATEST");
    if wants_log {
        set(&mut response, "x-amz-log-result", &tail(pool, &id).await);
    }
    label(&mut response, &id);
    response
}

/// The end of a call's log, as the Invoke API gives it.
pub(super) async fn tail(pool: &Pool, id: &RequestId) -> String {
    // What was written before the answer is in the pipe already; it is read in the meantime.
    tokio::time::sleep(LAST_LINES).await;
    STANDARD.encode(pool.log.tail(id))
}

/// A streamed answer, for who waits for all of it.
pub(super) async fn gathered(mut stream: AnswerStream) -> Result<Bytes, Failure> {
    let mut all = BytesMut::new();
    loop {
        match stream.chunks.recv().await {
            Some(Chunk::Data(data)) if all.len() + data.len() > MOST_BYTES => {
                let message = format!(
                    "Response payload size exceeded maximum allowed payload size ({MOST_BYTES} bytes)."
                );
                return Err(Failure::new("Function.ResponseSizeTooLarge", message));
            }
            Some(Chunk::Data(data)) => all.extend_from_slice(&data),
            Some(Chunk::End) => return Ok(all.freeze()),
            Some(Chunk::Failed(failure)) => return Err(failure),
            None => return Err(Failure::new("Runtime.ExitError", "the answer broke off")),
        }
    }
}

/// An answer without a body.
fn bare(status: StatusCode, _pool: &Pool, id: &RequestId) -> Response<Body> {
    let mut response = Response::new(Body::from(Bytes::new()));
    *response.status_mut() = status;
    label(&mut response, id);
    response
}

fn label(response: &mut Response<Body>, id: &RequestId) {
    set(response, "x-amzn-requestid", id.as_str());
}

/// What ends an event stream.
pub(super) fn completion(failure: Option<&Failure>, log: Option<String>) -> Bytes {
    let mut end = json!({});
    if let Some(failure) = failure {
        end["ErrorCode"] = (*failure.error_type).into();
        end["ErrorDetails"] = String::from_utf8_lossy(&failure.payload).into();
    }
    if let Some(log) = log {
        end["LogResult"] = log.into();
    }
    end.to_string().into()
}
