//! The server's side of an HTTP/2 connection: one task for the connection, one for each request.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{Method, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{IncomingBody, convert};
use crate::ConnectionInfo;
use crate::body::Body;
use crate::buffer::ReadBuffer;
use crate::h1::parse::Refusal;
use crate::message::Response;
use crate::server::{Finish, ServerSettings, Service};
use crate::stream::Stream;
use crate::timer::{self, Timer};

const MAX_STREAMS: u32 = 128;
/// Bytes a client may send ahead on one stream, and on all of a connection.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Bytes of answer that may wait in memory for one stream.
const SEND_BUFFER: usize = 64 * 1024;
/// Streams a client may reset before they were answered, until the connection is closed (CVE-2023-44487).
const MAX_RESETS: usize = 64;

/// How long a client may take to close its side of a connection that has no requests any more.
const CLOSING: Duration = Duration::from_secs(2);

/// Serves an HTTP/2 connection to its end; `buffer` holds what was read of it already.
pub(crate) async fn serve<S: Service>(
    stream: Stream,
    buffer: ReadBuffer,
    info: Rc<ConnectionInfo>,
    service: Rc<S>,
    settings: Rc<ServerSettings>,
) {
    let handshake = Builder::new()
        .max_concurrent_streams(MAX_STREAMS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(u32::try_from(settings.max_head).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_concurrent_reset_streams(MAX_RESETS)
        .handshake(Begun { stream, buffer });
    let Ok(Ok(mut connection)) = tokio::time::timeout(settings.head_timeout, handshake).await else {
        return;
    };
    let (idle, active) = (Timer::new(), Rc::new(Cell::new(0_usize)));
    let idle_timeout = settings.idle_timeout;
    idle.arm_open(idle_timeout);
    let mut is_closing = false;
    loop {
        let accepted = std::future::poll_fn(|cx| match connection.poll_accept(cx) {
            Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
            Poll::Pending => idle.poll(cx).map(|()| None),
        });
        match accepted.await {
            Some(Some(Ok((request, respond)))) => {
                let (service, settings) = (service.clone(), settings.clone());
                let exchange =
                    Exchange { info: info.clone(), service, settings, _active: Active::new(&active) };
                tokio::task::spawn_local(exchange.run(request, respond));
                if !is_closing {
                    idle.arm_open(idle_timeout);
                }
            }
            Some(_) => return,
            // It was told to go and has nothing to wait for: a client that does not answer is not waited for.
            None if is_closing && active.get() == 0 => return,
            None if is_closing => idle.arm(CLOSING),
            None if active.get() == 0 || timer::is_draining() => {
                connection.graceful_shutdown();
                is_closing = true;
                idle.arm(CLOSING);
            }
            None => idle.arm_open(idle_timeout),
        }
    }
}

/// Counts the requests under way on a connection.
struct Active(Rc<Cell<usize>>);

impl Active {
    fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(count.clone())
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// One request and its answer.
struct Exchange<S: Service> {
    info: Rc<ConnectionInfo>,
    service: Rc<S>,
    settings: Rc<ServerSettings>,
    _active: Active,
}

impl<S: Service> Exchange<S> {
    async fn run(self, request: http::Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let (parts, stream) = request.into_parts();
        let length = convert::length(&parts.headers);
        let method = parts.method.clone();
        let mut request = match convert::request(parts) {
            Ok(_) if length.is_some_and(|length| length > self.settings.max_body) => {
                let refusal = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "request body is too large");
                return self.refuse(respond, refusal).await;
            }
            Ok(request) => request,
            Err(refusal) => return self.refuse(respond, refusal).await,
        };
        if !stream.is_end_stream() {
            request.body = Body::h2(IncomingBody::new(stream, length, &self.settings));
        }
        let mut finish = Finish::new(&self.service, self.service.begin(&self.info, request));
        let response = {
            let mut answer = std::pin::pin!(self.service.answer(&mut finish.under_way));
            let answered = std::future::poll_fn(|cx| match answer.as_mut().poll(cx) {
                Poll::Ready(response) => Poll::Ready(Some(response)),
                // A client that gave up frees the upstream too.
                Poll::Pending => respond.poll_reset(cx).map(|_| None),
            });
            answered.await
        };
        let Some(response) = response else { return };
        self.respond(respond, response, &method, &mut finish).await;
    }

    async fn refuse(&self, respond: SendResponse<Bytes>, refusal: Refusal) {
        let (response, under_way) = self.service.refuse(&self.info, refusal.status, refusal.reason);
        let mut finish = Finish::new(&self.service, under_way);
        self.respond(respond, response, &Method::GET, &mut finish).await;
    }

    async fn respond(
        &self,
        mut respond: SendResponse<Bytes>,
        mut response: Response,
        method: &Method,
        finish: &mut Finish<S>,
    ) {
        finish.outcome.status = response.status;
        let mut body = std::mem::take(&mut response.body);
        let has_none = method == Method::HEAD
            || response.status == StatusCode::NO_CONTENT
            || response.status == StatusCode::NOT_MODIFIED;
        let declared =
            response.declared_length.or_else(|| body.length().filter(|_| !has_none || !body.is_empty()));
        let length = declared.filter(|_| response.status != StatusCode::NO_CONTENT);
        let ends = has_none || body.length() == Some(0);
        let head = convert::response(&response, length, self.settings.server.as_deref());
        drop(response);
        let Ok(mut stream) = respond.send_response(head, ends) else {
            return;
        };
        if ends {
            finish.outcome.is_complete = true;
            return;
        }
        match self.send(&mut stream, &mut body, finish).await {
            Ok(()) => finish.outcome.is_complete = true,
            Err(reason) => stream.send_reset(reason),
        }
    }

    async fn send(
        &self,
        stream: &mut SendStream<Bytes>,
        body: &mut Body,
        finish: &mut Finish<S>,
    ) -> Result<(), Reason> {
        let stall = Timer::new();
        loop {
            let has_data = std::future::poll_fn(|cx| match body.poll_ready(cx) {
                Poll::Ready(ready) => Poll::Ready(ready.map_err(|error| {
                    error.report();
                    Reason::INTERNAL_ERROR
                })),
                Poll::Pending => stream.poll_reset(cx).map(|_| Err(Reason::CANCEL)),
            })
            .await?;
            if !has_data {
                let sent = match body.trailers() {
                    Some(trailers) => stream.send_trailers(convert::trailer_map(&trailers)),
                    None => stream.send_data(Bytes::new(), true),
                };
                return sent.map_err(|_| Reason::INTERNAL_ERROR);
            }
            let wanted = body.data().len().min(SEND_BUFFER);
            stream.reserve_capacity(wanted);
            stall.arm(self.settings.send_timeout);
            let granted = std::future::poll_fn(|cx| poll_capacity(stream, &stall, cx)).await?;
            stall.disarm();
            let count = granted.min(wanted);
            let data = Bytes::copy_from_slice(&body.data()[..count]);
            body.consume(count);
            finish.outcome.body_bytes += count as u64;
            let ends = body.length() == Some(0) && !body.may_have_trailers();
            stream.send_data(data, ends).map_err(|_| Reason::INTERNAL_ERROR)?;
            if ends {
                return Ok(());
            }
        }
    }
}

fn poll_capacity(
    stream: &mut SendStream<Bytes>,
    stall: &Timer,
    cx: &mut Context<'_>,
) -> Poll<Result<usize, Reason>> {
    if stream.capacity() > 0 {
        return Poll::Ready(Ok(stream.capacity()));
    }
    loop {
        match stream.poll_capacity(cx) {
            // A change of window that leaves nothing to send; only what is pending is woken.
            Poll::Ready(Some(Ok(0))) => {}
            Poll::Ready(Some(Ok(count))) => return Poll::Ready(Ok(count)),
            Poll::Ready(_) => return Poll::Ready(Err(Reason::CANCEL)),
            Poll::Pending => return stall.poll(cx).map(|()| Err(Reason::CANCEL)),
        }
    }
}

/// A connection of which some bytes were read already.
struct Begun {
    stream: Stream,
    buffer: ReadBuffer,
}

impl AsyncRead for Begun {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.buffer.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let count = self.buffer.len().min(buf.remaining());
        buf.put_slice(&self.buffer.data()[..count]);
        self.buffer.consume(count);
        self.buffer.release();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begun {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
