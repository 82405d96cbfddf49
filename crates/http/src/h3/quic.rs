//! What the `h3` crate runs on: quinn's connections and streams, watched and bounded.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming, StreamId, WriteBuf};
use quinn::{ConnectionError, ReadError, VarInt, WriteError};

use super::frames::{Bounds, Broken, Frames};

/// How much is read of a stream at a time.
const PIECE: usize = 4 * 1024;
/// Bytes a client may send on each stream that carries no request, as long as the connection lives.
const CONTROL: u64 = 256 * 1024;

type Later<T> = Option<Pin<Box<dyn Future<Output = Result<T, ConnectionError>>>>>;

/// Ready when the client wants no more of an answer, or is gone.
pub(super) type Stopped = Pin<Box<dyn Future<Output = ()>>>;

/// How a request's client says that it has given up, left here for whoever takes the request.
pub(super) type Arrived = Rc<RefCell<Option<Stopped>>>;

/// A connection.
pub(super) struct Connection {
    quic: quinn::Connection,
    bounds: Bounds,
    arrived: Arrived,
    requests: Later<(quinn::SendStream, quinn::RecvStream)>,
    others: Later<quinn::RecvStream>,
    opening: Later<quinn::SendStream>,
}

impl Connection {
    pub(super) fn new(quic: quinn::Connection, bounds: Bounds, arrived: Arrived) -> Self {
        Self { quic, bounds, arrived, requests: None, others: None, opening: None }
    }
}

/// Polls what goes on, and begins it where nothing does.
fn poll_later<T>(
    later: &mut Later<T>,
    begin: impl FnOnce() -> Pin<Box<dyn Future<Output = Result<T, ConnectionError>>>>,
    cx: &mut Context<'_>,
) -> Poll<Result<T, ConnectionErrorIncoming>> {
    let result = ready!(later.get_or_insert_with(begin).as_mut().poll(cx));
    *later = None;
    Poll::Ready(result.map_err(connection_error))
}

impl<B: Buf> quic::Connection<B> for Connection {
    type RecvStream = RecvStream;
    type OpenStreams = Self;

    fn poll_accept_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::RecvStream, ConnectionErrorIncoming>> {
        let quic = &self.quic;
        let begin = || -> Pin<Box<dyn Future<Output = _>>> {
            let quic = quic.clone();
            Box::pin(async move { quic.accept_uni().await })
        };
        poll_later(&mut self.others, begin, cx)
            .map_ok(|stream| RecvStream::new(stream, Watch::Budget(CONTROL)))
    }

    fn poll_accept_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::BidiStream, ConnectionErrorIncoming>> {
        let quic = &self.quic;
        let begin = || -> Pin<Box<dyn Future<Output = _>>> {
            let quic = quic.clone();
            Box::pin(async move { quic.accept_bi().await })
        };
        let (send, recv) = ready!(poll_later(&mut self.requests, begin, cx))?;
        let stopped = send.stopped();
        *self.arrived.borrow_mut() = Some(Box::pin(async move { drop(stopped.await) }));
        Poll::Ready(Ok(BidiStream {
            send: SendStream::new(send),
            recv: RecvStream::new(recv, Watch::Frames(Frames::new(self.bounds))),
        }))
    }

    fn opener(&self) -> Self {
        Self::new(self.quic.clone(), self.bounds, Arrived::default())
    }
}

impl<B: Buf> quic::OpenStreams<B> for Connection {
    type BidiStream = BidiStream<B>;
    type SendStream = SendStream<B>;

    fn poll_open_bidi(&mut self, _: &mut Context<'_>) -> Poll<Result<Self::BidiStream, StreamErrorIncoming>> {
        // A server opens none (RFC 9114 §6.1).
        Poll::Ready(Err(StreamErrorIncoming::Unknown(Box::new(Broken::Unexpected))))
    }

    fn poll_open_send(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::SendStream, StreamErrorIncoming>> {
        let quic = &self.quic;
        let begin = || -> Pin<Box<dyn Future<Output = _>>> {
            let quic = quic.clone();
            Box::pin(async move { quic.open_uni().await })
        };
        let opened = ready!(poll_later(&mut self.opening, begin, cx));
        Poll::Ready(opened.map(SendStream::new).map_err(of_connection))
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        self.quic.close(number(code.value()), reason);
    }
}

/// Both directions of a request.
pub(super) struct BidiStream<B: Buf> {
    send: SendStream<B>,
    recv: RecvStream,
}

impl<B: Buf> quic::BidiStream<B> for BidiStream<B> {
    type SendStream = SendStream<B>;
    type RecvStream = RecvStream;

    fn split(self) -> (Self::SendStream, Self::RecvStream) {
        (self.send, self.recv)
    }
}

impl<B: Buf> quic::RecvStream for BidiStream<B> {
    type Buf = Bytes;

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        self.recv.poll_data(cx)
    }

    fn stop_sending(&mut self, code: u64) {
        self.recv.stop_sending(code);
    }

    fn recv_id(&self) -> StreamId {
        self.recv.recv_id()
    }
}

impl<B: Buf> quic::SendStream<B> for BidiStream<B> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.send.poll_ready(cx)
    }

    fn send_data<T: Into<WriteBuf<B>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.send.send_data(data)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.send.poll_finish(cx)
    }

    fn reset(&mut self, code: u64) {
        self.send.reset(code);
    }

    fn send_id(&self) -> StreamId {
        self.send.send_id()
    }
}

/// What bounds what a client sends on a stream.
enum Watch {
    Frames(Frames),
    Budget(u64),
}

/// What a client sends on a stream.
pub(super) struct RecvStream {
    stream: quinn::RecvStream,
    room: BytesMut,
    watch: Watch,
    has_ended: bool,
}

impl RecvStream {
    fn new(stream: quinn::RecvStream, watch: Watch) -> Self {
        Self { stream, room: BytesMut::new(), watch, has_ended: false }
    }

    fn look(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        match &mut self.watch {
            Watch::Frames(frames) => frames.look(bytes),
            Watch::Budget(left) => {
                *left = left.checked_sub(bytes.len() as u64).ok_or(Broken::TooMany)?;
                Ok(())
            }
        }
    }
}

impl quic::RecvStream for RecvStream {
    type Buf = Bytes;

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        let broken = |broken: Broken| StreamErrorIncoming::Unknown(Box::new(broken));
        self.room.resize(PIECE, 0);
        let Poll::Ready(read) = self.stream.poll_read(cx, &mut self.room) else {
            // A stream that is silent holds nothing.
            self.room = BytesMut::new();
            return Poll::Pending;
        };
        let count = read.map_err(read_error)?;
        if count == 0 {
            self.has_ended = true;
            let is_cut = matches!(&self.watch, Watch::Frames(frames) if !frames.is_between());
            return Poll::Ready(if is_cut { Err(broken(Broken::Cut)) } else { Ok(None) });
        }
        let bytes = self.room.split_to(count).freeze();
        self.look(&bytes).map_err(broken)?;
        Poll::Ready(Ok(Some(bytes)))
    }

    fn stop_sending(&mut self, code: u64) {
        // It fails for a stream that has ended.
        let _ = self.stream.stop(number(code));
        self.has_ended = true;
    }

    fn recv_id(&self) -> StreamId {
        stream_id(self.stream.id())
    }
}

impl Drop for RecvStream {
    fn drop(&mut self) {
        if !self.has_ended {
            // RFC 9114 §4.1: an answer may not need all of its request.
            let _ = self.stream.stop(number(Code::H3_NO_ERROR.value()));
        }
    }
}

/// What is sent on a stream. One that is dropped before it is finished is reset: quinn would end it as if it were whole.
pub(super) struct SendStream<B: Buf> {
    stream: quinn::SendStream,
    writing: Option<WriteBuf<B>>,
    has_ended: bool,
}

impl<B: Buf> SendStream<B> {
    fn new(stream: quinn::SendStream) -> Self {
        Self { stream, writing: None, has_ended: false }
    }
}

impl<B: Buf> quic::SendStream<B> for SendStream<B> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        while let Some(data) = self.writing.as_mut().filter(|data| WriteBuf::has_remaining(data)) {
            let written = Pin::new(&mut self.stream).poll_write(cx, data.chunk());
            data.advance(ready!(written).map_err(write_error)?);
        }
        self.writing = None;
        Poll::Ready(Ok(()))
    }

    fn send_data<T: Into<WriteBuf<B>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        if self.writing.is_some() {
            let reason = "more is sent before the last is out".to_owned();
            return Err(of_connection(ConnectionErrorIncoming::InternalError(reason)));
        }
        self.writing = Some(data.into());
        Ok(())
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        ready!(self.poll_ready(cx))?;
        self.has_ended = true;
        Poll::Ready(self.stream.finish().map_err(|error| StreamErrorIncoming::Unknown(Box::new(error))))
    }

    fn reset(&mut self, code: u64) {
        self.has_ended = true;
        // It fails for a stream that has ended.
        let _ = self.stream.reset(number(code));
    }

    fn send_id(&self) -> StreamId {
        stream_id(self.stream.id())
    }
}

impl<B: Buf> Drop for SendStream<B> {
    fn drop(&mut self) {
        if !self.has_ended {
            let _ = self.stream.reset(number(Code::H3_REQUEST_CANCELLED.value()));
        }
    }
}

pub(super) fn number(code: u64) -> VarInt {
    VarInt::from_u64(code).unwrap_or(VarInt::MAX)
}

fn stream_id(id: quinn::StreamId) -> StreamId {
    let number: u64 = VarInt::from(id).into_inner();
    StreamId::try_from(number).expect("quinn's ids are of 62 bits, as those of the h3 crate")
}

fn of_connection(connection_error: ConnectionErrorIncoming) -> StreamErrorIncoming {
    StreamErrorIncoming::ConnectionErrorIncoming { connection_error }
}

fn connection_error(error: ConnectionError) -> ConnectionErrorIncoming {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            ConnectionErrorIncoming::ApplicationClose { error_code: close.error_code.into_inner() }
        }
        ConnectionError::TimedOut => ConnectionErrorIncoming::Timeout,
        error => ConnectionErrorIncoming::Undefined(Arc::new(error)),
    }
}

fn read_error(error: ReadError) -> StreamErrorIncoming {
    match error {
        ReadError::Reset(code) => StreamErrorIncoming::StreamTerminated { error_code: code.into_inner() },
        ReadError::ConnectionLost(error) => of_connection(connection_error(error)),
        error => StreamErrorIncoming::Unknown(Box::new(error)),
    }
}

fn write_error(error: WriteError) -> StreamErrorIncoming {
    match error {
        WriteError::Stopped(code) => StreamErrorIncoming::StreamTerminated { error_code: code.into_inner() },
        WriteError::ConnectionLost(error) => of_connection(connection_error(error)),
        error => StreamErrorIncoming::Unknown(Box::new(error)),
    }
}
