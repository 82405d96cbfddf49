//! hyper as the other reader of a whole connection: which requests there are, and with which bodies.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use lockgate_http::fuzzing::{BodyEnd, chunked, read_request};

use crate::allowed;
use crate::heads;

/// A request as a server has seen it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    method: String,
    target: String,
    body: Vec<u8>,
}

/// Bytes that come `piece` at a time, then the end.
struct Wire {
    input: Vec<u8>,
    at: usize,
    piece: usize,
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let count = self.piece.min(self.input.len() - self.at).min(buf.remaining());
        buf.put_slice(&self.input[self.at..self.at + count]);
        self.at += count;
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What hyper sees.
fn theirs(input: &[u8], piece: usize) -> Vec<Seen> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = seen.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let log = log.clone();
        async move {
            let (head, body) = request.into_parts();
            if let Ok(body) = body.collect().await {
                let target =
                    head.uri.path_and_query().map_or_else(|| head.uri.to_string(), ToString::to_string);
                let body = body.to_bytes().to_vec();
                log.borrow_mut().push(Seen { method: head.method.to_string(), target, body });
            }
            Ok::<_, Infallible>(Response::new(Empty::<hyper::body::Bytes>::new()))
        }
    });
    let wire = Wire { input: input.to_vec(), at: 0, piece };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
    let served = http1::Builder::new().half_close(true).serve_connection(wire, service);
    let _ = runtime.block_on(served);
    seen.take()
}

/// What this engine sees, for which hosts, and where it stopped.
fn ours(input: &[u8]) -> (Vec<Seen>, Vec<Vec<u8>>, usize) {
    let (mut seen, mut hosts, mut at) = (Vec::new(), Vec::new(), 0);
    while let Some(Ok(head)) = read_request(&input[at..]) {
        let rest = &input[at + head.len..];
        let (body, used) = match head.body {
            BodyEnd::None | BodyEnd::Close => (Vec::new(), 0),
            BodyEnd::Length(length) => {
                match usize::try_from(length).ok().and_then(|length| rest.get(..length)) {
                    Some(body) => (body.to_vec(), body.len()),
                    None => break,
                }
            }
            BodyEnd::Chunked => match chunked(rest, rest.len()) {
                Ok((body, true, used)) => (body, used),
                _ => break,
            },
        };
        let mut words = head.start.split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        seen.push(Seen { method: word(), target: word(), body });
        let host = head.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
        hosts.push(host.map(|(_, value)| value.clone()).unwrap_or_default());
        at += head.len + used;
        if !head.keep_alive {
            break;
        }
    }
    (seen, hosts, at)
}

/// Holds a connection's bytes against hyper: both see the same requests, until one of them refuses.
pub(crate) fn connection(input: &[u8]) {
    let (ours, hosts, at) = ours(input);
    let theirs = theirs(input, input.len().max(1));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        // RFC 9112 §3.2.4: of a whole server is asked by `*`, however a proxy was asked for it; hyper's `Uri` says `/`.
        let is_of_server = ours.target == "*" && ours.method == "OPTIONS" && theirs.target == "/";
        let expected =
            if is_of_server { Seen { target: "*".to_owned(), ..theirs.clone() } } else { theirs.clone() };
        assert_eq!(*ours, expected, "{}", input.escape_ascii());
    }
    if theirs.len() > ours.len() {
        // Behind the last request that both see stands one that only hyper takes.
        assert!(is_explained(&input[at..]), "only hyper takes {}", input[at..].escape_ascii());
    }
    if let Some(refused) = ours.get(theirs.len()) {
        assert!(
            is_hypers(refused, &hosts[theirs.len()]),
            "hyper refuses {refused:?} of {}",
            input.escape_ascii()
        );
    }
}

/// Whether the refusal of this message has its reason: its head, or the grammar of its chunks.
fn is_explained(rest: &[u8]) -> bool {
    match read_request(rest) {
        Some(Ok(head)) if head.body == BodyEnd::Chunked => {
            let body = &rest[head.len..];
            allowed::chunks(body).is_err() && chunked(body, body.len()).is_err()
        }
        Some(Ok(_)) | None => false,
        Some(Err(_)) => heads::request(rest).is_some(),
    }
}

/// What hyper alone refuses: targets, and authorities of targets, that its `Uri` does not take.
fn is_hypers(refused: &Seen, host: &[u8]) -> bool {
    let is_of_uri = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=%".contains(&byte);
    let is_of_host = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:!$&'()*+;=".contains(byte);
    !refused.target.bytes().all(is_of_uri) || !host.iter().all(is_of_host)
}
