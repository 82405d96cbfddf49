//! HTTP/1.1, both sides.

pub(crate) mod client;
mod connection;
mod framing;
mod lex;
pub(crate) mod parse;
mod reader;
pub(crate) mod send;
pub(crate) mod server;
mod tunnel;
pub(crate) mod write;

pub(crate) use client::ResponseBody;
pub(crate) use connection::{Connection, Interims, RequestBody};
#[cfg(feature = "fuzzing")]
pub(crate) use framing::Framing;
pub(crate) use framing::may_be_trailer;
pub(crate) use lex::FieldLine;
pub(crate) use tunnel::TunnelBody;
