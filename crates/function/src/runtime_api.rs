//! The Lambda Runtime API of one environment: what its process asks for, and what it has to say.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::body::Body;
use crate::environment::{Environment, Misuse};
use crate::invocation::{Answer, AnswerStream, CHUNKS, Chunk, Failure, Job, MOST_BYTES};

/// Connections that one process may have.
const MOST_CONNECTIONS: usize = 32;
/// The pause after a connection could not be taken, for want of file handles for instance.
const AFTER_TROUBLE: Duration = Duration::from_millis(50);
/// The version of the API, and the path of everything in it.
const PREFIX: &str = "/2018-06-01/runtime/";
/// The longest error that a function may report, in bytes.
const LONGEST_ERROR: usize = 256 << 10;

/// Serves the process of an environment until the task is ended.
pub(crate) async fn serve(environment: Rc<Environment>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((socket, _)) = accepted else {
            tokio::time::sleep(AFTER_TROUBLE).await;
            continue;
        };
        // Without it answers are late, not wrong.
        let _ = socket.set_nodelay(true);
        let environment = environment.clone();
        let service = service_fn(move |request| handle(environment.clone(), request));
        connections.spawn_local(async move {
            // A process that hangs up is noticed by what it leaves unanswered.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

async fn handle(
    environment: Rc<Environment>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().strip_prefix(PREFIX).unwrap_or_default().to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    let is_expected = match parts.as_slice() {
        ["invocation", id, "response" | "error"] => environment.expects(id),
        ["init", "error"] => true,
        _ => false,
    };
    if request.method() != Method::GET && !(is_expected && request.method() == Method::POST) {
        // Who has not sent all of a request yet hears no answer to it.
        let is_known = matches!(parts.as_slice(), ["invocation", _, "response" | "error"]);
        let method = request.method().clone();
        let _ = whole(request, MOST_BYTES).await;
        return Ok(match method {
            Method::POST if is_known => misused(Misuse::UnknownCall),
            Method::POST => unknown_path(),
            _ => refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "not with this method"),
        });
    }
    Ok(match (request.method(), parts.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => next(&environment).await,
        (&Method::POST, ["invocation", id, "response"]) => response(&environment, id, request).await,
        (&Method::POST, ["invocation", id, "error"]) => error(&environment, id, request).await,
        (&Method::POST, ["init", "error"]) => init_error(&environment, request).await,
        _ => unknown_path(),
    })
}

fn unknown_path() -> Response<Body> {
    refusal(StatusCode::NOT_FOUND, "NotFound", "there is no such path in the Runtime API")
}

async fn next(environment: &Rc<Environment>) -> Response<Body> {
    let mut parked = match environment.next() {
        Ok(parked) => parked,
        Err(misuse) => return misused(misuse),
    };
    let Some(job) = parked.job().await else {
        return misused(Misuse::Ended);
    };
    let mut response = Response::new(Body::from(job.event.clone()));
    let deadline = environment.deadline().unwrap_or_else(Instant::now);
    describe(&job, &environment.pool.arn, deadline, response.headers_mut());
    response
}

/// The headers that go with a call.
fn describe(job: &Job, arn: &str, deadline: Instant, headers: &mut HeaderMap) {
    let mut set = |name: &'static str, value: &str| {
        // What came in as a header can go out as one; the rest is ours.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    let left = deadline.saturating_duration_since(Instant::now());
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + left;
    set("lambda-runtime-aws-request-id", job.id.as_str());
    set("lambda-runtime-deadline-ms", &deadline.as_millis().to_string());
    set("lambda-runtime-invoked-function-arn", arn);
    match &job.trace {
        Some(trace) => set("lambda-runtime-trace-id", trace),
        None => set("lambda-runtime-trace-id", &crate::id::trace_id(deadline.as_secs())),
    }
    if let Some(context) = &job.client_context {
        set("lambda-runtime-client-context", context);
    }
    set("content-type", "application/json");
}

async fn response(environment: &Rc<Environment>, id: &str, request: Request<Incoming>) -> Response<Body> {
    if text(request.headers(), "lambda-runtime-function-response-mode") == Some("streaming") {
        return match environment.answer(id) {
            Ok(answer) => stream(environment, id, answer, request).await,
            Err(misuse) => misused(misuse),
        };
    }
    let body = match whole(request, MOST_BYTES).await {
        Ok(body) => Answer::Whole(body),
        Err(status) => {
            let message =
                format!("Response payload size exceeded maximum allowed payload size ({MOST_BYTES} bytes).");
            let failure = Failure::new("Function.ResponseSizeTooLarge", message);
            if status == StatusCode::PAYLOAD_TOO_LARGE
                && let Ok(answer) = environment.answer(id)
            {
                let _ = answer.send(Answer::Failure(failure));
                environment.over(id, Some("error"));
            }
            return refusal(status, "RequestEntityTooLarge", "the answer is too long or broke off");
        }
    };
    finish(environment, id, body, None)
}

/// Gives an answer that is complete to who waits for it.
fn finish(
    environment: &Rc<Environment>,
    id: &str,
    answer: Answer,
    status: Option<&'static str>,
) -> Response<Body> {
    match environment.answer(id) {
        Ok(sender) => {
            // A caller that left wants no answer.
            let _ = sender.send(answer);
            environment.over(id, status);
            accepted()
        }
        Err(misuse) => misused(misuse),
    }
}

/// Passes an answer on while it is made. The caller's pace is the function's; one that leaves stops nobody.
async fn stream(
    environment: &Rc<Environment>,
    id: &str,
    answer: oneshot::Sender<Answer>,
    request: Request<Incoming>,
) -> Response<Body> {
    let (sender, chunks) = mpsc::channel(CHUNKS);
    let content_type = text(request.headers(), "content-type").map(Into::into);
    let _ = answer.send(Answer::Stream(AnswerStream { content_type, chunks }));
    let mut body = request.into_body();
    let mut trailers = HeaderMap::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return refusal(StatusCode::BAD_REQUEST, "BrokenStream", "the answer broke off");
        };
        match frame.into_data() {
            // Without a caller the rest is read and dropped.
            Ok(data) if !data.is_empty() => drop(sender.send(Chunk::Data(data)).await),
            Ok(_) => {}
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    let failure = failure_of(&trailers);
    environment.over(id, failure.is_some().then_some("error"));
    drop(sender.send(failure.map_or(Chunk::End, Chunk::Failed)).await);
    accepted()
}

/// The error that ends a streamed answer.
fn failure_of(trailers: &HeaderMap) -> Option<Failure> {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let error_type = text(trailers, "lambda-runtime-function-error-type")?;
    let body = text(trailers, "lambda-runtime-function-error-body").unwrap_or_default();
    let body = STANDARD.decode(body).unwrap_or_default();
    Some(Failure::reported(Some(error_type), body.into()))
}

async fn error(environment: &Rc<Environment>, id: &str, request: Request<Incoming>) -> Response<Body> {
    match reported(request).await {
        Ok(failure) => finish(environment, id, Answer::Failure(failure), Some("error")),
        Err(status) => refusal(status, "RequestEntityTooLarge", "the error is too long or broke off"),
    }
}

async fn init_error(environment: &Rc<Environment>, request: Request<Incoming>) -> Response<Body> {
    match reported(request).await.map(|failure| environment.cannot_start(failure)) {
        Ok(Ok(())) => accepted(),
        Ok(Err(misuse)) => misused(misuse),
        Err(status) => refusal(status, "RequestEntityTooLarge", "the error is too long or broke off"),
    }
}

async fn reported(request: Request<Incoming>) -> Result<Failure, StatusCode> {
    let error_type = text(request.headers(), "lambda-runtime-function-error-type").map(str::to_owned);
    let body = whole(request, LONGEST_ERROR).await?;
    Ok(Failure::reported(error_type.as_deref(), body))
}

async fn whole(request: Request<Incoming>, limit: usize) -> Result<Bytes, StatusCode> {
    crate::body::whole(request.into_body(), limit).await
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn accepted() -> Response<Body> {
    answer(StatusCode::ACCEPTED, Bytes::from_static(br#"{"status":"OK"}"#))
}

fn misused(misuse: Misuse) -> Response<Body> {
    match misuse {
        Misuse::UnknownCall => refusal(
            StatusCode::BAD_REQUEST,
            "InvalidRequestID",
            "this environment has no such call, or it was answered already",
        ),
        Misuse::Busy => {
            refusal(StatusCode::FORBIDDEN, "InvalidStateTransition", "the last call is not answered yet")
        }
        Misuse::Ended => refusal(StatusCode::GONE, "EnvironmentEnded", "this environment is to end"),
    }
}

fn refusal(status: StatusCode, error_type: &str, message: &str) -> Response<Body> {
    answer(status, json!({"errorType": error_type, "errorMessage": message}).to_string().into())
}

fn answer(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
