//! stub
use crate::error::BodyError;
use crate::headers::Headers;
use std::task::{Context, Poll};
macro_rules! stub { ($($n:ident)*) => { $(
pub(crate) struct $n;
impl $n {
    pub(crate) fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<bool, BodyError>> { Poll::Ready(Ok(false)) }
    pub(crate) fn data(&self) -> &[u8] { &[] }
    pub(crate) fn consume(&mut self, _: usize) {}
    pub(crate) fn length(&self) -> Option<u64> { None }
    pub(crate) fn trailers(&mut self) -> Option<Headers> { None }
}
)* } }
stub!(RequestBody ResponseBody);
