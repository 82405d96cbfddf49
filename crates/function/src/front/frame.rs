//! The event stream of `InvokeWithResponseStream`: each chunk in a frame of `application/vnd.amazon.eventstream`.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};

use super::invoke::{completion, tail};
use crate::body::{Broken, Source};
use crate::id::RequestId;
use crate::invocation::{Answer, Chunk, Failure};
use crate::pool::Pool;

/// An answer, framed.
pub(super) struct Frames {
    next: Next,
    log_of: Option<(Rc<Pool>, RequestId)>,
}

enum Next {
    Chunk(Answer),
    Log(Option<Failure>, Pin<Box<dyn Future<Output = String>>>),
    Complete(Option<Failure>, Option<String>),
    Nothing,
}

impl Frames {
    /// Frames for an answer; with the end of a call's log, where it is asked for.
    pub(super) fn new(answer: Answer, log_of: Option<(Rc<Pool>, RequestId)>) -> Self {
        Self { next: Next::Chunk(answer), log_of }
    }

    /// What comes after the last chunk.
    fn ending(&mut self, failure: Option<Failure>) -> Next {
        match self.log_of.take() {
            Some((pool, id)) => Next::Log(failure, Box::pin(async move { tail(&pool, &id).await })),
            None => Next::Complete(failure, None),
        }
    }
}

impl Source for Frames {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        loop {
            match std::mem::replace(&mut self.next, Next::Nothing) {
                Next::Chunk(Answer::Whole(body)) => {
                    self.next = self.ending(None);
                    return Poll::Ready(Some(Ok(frame("PayloadChunk", "application/octet-stream", &body))));
                }
                Next::Chunk(Answer::Failure(failure)) => self.next = self.ending(Some(failure)),
                Next::Chunk(Answer::Stream(mut stream)) => {
                    let polled = stream.chunks.poll_recv(cx);
                    let Poll::Ready(chunk) = polled else {
                        self.next = Next::Chunk(Answer::Stream(stream));
                        return Poll::Pending;
                    };
                    match chunk {
                        Some(Chunk::Data(data)) => {
                            self.next = Next::Chunk(Answer::Stream(stream));
                            let framed = frame("PayloadChunk", "application/octet-stream", &data);
                            return Poll::Ready(Some(Ok(framed)));
                        }
                        Some(Chunk::End) => self.next = self.ending(None),
                        Some(Chunk::Failed(failure)) => self.next = self.ending(Some(failure)),
                        None => {
                            let failure = Failure::new("Runtime.ExitError", "the answer broke off");
                            self.next = self.ending(Some(failure));
                        }
                    }
                }
                Next::Log(failure, mut log) => {
                    let Poll::Ready(text) = log.as_mut().poll(cx) else {
                        self.next = Next::Log(failure, log);
                        return Poll::Pending;
                    };
                    self.next = Next::Complete(failure, Some(text));
                }
                Next::Complete(failure, log) => {
                    let end = completion(failure.as_ref(), log);
                    return Poll::Ready(Some(Ok(frame("InvokeComplete", "application/json", &end))));
                }
                Next::Nothing => return Poll::Ready(None),
            }
        }
    }
}

/// One frame: lengths, their checksum, headers, payload, the checksum of all of it.
fn frame(event: &str, content_type: &str, payload: &[u8]) -> Bytes {
    let mut headers = BytesMut::new();
    for (name, value) in [(":event-type", event), (":content-type", content_type), (":message-type", "event")]
    {
        headers.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
        headers.put_slice(name.as_bytes());
        // 7: the value is a text.
        headers.put_u8(7);
        headers.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
        headers.put_slice(value.as_bytes());
    }
    let length = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let mut frame = BytesMut::with_capacity(16 + headers.len() + payload.len());
    frame.put_u32(length(16 + headers.len() + payload.len()));
    frame.put_u32(length(headers.len()));
    frame.put_u32(checksum(&frame));
    frame.put_slice(&headers);
    frame.put_slice(payload);
    frame.put_u32(checksum(&frame));
    frame.freeze()
}

/// CRC-32 as in IEEE 802.3, byte by byte.
fn checksum(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0;
        let mut first = 0_u32;
        while index < 256 {
            let mut value = first;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 { value >> 1 ^ 0xedb8_8320 } else { value >> 1 };
                bit += 1;
            }
            table[index] = value;
            index += 1;
            first += 1;
        }
        table
    };
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        let index = usize::from(sum.to_le_bytes()[0] ^ byte);
        TABLE[index] ^ sum >> 8
    })
}

#[cfg(test)]
mod tests {
    use super::{checksum, frame};

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
    }

    /// Frame made by AWS's own library for the same event.
    #[test]
    fn a_frame_is_byte_for_byte_what_aws_makes() {
        let made = frame("PayloadChunk", "application/octet-stream", b"hello");
        let text = made.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        assert!(
            text.starts_with(
                "0000006f0000005af5fe871f0b3a6576656e742d7479706507000c5061796c6f61644368756e6b"
            ),
            "{text}"
        );
        assert!(text.ends_with("68656c6c6f29e71260"), "{text}");
    }
}
