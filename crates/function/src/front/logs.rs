//! A function's log: its last lines, and those to come for who follows it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self};

use super::{Call, json, set};
use crate::body::{Body, Broken, Source};
use crate::log::{Line, Origin};

/// Lines that are shown where no number is asked for.
const SHOWN: usize = 100;

/// Shows a log, one JSON object a line: `?lines=N` of the last lines, `&follow` for those to come.
pub(super) fn show(call: Call<'_>, name: &str) -> Response<Body> {
    if let Err(refusal) = call.check_signature(b"") {
        return *refusal;
    }
    let pool = match call.function(name) {
        Ok(pool) => pool,
        Err(refusal) => return *refusal,
    };
    let query = call.head.uri.query().unwrap_or_default();
    let of = |key: &str| query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
    let count = of("lines").and_then(|count| count.parse().ok()).unwrap_or(SHOWN);
    let follows = query.split('&').any(|pair| pair == "follow");
    // Subscribed before the last lines are read: none is missed, and none comes between.
    let to_come = follows.then(|| pool.log.follow());
    let last: String = pool.log.last(count).iter().map(|line| shown(line)).collect();
    let mut response = match to_come {
        None => json(StatusCode::OK, last),
        Some(to_come) => {
            let follow = Follow { first: Some(last.into()), next: Box::pin(line_of(to_come)) };
            Response::new(Body::Stream(Box::new(follow)))
        }
    };
    set(&mut response, "content-type", "application/x-ndjson");
    response
}

fn shown(line: &Line) -> String {
    let origin = match line.origin {
        Origin::Function => "function",
        Origin::Platform => "platform",
        Origin::Trouble => "trouble",
    };
    let line = json!({"origin": origin, "requestId": line.request_id.as_deref(), "text": &*line.text});
    format!("{line}\n")
}

type Lines = broadcast::Receiver<Arc<Line>>;
type NextLine = Pin<Box<dyn Future<Output = (Option<String>, Lines)>>>;

/// Lines as they come.
struct Follow {
    first: Option<Bytes>,
    next: NextLine,
}

async fn line_of(mut lines: Lines) -> (Option<String>, Lines) {
    let text = match lines.recv().await {
        Ok(line) => Some(shown(&line)),
        Err(RecvError::Lagged(count)) => {
            let text = format!("{count} lines are left out");
            Some(format!("{}\n", json!({"origin": "trouble", "requestId": null, "text": text})))
        }
        Err(RecvError::Closed) => None,
    };
    (text, lines)
}

impl Source for Follow {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if let Some(first) = self.first.take().filter(|first| !first.is_empty()) {
            return Poll::Ready(Some(Ok(first)));
        }
        let (text, lines) = ready!(self.next.as_mut().poll(cx));
        self.next = Box::pin(line_of(lines));
        Poll::Ready(text.map(|text| Ok(text.into())))
    }
}
